"""Rows of the packed array: whole numbers within it, or a sentence."""

from pathlib import Path

import pandas as pd
import pytest

from brainmri.errors import BrainmriError
from brainmri.images.store import checked_rows


def test_rows_within_the_array_are_whole_numbers_whatever_their_column_was():
    for kind in ("int64", "Int64", "float64"):
        assert checked_rows(pd.Series([0, 2], dtype=kind), 3, Path("m.parquet"), "split").tolist() == [0, 2]
    assert checked_rows(pd.Series([], dtype="Int64"), 0, Path("m.parquet"), "split").dtype == "int64"


@pytest.mark.parametrize("rows", [[0, 3], [-1, 0], [0, None]], ids=str)
@pytest.mark.parametrize("kind", ["Int64", "float64"])
def test_rows_beyond_the_array_and_missing_ones_are_refused(rows, kind):
    with pytest.raises(BrainmriError, match=r"m.parquet and the 3 packed images.* run crop and split again"):
        checked_rows(pd.Series(rows, dtype=kind), 3, Path("m.parquet"), "crop and split")
