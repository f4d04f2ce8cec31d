"""The sheets of copies: which pairs they show, and how one image is laid on the other."""

import cv2
import numpy as np
import pandas as pd
import pytest
from helpers import texts
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from brainmri.artefacts import read_parquet, write_parquet
from brainmri.audit.turns import TURNS, turned
from brainmri.errors import BrainmriError
from brainmri.reporting.copy_pairs import (
    across_pairs,
    conflicting_pairs,
    neighbour_pairs,
    one_of_each_group,
    strongest_rejected_pairs,
    weakest_pairs,
)
from brainmri.reporting.copy_sheets import groups_figure, pairs_figure
from brainmri.reporting.copy_words import transform_words
from brainmri.reporting.draw_audit import draw_audit
from brainmri.reporting.overlay import FULL_DIFFERENCE, brought_onto, difference
from brainmri.reporting.style import figure_style

SHEETS = ("groups", "across", "conflicts", "weakest", "rejected", "neighbours")


def picture(seed: int = 0, height: int = 64, width: int = 64) -> np.ndarray:
    """Return a smooth random picture, uint8."""
    noise = np.random.default_rng(seed).normal(0, 1, (height, width))
    smooth = cv2.GaussianBlur(noise, (0, 0), 4)
    return np.clip(128 + 50 * smooth / smooth.std(), 0, 255).astype(np.uint8)


def pair_table(*rows: tuple) -> pd.DataFrame:
    """Return described pairs of (kind, similarity, group a, group b, label a, label b, part a, part b)."""
    names = ["kind", "similarity", "group_id_a", "group_id_b", "label_a", "label_b"]
    table = pd.DataFrame(rows, columns=[*names, "source_split_a", "source_split_b"])
    table["image_id_a"] = [f"a{number}.jpg" for number in range(len(table))]
    table["image_id_b"] = [f"b{number}.jpg" for number in range(len(table))]
    return table.assign(
        transform="identity", matrix=None, row_a=0, row_b=1, width_a=64, height_a=64, width_b=64, height_b=64
    )


PAIRS = pair_table(
    ("bytes", 1.0, "g1", "g1", "glioma", "glioma", "train", "test"),
    ("bytes", 1.0, "g1", "g1", "glioma", "glioma", "train", "test"),
    ("bytes", 1.0, "g2", "g2", "glioma", "glioma", "train", "test"),
    ("near", 0.99, "g3", "g3", "glioma", "meningioma", "test", "train"),
    ("near", 0.98, "g3", "g3", "meningioma", "glioma", "test", "test"),
    ("mirrored", 0.985, "g4", "g4", "glioma", None, "train", "train"),
    ("neighbour", 0.95, "g5", "g6", "glioma", "meningioma", "train", "test"),
    ("neighbour", 0.94, "g6", "g5", "glioma", "glioma", "train", "train"),
)


def test_pairs_across_show_each_kind_and_each_group_once_and_no_neighbours():
    found = across_pairs(PAIRS)
    assert found["group_id_a"].is_unique
    assert found["kind"].tolist() == ["bytes", "near", "bytes"]


def test_pairs_across_show_each_class_before_one_comes_twice():
    labels = ["no_tumor"] * 50 + ["glioma", "pituitary"]
    rows = [("near", 0.99, f"g{i}", f"g{i}", label, label, "train", "test") for i, label in enumerate(labels)]
    assert set(across_pairs(pair_table(*rows)).head(3)["label_a"]) == set(labels)


def test_two_labels_are_a_conflict_and_an_unknown_one_is_none():
    assert conflicting_pairs(PAIRS)["image_id_a"].tolist() == ["a3.jpg", "a4.jpg"]


def test_the_weakest_copies_are_neither_equal_files_nor_neighbours():
    assert weakest_pairs(PAIRS)["similarity"].tolist() == [0.98, 0.985]


def test_rejected_pairs_come_with_the_most_similar_first():
    rejected = PAIRS.assign(similarity=np.linspace(0.9, 0.97, len(PAIRS)))
    assert strongest_rejected_pairs(rejected)["similarity"].is_monotonic_decreasing


def test_neighbours_of_two_groups_are_shown_once():
    assert neighbour_pairs(PAIRS, 5)["similarity"].tolist() == [0.95]
    assert neighbour_pairs(PAIRS[:3], 5).empty


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=30))
def test_each_two_groups_have_one_pair(groups):
    table = pair_table(*[("near", 0.99, f"g{a}", f"g{b}", *[None] * 4) for a, b in groups])
    kept = one_of_each_group(table)
    assert len(kept) == len({frozenset(pair) for pair in groups})


@pytest.mark.parametrize("transform", list(TURNS))
def test_a_turned_copy_lies_on_its_original_again(transform):
    original = picture()
    images = np.stack([original, turned(original, transform)])
    pair = PAIRS.iloc[0].copy()
    pair["transform"] = transform
    brought, seen = brought_onto(pair, images)
    assert seen.all()
    np.testing.assert_array_equal(brought, original)


def test_a_rotated_copy_of_another_shape_lies_on_its_original_again():
    original = picture(height=120, width=90)
    matrix = np.array([[1.02, -0.1, 9.0], [0.12, 0.97, -4.0]])
    copy = cv2.warpAffine(original, matrix, (110, 130))
    images = np.stack(
        [cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA) for image in (original, copy)]
    )
    pair = PAIRS.iloc[0].copy()
    pair[["width_a", "height_a", "width_b", "height_b"]] = [90, 120, 110, 130]
    pair["matrix"], pair["transform"] = str(matrix.tolist()), "identity rotate=6.5"
    brought, seen = brought_onto(pair, images)
    inside = cv2.erode(seen.astype(np.uint8), np.ones((5, 5))) > 0
    assert inside.mean() > 0.7
    assert np.abs(brought.astype(int) - images[0])[inside].mean() < 3
    assert np.abs(images[1].astype(int) - images[0])[inside].mean() > 15


def test_a_transform_that_cannot_be_drawn_is_told():
    pair = PAIRS.iloc[0].copy()
    pair["transform"] = "identity rotate=6.5"
    with pytest.raises(BrainmriError, match=r"a0.jpg and b0.jpg has no matrix.*audit again"):
        brought_onto(pair, np.zeros((2, 64, 64), np.uint8))


@pytest.mark.parametrize("matrix", ["zz", "[1, 2]", "{}", '"a"', "[[1, 2, 3], [4, 5]]"])
def test_a_matrix_that_is_none_is_told(matrix):
    pair = PAIRS.iloc[0].copy()
    pair["matrix"] = matrix
    with pytest.raises(BrainmriError, match=r"a0.jpg and b0.jpg is .*audit again"):
        brought_onto(pair, np.zeros((2, 64, 64), np.uint8))


def test_brightness_and_contrast_make_no_difference_and_another_picture_does():
    original, seen = picture(), np.ones((64, 64), bool)
    paler = (original * 0.6 + 40).astype(np.uint8)
    assert difference(original, paler, seen).max() < 2
    assert difference(original, picture(seed=1), seen).mean() > 0.4 * FULL_DIFFERENCE
    assert difference(original, np.full((64, 64), 7, np.uint8), ~seen).mask.all()


def test_transforms_are_told_in_words():
    assert transform_words("identity") == transform_words(None) == ""
    assert transform_words("mirror+turn180") == "flipped top to bottom"
    words = transform_words("turn90 rotate=-7.3 zoom=1.05x0.97 shift=3.1,-2.0")
    assert transform_words("rotate=-0.0 zoom=1.000x0.999 shift=0.3,-0.4") == ""
    assert words == "turned by 90°, rotated by −7.3°, zoomed 1.05 × 0.97, shifted by 3, −2 px"


def test_a_pair_is_told_with_files_labels_kind_and_similarity():
    images = np.stack([picture(), picture(1)])
    with figure_style():
        words = " | ".join(texts(pairs_figure("set: pairs", PAIRS[3:4], images, "none")))
    for word in ("re-saved", "0.990", "left: a3.jpg (glioma)", "right: b3.jpg (meningioma)", "difference"):
        assert word in words


def test_a_group_is_told_with_size_parts_and_weakest_link():
    members = pd.DataFrame(
        {
            "image_id": [f"{i}.jpg" for i in range(12)],
            "label": ["glioma"] * 11 + ["meningioma"],
            "source_split": ["test"] * 2 + ["train"] * 10,
            "patient_id": None,
            "weakest_link": 0.987,
            "row": 0,
            "width": 64,
            "height": 64,
        }
    )
    with figure_style():
        words = " | ".join(texts(groups_figure("set: groups", [members], picture()[None], "none")))
    assert "12 images, 8 shown: two labels, glioma / meningioma" in words
    assert "10 in train; 2 in test; weakest link 0.987" in words


def test_a_sheet_without_entries_says_so():
    with figure_style():
        assert "No pair." in texts(pairs_figure("set: pairs", PAIRS[:0], np.zeros((0, 64, 64)), "No pair."))
        assert "No group." in texts(groups_figure("set: groups", [], np.zeros((0, 64, 64)), "No group."))


def arguments(study, folder) -> dict:
    data = study.data_folder("phantom")
    names = ("largest_groups", "across", "conflicts", "weakest", "strongest_rejected", "neighbours")
    return {
        "dataset": "phantom",
        "inventory": data / "inventory.parquet",
        "duplicates": data / "duplicates.parquet",
        "groups": data / "groups.parquet",
        "rejected": data / "rejected.parquet",
        "images": data / "whole_128.npy",
        **{name: folder / f"{sheet}.png" for name, sheet in zip(names, SHEETS, strict=True)},
    }


def test_the_same_tables_give_the_same_sheets_of_one_width(study, tmp_path):
    draw_audit(**arguments(study, tmp_path))
    for name in SHEETS:
        drawn = study.dataset_figures("phantom") / "copies" / f"{name}.png"
        assert (tmp_path / f"{name}.png").read_bytes() == drawn.read_bytes()
        assert drawn.stat().st_size < 400_000
        with Image.open(drawn) as image:
            assert image.width == 768


def test_an_array_or_a_table_of_another_data_set_is_refused(study, tmp_path):
    wanted = arguments(study, tmp_path)
    np.save(tmp_path / "few.npy", np.zeros((3, 64, 64), np.uint8))
    with pytest.raises(BrainmriError, match=r"holds 3 images, .*groups.parquet lists 240"):
        draw_audit(**wanted | {"images": tmp_path / "few.npy"})
    pairs = read_parquet(wanted["duplicates"])
    foreign = pairs.assign(image_id_b="elsewhere.jpg")
    write_parquet(foreign, tmp_path / "foreign.parquet", config={})
    with pytest.raises(BrainmriError, match=r"foreign.parquet names elsewhere.jpg"):
        draw_audit(**wanted | {"duplicates": tmp_path / "foreign.parquet"})
    assert not (tmp_path / "across.png").exists()
