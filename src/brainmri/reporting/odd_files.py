"""Which files of a data set are odd: rejected ones, and usable ones with a remark."""

import pandas as pd

from brainmri.images.remarks import REMARKS, SEPARATOR

STATUSES = ("corrupt", "oversized", "unsupported", "empty", "foreign")


def odd_files(inventory: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the rows of the rejected files by status, then of the usable ones by remark.

    Parameters
    ----------
    inventory
        ``inventory.parquet``. A file with several remarks stands under each.
    """
    by_status = {status: inventory[inventory["status"] == status] for status in STATUSES}
    usable = inventory[inventory["status"] == "ok"]
    remarks = usable["remarks"].fillna("").astype(str).str.split(SEPARATOR)
    return by_status | {
        word: usable.loc[[word in words for words in remarks]] for word in REMARKS if word not in by_status
    }
