"""Why a file of a data set is not used, in the words of a manifest."""

import pandas as pd

NO_LABEL = "no label"
CONFLICT = "label conflict: a copy of it carries another label"


def unusable(files: pd.DataFrame) -> pd.Series:
    """Return the reason of files that are not usable: their `status`, and what the inventory says of it.

    Parameters
    ----------
    files
        Rows of the inventory with `status` and `reason`.
    """
    return files["status"] + files["reason"].map(lambda reason: f": {reason}" if reason else "")
