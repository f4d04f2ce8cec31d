"""Names as people write them, and which of many things are shown."""

from brainmri.reporting.choice import evenly
from brainmri.reporting.names import class_title, parts_present, shortened


def test_parts_come_in_the_order_in_which_they_are_used():
    assert parts_present(["test", "excluded", "train"]) == ["train", "test", "excluded"]


def test_a_missing_label_has_a_name():
    assert class_title(None) == "unlabelled"
    assert class_title("no_tumor") == "no tumor"


def test_of_many_things_some_are_taken_from_the_first_to_the_last():
    assert evenly(101, 3).tolist() == [0, 50, 100]
    assert evenly(2, 3).tolist() == [0, 1]
    assert evenly(0, 3).tolist() == []


def test_a_long_file_name_keeps_both_ends():
    name = "Testing/" + "x" * 80 + "/image(12).jpg"
    assert shortened(name, 30, 10) == "Testing/xx…xxxxx/image(12).jpg"
    assert shortened(name[:30], 30, 10) == name[:30]
