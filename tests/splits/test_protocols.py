"""Properties of the protocols: what may never be on two sides, and why an image is left out."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainmri.errors import BrainmriError
from brainmri.splits.protocols import DRAWERS, GROUP_IN_TRAIN, published
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
    placed = DRAWERS[protocol](files, SplitSettings(protocol, **options))
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
    assert (manifest.loc[copied, "reason"] == GROUP_IN_TRAIN).all()
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


@st.composite
def pooled_files(draw):
    """Files of three members, in groups that may reach over them; `rare` is a class of member b alone."""
    rows = []
    for label in CLASSES:
        alone = [(member, 1) for member in ("a", "b", "c") for _ in range(4)]
        groups = [[member] * size for member, size in alone]
        groups += draw(st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=4), max_size=12))
        for index, members in enumerate(groups):
            rows += [(f"{label}-{index}", label, member) for member in members]
    rows += [(f"rare-{index}", "rare", "b") for index in range(4)]
    files = pd.DataFrame(rows, columns=["group_id", "label", "dataset"])
    files["image_id"], files["source_split"] = [f"i{index:04d}" for index in range(len(files))], None
    files["split"] = files["reason"] = pd.Series(None, files.index, object)
    return files


@settings(deadline=None)
@given(pooled_files(), st.sampled_from("abc"), st.integers(0, 3))
def test_the_member_left_out_tests_alone_and_has_nothing_in_common_with_the_others(files, member, seed):
    manifest = manifest_of(files, "leave_one_out", test_dataset=member, val=0.25, seed=seed)
    assert straddling(manifest) == 0
    used = manifest[manifest["split"] != "excluded"]
    assert ((used["dataset"] == member) == (used["split"] == "test")).all()
    assert used.groupby("split")["label"].agg(set).map(lambda labels: labels == set(CLASSES)).all()
    rare = manifest[manifest["label"] == "rare"]
    name = "the training sets" if member == "b" else f"the test set {member}"
    assert set(rare["reason"]) == {f"the class rare is not in {name}"}
    own = manifest[(manifest["dataset"] == member) & (manifest["label"] != "rare")]
    for row in own.itertuples():
        others = sorted(set(files.loc[files["group_id"] == row.group_id, "dataset"]) - {member})
        assert row.split == ("excluded" if others else "test")
        assert not others or row.reason == f"its group reaches into {' and '.join(others)}"
    # The training sets lose nothing but the class that cannot be tested.
    lost = manifest[(manifest["dataset"] != member) & (manifest["split"] == "excluded")]
    assert (lost["label"] == "rare").all()


def test_a_copy_in_another_member_counts_where_that_member_does_not_use_it():
    rows = [(f"{label}-{own}-{n}", label, own) for label in CLASSES for own in "ab" for n in range(4)]
    files = pd.DataFrame([*rows, (rows[0][0], CLASSES[0], "b")], columns=["group_id", "label", "dataset"])
    files["image_id"], files["source_split"] = [f"i{index:02}" for index in range(len(files))], None
    files["split"] = files["reason"] = pd.Series(None, files.index, object)
    files.loc[len(rows), ["split", "reason"]] = ["excluded", "label conflict"]
    manifest = manifest_of(files, "leave_one_out", test_dataset="a", val=0.25)
    assert manifest.loc[0, ["split", "reason"]].tolist() == ["excluded", "its group reaches into b"]


@pytest.mark.parametrize("protocol", DRAWERS)
@settings(deadline=None, max_examples=20)
@given(files_of_a_source(), st.integers(0, 3), st.randoms())
def test_no_protocol_looks_at_the_order_of_rows(protocol, files, seed, random):
    order = list(files.index)
    random.shuffle(order)
    files["dataset"] = files["source_split"].map({"train": "one", "test": "two"})
    options = {"seed": seed} | ({"test_dataset": "two"} if protocol == "leave_one_out" else {})
    straight, again = (manifest_of(files, protocol, **options) for _ in range(2))
    shuffled = manifest_of(files.loc[order].reset_index(drop=True), protocol, **options)
    pd.testing.assert_frame_equal(straight, again)
    shuffled = shuffled.sort_values("image_id", ignore_index=True)
    pd.testing.assert_frame_equal(straight, shuffled, check_dtype=False)


def test_a_class_of_fewer_groups_than_folds_is_refused_by_name():
    files = pd.DataFrame({"group_id": list("abcdefg"), "label": ["glioma"] * 3 + ["no_tumor"] * 4})
    files["image_id"], files["source_split"] = files["group_id"], None
    files["split"] = pd.Series(None, files.index, object)
    with pytest.raises(BrainmriError, match="'glioma' has 3 groups, but 4 parts"):
        manifest_of(files.assign(reason=None), "grouped", folds=4, fold=0)


def test_published_can_draw_validation_by_images_as_published_systems_did():
    rows = [
        (f"{group}-{copy}.jpg", ("glioma", "meningioma")[group % 2], "train", f"{group}")
        for group in range(40)
        for copy in range(4)
    ]
    rows += [(f"test-{row}.jpg", ("glioma", "meningioma")[row % 2], "test", f"{row}") for row in range(20)]
    files = pd.DataFrame(rows, columns=["image_id", "label", "source_split", "group_id"]).assign(split=None)
    wished = {"protocol": "published", "val": 0.25}
    by_groups, by_images = (
        published(files, SplitSettings(**wished, val_by=unit))["split"] for unit in ("groups", "images")
    )
    for parts in (by_groups, by_images):
        assert (parts[files["source_split"] == "test"] == "test").all()
        assert (parts == "val").sum() == 40
        assert (files["label"][parts == "val"] == "glioma").sum() == 20
    training = files["source_split"] == "train"
    sides = [
        files[training].assign(part=parts).groupby("group_id")["part"].nunique()
        for parts in (by_groups, by_images)
    ]
    assert sides[0].max() == 1
    assert (sides[1] == 2).sum() > 20


def test_validation_by_images_is_for_published_protocols_alone():
    with pytest.raises(BrainmriError, match="val_by: the protocol 'grouped' draws all its parts alike"):
        SplitSettings("grouped", val_by="images")
