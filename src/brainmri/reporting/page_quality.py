"""What the page says of files that are odd: rejected ones, and usable ones with a remark."""

import re

import pandas as pd

from brainmri.images.remarks import REMARKS
from brainmri.reporting.odd_files import odd_files

NUMBERS = re.compile(r"\d+")


def quality_context(inventory: pd.DataFrame, figure: dict) -> dict:
    """Return the table of odd files and their figure.

    Parameters
    ----------
    inventory
        ``inventory.parquet``.
    figure
        The figure of the stage `draw_quality`, as `Artefacts.figure` returns it.

    Returns
    -------
    dict
        ``rows`` with ``kind``, ``used`` (bool), ``reason``, ``count`` and ``example``; ``figure``.
    """
    rows = []
    for kind, files in odd_files(inventory).items():
        if files.empty:
            continue
        found = [(REMARKS[kind], files)] if kind in REMARKS else by_reason(files)
        rows += [
            {
                "kind": kind.replace("_", " "),
                "used": kind in REMARKS,
                "reason": reason,
                "count": len(members),
                "example": members["image_id"].min(),
            }
            for reason, members in found
        ]
    return {"rows": rows, "figure": figure}


def by_reason(files: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return the files of each reason; reasons that differ in their numbers alone are one, with … for them.

    A hundred torn files, each at another byte, would fill the page otherwise.
    """
    reasons = files["reason"].fillna("").astype(str)
    masked = reasons.str.replace(NUMBERS, "…", regex=True)
    found = []
    for words, members in files.groupby(masked):
        own = reasons[members.index].unique()
        found.append((own[0] if len(own) == 1 else words, members))
    return found
