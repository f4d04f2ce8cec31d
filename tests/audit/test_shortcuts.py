"""What file metadata alone tells of the class: planted shortcuts are found, and no others."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainmri.artefacts import write_parquet
from brainmri.audit.audit import audit
from brainmri.audit.shortcuts import FOLDS, grouped_interval, head_boxes, metadata_shortcut

CLASSES = np.array(["glioma", "meningioma", "no_tumor"])


def rows(count: int, seed: int = 0) -> pd.DataFrame:
    """Return rows of an inventory whose columns know nothing of the class."""
    generator = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "label": CLASSES[np.arange(count) % 3],
            "width": generator.integers(200, 600, count),
            "height": generator.integers(200, 600, count),
            "channels": generator.choice([1, 3], count),
            "bytes": generator.integers(5_000, 50_000, count),
            "format": generator.choice(["jpeg", "png"], count),
        }
    )


def alone(table: pd.DataFrame) -> np.ndarray:
    """Return groups of one image each."""
    return np.array([f"g{number}" for number in range(len(table))])


def test_a_planted_shortcut_is_found_and_named():
    table = rows(300)
    table["channels"] = np.where(table["label"] == "no_tumor", 3, 1)
    found = metadata_shortcut(table, None, alone(table))
    told = found["metadata_shortcut"]
    assert found["metadata_shortcut_accuracy"]["no_tumor"] > 0.95
    assert next(iter(told["features"])) == "channels"
    assert told["features"]["channels"] > 0.6
    assert told["majority_share"] == pytest.approx(1 / 3)
    assert told["low"] < found["metadata_shortcut_accuracy"]["all"] < told["high"]
    assert (told["images"], told["groups"], told["folds"]) == (300, 300, FOLDS)


def test_metadata_that_knows_nothing_of_the_class_predicts_it_by_chance():
    table = rows(900)
    found = metadata_shortcut(table, None, alone(table))
    assert abs(found["metadata_shortcut_accuracy"]["all"] - 1 / 3) < 0.07
    assert found["metadata_shortcut"]["low"] < 1 / 3 + 0.05


def test_of_unequal_classes_the_majority_and_the_mean_recall_are_told():
    table = rows(200)
    table["label"] = np.where(np.arange(200) % 4 == 0, "glioma", "no_tumor")
    found = metadata_shortcut(table, None, alone(table))
    told, recalls = found["metadata_shortcut"], found["metadata_shortcut_accuracy"]
    assert told["majority_share"] == 0.75
    assert told["balanced_accuracy"] == pytest.approx((recalls["glioma"] + recalls["no_tumor"]) / 2)
    assert told["balanced_accuracy"] < recalls["all"]


def test_copies_of_a_file_on_both_sides_do_not_help():
    originals = rows(120)
    table = pd.concat([originals] * 5, ignore_index=True)
    groups = np.tile(alone(originals), 5)
    grouped = metadata_shortcut(table, None, groups)["metadata_shortcut_accuracy"]["all"]
    leaking = metadata_shortcut(table, None, alone(table))["metadata_shortcut_accuracy"]["all"]
    assert leaking > 0.9
    assert grouped < 0.5


def test_the_jpeg_quality_counts_where_the_inventory_has_it():
    table = rows(300)
    quality = pd.array(np.where(table["label"] == "glioma", 75, 92), dtype="Int64")
    quality[::7] = pd.NA
    told = metadata_shortcut(table.assign(jpeg_quality=quality), None, alone(table))["metadata_shortcut"]
    assert next(iter(told["features"])) == "jpeg_quality"


def test_the_head_s_box_counts_and_its_part_is_told():
    table = rows(150)
    images = np.zeros((150, 64, 64), np.uint8)
    for image, label in zip(images, table["label"], strict=True):
        border = {"glioma": 2, "meningioma": 8, "no_tumor": 14}[label]
        image[border:-border, border:-border] = 200
    found = metadata_shortcut(table, head_boxes(images), alone(table))
    assert found["metadata_shortcut_accuracy"]["all"] > 0.95
    assert found["metadata_shortcut"]["without_box"] < 0.6


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (rows(0), "fewer than two classes"),
        (rows(6), "fewer than two classes"),
        (rows(60).assign(label=None), "fewer than two classes"),
        (rows(60).assign(label="glioma"), "fewer than two classes"),
        (rows(60).drop(columns="label"), "fewer than two classes"),
        (rows(60)[["label"]].assign(width=224, height=224), "alike"),
        (rows(60)[["label"]], "alike"),
    ],
    ids=["no image", "few images", "no label", "one class", "no column", "one size", "no metadata"],
)
def test_what_cannot_be_measured_has_a_reason_and_no_number(table, reason):
    found = metadata_shortcut(table, None, alone(table))
    assert found["metadata_shortcut_accuracy"] is None
    assert reason in found["metadata_shortcut"]["reason"]


def test_a_class_of_few_groups_is_left_out_and_named():
    table = rows(90)
    groups = np.where(table["label"] == "no_tumor", "one patient", alone(table))
    found = metadata_shortcut(table, None, groups)
    assert set(found["metadata_shortcut_accuracy"]) == {"all", "glioma", "meningioma"}
    assert found["metadata_shortcut"]["left_out"] == ["no_tumor"]
    assert found["metadata_shortcut"]["images"] == 60


def test_the_same_files_give_the_same_numbers():
    table = rows(120)
    assert metadata_shortcut(table, None, alone(table)) == metadata_shortcut(table, None, alone(table))


@given(st.lists(st.tuples(st.integers(0, 7), st.booleans()), min_size=1, max_size=60))
@settings(deadline=None)
def test_the_interval_holds_the_share_and_is_never_empty(answers):
    group = np.unique([number for number, _ in answers], return_inverse=True)[1]
    correct = np.array([is_right for _, is_right in answers])
    low, high = grouped_interval(correct, group)
    assert 0 <= low <= correct.mean() + 1e-9
    assert correct.mean() - 1e-9 <= high <= 1
    assert high - low > 0.01


def test_copies_make_the_interval_no_narrower():
    correct, group = np.tile([True, False, True], 20), np.arange(60)
    low, high = grouped_interval(correct, group)
    copied_low, copied_high = grouped_interval(np.repeat(correct, 10), np.repeat(group, 10))
    assert copied_high - copied_low == pytest.approx(high - low, rel=0.05)


def test_the_audit_tells_it(tmp_path):
    table = rows(60).assign(source_split=None, patient_id=None, status="ok")
    table["image_id"] = [f"{number:02}.jpg" for number in range(60)]
    table["sha256"] = table["pixel_sha256"] = table["image_id"]
    write_parquet(table, tmp_path / "inventory.parquet", config={})
    names = ("inventory.parquet", "duplicates.parquet", "groups.parquet", "audit.json")
    audit(*(tmp_path / name for name in names))
    text = (tmp_path / "audit.json").read_text()
    assert '"metadata_shortcut_accuracy": {' in text
    assert '"without_box"' in text
