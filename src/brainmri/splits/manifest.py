"""The manifest of a split: what it holds, and how every stage reads it."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa

from brainmri.artefacts import read_parquet
from brainmri.errors import BrainmriError

MANIFEST_SCHEMA = pa.schema(
    [
        ("image_id", pa.string()),
        ("row", pa.int64()),
        ("label", pa.string()),
        ("label_index", pa.int64()),
        ("split", pa.string()),
        ("reason", pa.string()),
        ("group_id", pa.string()),
        ("sha256", pa.string()),
    ]
)
MANIFEST_PARTS = ("train", "val", "test", "excluded")


def read_manifest(path: Path, columns: Iterable[str]) -> pd.DataFrame:
    """Read `image_id`, `split` and further columns of a manifest.

    Raises
    ------
    BrainmriError
        If it cannot be read, lists an image twice, holds an unknown part, or, where `group_id` is read, has
        an image that is not excluded and has no group.
    """
    needed = list(dict.fromkeys(["image_id", "split", *columns]))
    table = read_parquet(path, needed, unique="image_id", words={"split": MANIFEST_PARTS})
    if "group_id" in needed:
        check_grouped(table[table["split"] != "excluded"], path, "audit and split")
    return table


def check_grouped(table: pd.DataFrame, path: Path, stages: str) -> None:
    """Raise BrainmriError, which says what stages to run again, where an image of a table has no group."""
    if table["group_id"].isna().any():
        raise BrainmriError(f"{path} has an image without group_id. Run {stages} again.")
