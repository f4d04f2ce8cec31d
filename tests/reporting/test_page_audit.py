"""What the page says of copies and leaks."""

from brainmri.reporting.page_audit import (
    audit_context,
    new_images,
    sentences,
)
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
        "features": {"bytes_per_pixel": 0.467, "bytes": 0.456, "height": 0.417, "width": 0.416},
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


def test_really_new_images_are_told_first_and_by_the_widest_count():
    told = sentences(AUDIT)
    assert (
        told[0] == "Of 394 published test images, 135 are really new: 259 have a copy in the training part."
    )
    assert "10 images have a copy under another label" in told[1]


def test_neighbours_are_told_beside_copies_and_not_counted_as_such():
    audit = AUDIT | {"test_images_with_train_neighbour": {"all": counts(30), "glioma": counts(3, 100)}}
    assert "135 are really new" in sentences(audit)[0]
    assert "For 30 test images" in sentences(audit)[1]
    table = new_images(audit)
    assert table["with_neighbours"]
    assert [row["neighbours"] for row in table["rows"]] == [30, 3]


def test_a_set_without_leaks_and_one_without_test_part_are_told_apart():
    clean = {"images": 9, "test_images_with_train_copy": {"without_mirrors": {"all": counts(0, 9)}}}
    assert sentences(clean) == [
        "None of the 9 published test images was found to have a copy in the training part."
    ]
    undivided = {"images": 9, "test_images_with_train_copy": {"without_mirrors": None}}
    assert sentences(undivided) == ["The source has no test part of its own that copies could leak into."]
    assert new_images(undivided) is None
    assert sentences({}) == []


def test_each_class_has_its_new_images():
    table = new_images(AUDIT)
    assert table["columns"] == ["same or re-toned", "+ mirrored"]
    glioma = table["rows"][1]
    assert (glioma["of"], glioma["counts"], glioma["new"], glioma["share"]) == (100, [20, 25], 75, "75.0 %")


def test_the_shortcut_stands_beside_the_majority_class_and_its_interval():
    told = shortcut_context(AUDIT)
    beside = "(95 % interval 66.6–70.2 %; majority class 28.7 %)"
    assert told["text"] == f"File metadata alone predicts the class with 68.4 % {beside}."
    assert "bytes per pixel (46.7 %), bytes (45.6 %), height (41.7 %)." in told["more"]
    assert "width" not in told["more"]
    assert told["recall"] == [("no tumor", "90.0 %")]


def test_a_shortcut_that_was_not_measured_says_why():
    audit = {"metadata_shortcut_accuracy": None, "metadata_shortcut": {"reason": "all files are alike"}}
    assert "could not be measured: all files are alike" in shortcut_context(audit)["text"]
    assert shortcut_context({}) is None
