"""What the page says of data sets and splits."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainmri.reporting.page_data import class_counts, leakage
from brainmri.reporting.words import crop_words


def manifest(rows: list[tuple[str, str]]) -> pd.DataFrame:
    """Return a manifest of (part, group) rows."""
    return pd.DataFrame(rows, columns=["split", "group_id"])


def test_leakage_counts_images_whose_group_is_trained_on():
    rows = [("train", "a"), ("train", "b"), ("val", "b"), ("val", "c"), ("test", "a"), ("test", "a")]
    found = leakage(manifest([*rows, ("test", "c"), ("test", "d"), ("excluded", "d")]))
    assert (found["groups"], found["straddling"]) == (4, 3)
    assert (found["test"], found["test_in_train"], found["test_in_val"]) == (4, 2, 1)
    assert (found["val"], found["val_in_train"]) == (2, 1)
    assert found["test_in_train_share"] == "50.0 %"
    assert not found["free"]


@given(
    st.lists(st.tuples(st.sampled_from(["train", "val", "test"]), st.integers(0, 9)), min_size=1, max_size=40)
)
def test_a_split_of_whole_groups_is_free_of_leaks(rows):
    whole = [(part, f"{part}{group}") for part, group in rows]
    found = leakage(manifest(whole))
    assert found["straddling"] == 0
    assert found["free"] == any(part == "test" for part, _ in rows)


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_a_split_with_an_image_of_no_known_group_is_not_called_free(part):
    rows = [("train", "a"), ("val", "b"), ("test", "c")]
    assert leakage(manifest([*rows, ("excluded", None)]))["free"]
    assert not leakage(manifest([*rows, (part, None)]))["free"]


def test_a_split_without_test_images_is_not_called_free():
    assert not leakage(manifest([("train", "a")]))["free"]


INVENTORY = pd.DataFrame(
    {
        "image_id": ["1", "2", "3", "4", "5"],
        "label": ["glioma", "glioma", "no_tumor", None, "glioma"],
        "source_split": ["train", None, "test", "train", "train"],
        "status": ["ok", "ok", "ok", "ok", "corrupt"],
        "reason": [None, None, None, None, "cannot be decoded"],
        "width": [10, 10, 20, 10, None],
        "height": [10, 12, 20, 10, None],
        "channels": [1, 3, 1, 1, None],
    }
)


def test_every_file_is_counted_once_by_class():
    counts = class_counts(INVENTORY, ["glioma", "no_tumor"])
    assert counts["sources"] == ["no source split", "train", "test"]
    by_name = {row["name"]: row for row in counts["rows"]}
    assert list(by_name) == ["glioma", "no tumor", "no label"]
    assert by_name["glioma"]["sources"] == [1, 1, 0]
    assert (by_name["glioma"]["usable"], by_name["glioma"]["rejected"]) == (2, 1)
    assert by_name["glioma"]["colour"] == "50.0 %"
    assert sum(row["usable"] + row["rejected"] for row in counts["rows"]) == len(INVENTORY)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "the black border cut off; 3 of 9 images kept whole"),
        ({"method": "centre", "centre": 0.75}, "the middle 75.0 % of each side kept, as configured"),
        ({"method": "none"}, "nothing cut off, as configured"),
    ],
)
def test_only_what_was_cut_off_is_told_so(settings, told):
    assert crop_words(settings, 3, 9).startswith(told)
