"""Properties of the protocols: what may never be on two sides, and why an image is left out."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainmri.errors import BrainmriError
from brainmri.splits.protocols import COPY_IN_TRAIN, PROTOCOLS
from brainmri.splits.settings import SplitSettings

CLASSES = ("glioma", "no_tumor")


@st.composite
def files_of_a_source(draw):
    """Files of two classes in groups that may reach over the source's own parts, some of them excluded."""
    rows = []
    for label in CLASSES:
        # Groups of the training part alone, of the test part alone, and of both; enough to draw from.
        sizes = draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=3, max_size=12))
        for index, (train, test) in enumerate([(1, 0)] * 4 + [(0, 1)] * 2 + sizes):
            rows += [(f"{label}-{index}", label, part) for part in ["train"] * train + ["test"] * test]
    files = pd.DataFrame(rows, columns=["group_id", "label", "source_split"])
    files["image_id"] = [f"i{index:04d}" for index in range(len(files))]
    files["split"], files["reason"] = (
        pd.Series(None, files.index, object),
        pd.Series(None, files.index, object),
    )
    spoilt = draw(st.lists(st.integers(12, len(files) - 1), max_size=2)) if len(files) > 12 else []
    files.loc[spoilt, ["split", "reason"]] = ["excluded", "label conflict"]
    return files


def manifest_of(files: pd.DataFrame, protocol: str, **options) -> pd.DataFrame:
    """Return the files with the part that a protocol gives them."""
    files = files.copy()
    placed = PROTOCOLS[protocol](files, SplitSettings(protocol, **options))
    files.loc[placed.index, ["split", "reason"]] = placed
    return files


def straddling(manifest: pd.DataFrame) -> int:
    """Return in how many further parts groups have images."""
    used = manifest[manifest["split"] != "excluded"]
    return int(used.drop_duplicates(["group_id", "split"])["group_id"].duplicated().sum())


@settings(deadline=None)
@given(files_of_a_source(), st.integers(0, 3))
def test_published_clean_tests_on_what_has_no_relative_in_the_sources_training_part(files, seed):
    manifest = manifest_of(files, "published_clean", val=0.3, seed=seed)
    assert straddling(manifest) == 0
    published = manifest_of(files, "published", val=0.3, seed=seed)
    assert (manifest["split"] == published["split"])[published["split"] != "test"].all()
    in_train = set(files.loc[files["source_split"] == "train", "group_id"])
    test = published["split"] == "test"
    copied = test & published["group_id"].isin(in_train)
    assert (manifest.loc[copied, "reason"] == COPY_IN_TRAIN).all()
    assert (manifest.loc[test & ~copied, "split"] == "test").all()
    assert ((manifest["split"] == "excluded") == manifest["reason"].notna()).all()


def test_published_clean_says_when_nothing_is_left_to_test_on():
    rows = [
        (f"{label}{index}", label, part) for label in "ab" for index in range(4) for part in ("train", "test")
    ]
    files = pd.DataFrame(rows, columns=["group_id", "label", "source_split"])
    files["image_id"] = [f"i{index}" for index in range(len(files))]
    files["split"] = files["reason"] = pd.Series(None, files.index, object)
    with pytest.raises(BrainmriError, match="Each of the 8 images of the source's test part has a copy"):
        manifest_of(files, "published_clean")


@settings(deadline=None)
@given(files_of_a_source(), st.integers(3, 4), st.integers(0, 3))
def test_over_the_folds_every_image_is_tested_once(files, folds, seed):
    files["source_split"] = None
    manifests = [
        manifest_of(files, "grouped", folds=folds, fold=fold, val=0.25, seed=seed) for fold in range(folds)
    ]
    drawable = files["split"].isna()
    tested = sum((manifest["split"] == "test").astype(int) for manifest in manifests)
    assert (tested[drawable] == 1).all() and (tested[~drawable] == 0).all()
    for manifest in manifests:
        assert straddling(manifest) == 0
        parts = manifest[drawable].groupby("label")["split"].agg(set)
        assert all(found == {"train", "val", "test"} for found in parts)


def test_a_class_of_fewer_groups_than_folds_is_refused_by_name():
    files = pd.DataFrame({"group_id": list("abcdefg"), "label": ["glioma"] * 3 + ["no_tumor"] * 4})
    files["image_id"], files["source_split"] = files["group_id"], None
    files["split"] = pd.Series(None, files.index, object)
    with pytest.raises(BrainmriError, match="'glioma' has 3 groups, but 4 parts"):
        manifest_of(files.assign(reason=None), "grouped", folds=4, fold=0)
