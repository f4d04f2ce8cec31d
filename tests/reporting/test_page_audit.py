"""What the page says of copies and leaks."""

import pandas as pd
import pytest

from brainmri.reporting.embedding import Artefacts
from brainmri.reporting.page_audit import (
    audit_context,
    copies_context,
    known_images,
    sentences,
)
from brainmri.reporting.page_patients import across_words, leak_words, no_leak_words, patients_across
from brainmri.reporting.page_shortcuts import shortcut_context


def counts(known: int, of: int = 394) -> dict:
    """Return a count of test images as the audit writes it."""
    return {"count": known, "of": of, "share": known / of}


AUDIT = {
    "images": 3264,
    "test_images_with_train_copy": {
        "without_mirrors": {"all": counts(251), "glioma": counts(20, 100)},
        "with_mirrors": {"all": counts(259), "glioma": counts(25, 100)},
    },
    "label_conflicts": {"images": 10},
    "metadata_shortcut_accuracy": {"all": 0.684, "no_tumor": 0.9},
    "metadata_shortcut": {
        "low": 0.666,
        "high": 0.702,
        "majority_share": 0.287,
        "without_box": 0.594,
        "without_box_low": 0.575,
        "without_box_high": 0.613,
        "features": {"bytes_per_pixel": 0.467, "bytes": 0.456, "height": 0.417, "box_top": 0.416},
        "images": 3264,
        "groups": 2834,
        "folds": 5,
        "left_out": [],
    },
}


def test_an_audit_that_lacks_a_key_is_not_taken_for_a_clean_one():
    found = audit_context({})
    assert found["label_conflicts"] is None
    assert found["pairs"] == found["copied"] == found["facts"] == []


def test_a_sheet_without_a_picture_says_nothing_of_what_it_shows(study):
    context = copies_context(study, "phantom", Artefacts(study.folder / "report"))
    captions = {sheet["caption"].split(":")[0].split(".")[0]: sheet["caption"] for sheet in context["sheets"]}
    assert context["conflicts"] == []
    assert captions["Copies that carry two labels"] == "Copies that carry two labels: none found."
    assert "can be known from training" in captions["Copies across training and test"]


def test_patients_that_nobody_named_are_not_told_as_none():
    facts = audit_context({"images": 9, "patients": 0})["facts"]
    assert facts == [("images", 9), ("patients", "not known")]


def test_copies_are_told_within_and_across_parts():
    pairs = audit_context({"pairs": {"bytes": {"within": 3, "across": 7}}})["pairs"]
    assert pairs == [{"kind": "bytes", "title": "the same file", "within": 3, "across": 7}]


def test_test_images_with_a_copy_are_told_in_all_and_by_class():
    entry = {"count": 251, "of": 394, "share": 251 / 394}
    found = audit_context(
        {"test_images_with_train_copy": {"without_mirrors": {"all": entry, "glioma": entry}}}
    )
    assert [line["class"] for line in found["copied"]] == ["all", "glioma"]
    assert found["copied"][0]["share"] == "63.7 %"
    assert audit_context({"test_images_with_train_copy": {"without_mirrors": None}})["copied"] == []


def test_copies_are_told_first_by_the_widest_count_and_no_image_is_called_new():
    told = sentences(AUDIT, None)
    assert told[0] == (
        "Of 394 published test images, 259 have a copy in training. 135 have no copy found in training; "
        "whether their patients are new is not known."
    )
    assert "10 images have a copy under another label" in told[1]


def test_neighbours_are_told_beside_copies_and_not_counted_as_such():
    audit = AUDIT | {"test_images_with_train_neighbour": {"all": counts(30), "glioma": counts(3, 100)}}
    assert "135 have no copy found" in sentences(audit, None)[0]
    assert "For 30 test images" in sentences(audit, None)[1]
    table = known_images(audit, None)
    assert table["with_neighbours"]
    assert [row["neighbours"] for row in table["rows"]] == [30, 3]


def test_where_patients_are_known_they_lead():
    inventory = pd.DataFrame(
        {
            "source_split": ["train", "train", "test", "test", "test"],
            "patient_id": ["p1", "p2", "p1", "p2", "p2"],
            "label": ["glioma", "pituitary", "glioma", "glioma", "pituitary"],
            "status": "ok",
        }
    )
    patients = patients_across(inventory)
    assert patients["all"] == {"count": 3, "of": 3, "unknown": 0}
    assert patients["glioma"]["count"] == 2
    assert sentences(AUDIT, patients)[0].startswith(
        "All 3 published test images have their patient in training;"
    )
    assert known_images(AUDIT, patients)["rows"][1]["patients"] == 2
    # Without patients, or without a test part, there is nothing to count.
    assert patients_across(inventory.assign(patient_id=None)) is None
    assert patients_across(inventory.assign(source_split=None)) is None
    # What is rejected is trained on by nobody.
    assert patients_across(inventory.assign(status=["corrupt", "ok", "ok", "ok", "ok"]))["all"]["count"] == 2


@pytest.mark.parametrize(
    ("count", "unknown", "copies", "told"),
    [
        (9, 0, 2, "All 9 published test images have their patient in training; 2 are copies besides."),
        (4, 0, 1, "4 of 9 published test images have their patient in training; 1 has a copy there."),
        (
            1,
            3,
            0,
            "1 of 9 published test images has its patient in training (the patient of 3 is not known); ",
        ),
        (
            0,
            0,
            0,
            "None of 9 published test images has a known patient in training; none was found to have a",
        ),
    ],
)
def test_patients_and_copies_are_told_apart(count, unknown, copies, told):
    assert across_words({"count": count, "of": 9, "unknown": unknown}, copies).startswith(told)


def test_no_leak_is_claimed_for_patients_only_where_they_are_known():
    assert no_leak_words(pd.Series(["p1", "p2"])) == (
        "no test image has its patient or a copy in training or validation"
    )
    for patients in ([None, None], ["p1", None]):
        told = no_leak_words(pd.Series(patients))
        assert "its patient" not in told and "slices of one may be on both sides" in told


@pytest.mark.parametrize(
    ("train", "val", "told"),
    [
        (
            5,
            2,
            "5 of 9 test images (55.6 %) have their patient or a copy in training, 2 in validation: the numb",
        ),
        (0, 2, "2 of 9 test images have their patient or a copy in validation, which chose the epoch"),
        (0, 0, "of some images the group is not known"),
    ],
)
def test_a_leak_is_told_by_what_knows_the_test_images(train, val, told):
    leakage = {"test": 9, "test_in_train": train, "test_in_val": val, "test_in_train_share": "55.6 %"}
    assert leak_words(leakage).startswith(told)


def test_a_set_without_leaks_and_one_without_test_part_are_told_apart():
    clean = {"images": 9, "test_images_with_train_copy": {"without_mirrors": {"all": counts(0, 9)}}}
    assert sentences(clean, None) == [
        "None of the 9 published test images was found to have a copy in training; whether their patients "
        "are new is not known."
    ]
    undivided = {"images": 9, "test_images_with_train_copy": {"without_mirrors": None}}
    assert sentences(undivided, None) == [
        "The source has no test part of its own that copies could leak into."
    ]
    assert known_images(undivided, None) is None
    assert sentences({}, None) == []


def test_each_class_has_its_images_without_a_copy():
    table = known_images(AUDIT, None)
    assert not table["with_patients"]
    assert table["columns"] == ["same or re-toned", "+ mirrored"]
    glioma = table["rows"][1]
    assert (glioma["of"], glioma["counts"], glioma["no_copy"], glioma["share"]) == (
        100,
        [20, 25],
        75,
        "75.0 %",
    )


def test_the_shortcut_stands_beside_the_majority_class_and_its_interval():
    told = shortcut_context(AUDIT)
    beside = "(95 % interval 57.5–61.3 %; majority class 28.7 %)"
    assert told["text"] == f"File metadata alone predict the class with 59.4 % {beside}."
    assert told["more"].startswith(
        "With the head's box, found in the picture, it is 68.4 % (95 % interval 66.6–"
    )
    assert "number of channels and file size are hidden from them" in told["more"]
    assert "bytes per pixel (46.7 %), bytes (45.6 %), height (41.7 %)." in told["more"]
    assert "box top" not in told["more"]
    assert told["recall"] == [("no tumor", "90.0 %")]


def test_what_the_picture_tells_is_never_called_metadata_alone():
    details = AUDIT["metadata_shortcut"]
    older = AUDIT | {"metadata_shortcut": {key: details[key] for key in ("low", "high", "features")}}
    told = shortcut_context(older)
    assert told["text"].startswith("File metadata and the head's box predict the class with 68.4 % (95 %")
    # Where no box was looked for, there is nothing to add.
    blind = details | {"features": {"bytes": 0.456}}
    assert "With the head's box" not in shortcut_context(AUDIT | {"metadata_shortcut": blind})["more"]


def test_a_shortcut_that_was_not_measured_says_why():
    audit = {"metadata_shortcut_accuracy": None, "metadata_shortcut": {"reason": "all files are alike"}}
    assert "could not be measured: all files are alike" in shortcut_context(audit)["text"]
    assert shortcut_context({}) is None
