"""The warnings at the top of the page."""

import pytest

from brainmri.reporting.page_warnings import seed_notes, warnings_of

LEAK_FREE = {"test": 40, "test_in_train": 0, "test_in_val": 0, "val": 20, "val_in_train": 0, "free": True}
NO_COPIES = {"copied": [], "label_conflicts": 0, "kinds_searched": ["near", "mirrored", "rotated", "affine"]}
NO_COPIES |= {"metadata": None}
DATASET = {"name": "set", "unknown_patients": 0, "files": 100, "usable": 100, "audit": NO_COPIES}
DATASET |= {"test_patients": None}


def split_of(**leakage) -> dict:
    split = {"dataset": "set", "name": "mine", "protocol": "random", "leakage": LEAK_FREE | leakage}
    return split | {"classes_without_test": [], "absent_classes": [], "excluded": []}


def run_of(accuracy: float | None, groups: int = 40) -> dict:
    test = {"accuracy": {"value": accuracy}, "macro_f1": {"value": accuracy}}
    return {"dataset": "set", "split": "mine", "model": "net", "seed": 0, "groups": groups, "test": test}


def test_an_honest_study_has_no_warning():
    assert warnings_of([DATASET], [split_of()], [run_of(0.91)]) == []


@pytest.mark.parametrize(("accuracy", "is_alarm"), [(0.989, False), (0.99, True), (1.0, True), (None, False)])
def test_numbers_too_good_to_be_true_are_an_alarm(accuracy, is_alarm):
    found = warnings_of([DATASET], [split_of()], [run_of(accuracy)])
    assert [line["level"] for line in found] == ["alarm"] * is_alarm
    assert all("net, seed 0" in line["text"] for line in found)


def test_an_alarm_joins_the_seeds_of_a_model_and_names_few_models():
    runs = [run_of(0.991) | {"model": name, "seed": seed} for name in "abcde" for seed in (0, 1)]
    runs[1]["test"] = {"accuracy": {"value": 0.995}}
    (line,) = warnings_of([DATASET], [split_of()], runs)
    assert line["text"].startswith(
        "a, seeds 0, 1 (99.1 % to 99.5 %), b, seeds 0, 1 (99.1 %), c, seeds 0, 1 (99.1 %) and 2 more: a test"
    )


def test_a_leaking_split_is_told_with_its_count_and_leaves_no_number_to_believe():
    leaking = split_of(test_in_train=10, test_in_train_share="25.0 %", free=False)
    found = warnings_of([DATASET], [leaking], [run_of(0.91)])
    assert [line["level"] for line in found] == ["alarm", "warning"]
    assert "10 of 40 test images (25.0 %)" in found[1]["text"]


def test_a_class_that_is_left_without_a_test_image_is_told():
    found = warnings_of([DATASET], [split_of() | {"classes_without_test": ["no_tumor"]}], [run_of(0.91)])
    assert [line["level"] for line in found] == ["warning"]
    assert "No image of no tumor is left to test on" in found[0]["text"]


@pytest.mark.parametrize(("unlabelled", "level"), [(60, "warning"), (0, "note")])
def test_a_class_that_the_data_set_lacks_is_told_with_the_images_that_nobody_mapped(unlabelled, level):
    excluded = [{"reason": "no label", "count": unlabelled}]
    split = split_of() | {"absent_classes": ["no_tumor"], "excluded": excluded}
    (line,) = warnings_of([DATASET], [split], [run_of(0.91)])
    assert line["level"] == level and "No image of no tumor: no model" in line["text"]
    assert ("60 images have no label" in line["text"]) == bool(unlabelled)


def test_patients_on_both_sides_of_the_sources_parts_are_a_warning():
    across = {"all": {"count": 9, "of": 9, "unknown": 0}}
    (line,) = warnings_of([DATASET | {"test_patients": across}], [split_of()], [run_of(0.91)])
    assert line["level"] == "warning" and "9 of 9 images have their patient in its training" in line["text"]


@pytest.mark.parametrize(
    ("unknown", "told"),
    [(100, "Patients are not known: their groups"), (18, "The patient of 18 of 100 images is not")],
)
def test_unknown_patients_are_told_though_no_leak_was_found(unknown, told):
    (line,) = warnings_of([DATASET | {"unknown_patients": unknown}], [split_of()], [run_of(0.91)])
    assert line["level"] == "warning" and line["text"].startswith(told)


def test_an_audit_of_exact_copies_only_says_what_it_did_not_look_for():
    audit = NO_COPIES | {"kinds_searched": ["bytes", "pixels"]}
    found = warnings_of([DATASET | {"audit": audit}], [split_of()], [run_of(0.91)])
    assert "near, mirrored, rotated, affine copies" in found[0]["text"]


def test_rejected_files_and_few_groups_are_noted():
    found = warnings_of([DATASET | {"usable": 98}], [split_of()], [run_of(0.91, groups=5)])
    assert [line["level"] for line in found] == ["note", "note"]
    assert "only 5 groups" in found[0]["text"]
    assert "2 of 100 files" in found[1]["text"]


def test_a_class_of_few_groups_is_noted_though_the_test_part_has_many():
    run = run_of(0.91, groups=90)
    run["test"]["per_class"] = {
        "glioma": {"n_groups": 19},
        "no_tumor": {"n_groups": 20},
        "absent": {"n_groups": 0},
    }
    (line,) = warnings_of([DATASET], [split_of()], [run])
    assert line["level"] == "note" and "fewer than 20 groups: glioma (19)." in line["text"]


@pytest.mark.parametrize(("seeds", "is_note"), [([0], True), ([0, 1], False)])
def test_one_training_a_model_tells_nothing_of_another_seed(seeds, is_note):
    assert [line["level"] for line in seed_notes(seeds)] == ["note"] * is_note


def test_copies_are_told_once_and_by_the_widest_count():
    lines = [
        {"what": name, "class": "all", "count": count, "of": 40, "share": "25.0 %"}
        for name, count in (("without mirrors", 7), ("all copies", 10))
    ]
    found = warnings_of([DATASET | {"audit": NO_COPIES | {"copied": lines}}], [split_of()], [run_of(0.91)])
    assert [line["text"] for line in found] == [
        "In the source's own test part, 10 of 40 images (25.0 %) are copies of training images."
    ]


@pytest.mark.parametrize(("accuracy", "is_warning"), [(0.35, False), (0.6, True)])
def test_metadata_that_gives_the_class_away_is_a_warning(accuracy, is_warning):
    metadata = {"value": accuracy, "low": None, "high": None, "majority_share": 0.3, "with_box": False}
    found = warnings_of(
        [DATASET | {"audit": NO_COPIES | {"metadata": metadata}}], [split_of()], [run_of(0.91)]
    )
    assert [line["level"] for line in found] == ["warning"] * is_warning
    assert all("60.0 % (majority class 30.0 %)" in line["text"] for line in found)
