"""Published figures beside ours: the same protocol, the leak-free one, the seeds, the verdict."""

from pathlib import Path

import pytest

from brainmri.reporting.page_claims import claim_rows
from brainmri.reporting.page_comparison import summary_tables
from brainmri.reporting.page_warnings import claim_warnings
from brainmri.study import Study

WHOLE = {"dataset": "set", "classes_without_test": []}
SPLITS = [
    WHOLE | {"name": "as_there", "protocol": "random", "leakage": {"free": False}},
    WHOLE | {"name": "grouped", "protocol": "grouped", "leakage": {"free": True}},
]
CLAIM = {"system": "S", "model": "net", "dataset": "set", "protocol": "random", "metric": "accuracy"}


def run_of(split: dict, value: float, seed: int = 0, width: float = 0.03) -> dict:
    entry = {"value": value, "low": value - width, "high": value + width}
    run = {"dataset": "set", "split": split["name"], "protocol": split["protocol"], "model": "net"}
    run |= {"seed": seed, "images": 40, "groups": 30, "train": {"accuracy": {"value": 0.99}}}
    return run | {"test": {"accuracy": entry, "macro_f1": entry, "mcc": entry}, "val": {}}


def row_of(same: list[float], free: list[float], splits: list[dict] = SPLITS, **claim) -> dict:
    """Return the row of one claim; one value a seed."""
    runs = [
        run_of(split, value, seed)
        for split, values in zip(splits, (same, free), strict=True)
        for seed, value in enumerate(values)
    ]
    tables = summary_tables([{"name": "set"}], splits, runs)
    study = Study("s", {}, {}, {}, [0], [], claims=[CLAIM | claim], results_dir=Path())
    (row,) = claim_rows(study, runs, tables)
    return row


@pytest.mark.parametrize("value", [0.96, 96.0])
def test_a_claim_stands_beside_ours_under_the_same_protocol_and_the_leak_free_one(value):
    row = row_of([0.97], [0.85], value=value, remark="validation was trained on")
    assert (row["claimed"], row["on"]) == ("96.0 %", "its test part")
    assert (row["same"]["text"], row["same"]["range"]) == ("97.0 %", "94.0–100.0")
    assert (row["free"]["text"], row["free"]["range"]) == ("85.0 %", "82.0–88.0")
    assert row["free"]["sizes"] == "40 images, 30 groups"
    assert (row["same"]["difference"], row["free"]["difference"]) == ("+1.0 points", "−11.0 points")
    assert row["remark"] == "validation was trained on"


def test_seeds_are_told_apart_from_the_interval():
    same = row_of([0.80, 0.90], [0.7], value=0.9)["same"]
    assert (same["text"], same["range"]) == ("85.0 %", "82.0–88.0")
    assert same["seeds"] == "2 seeds: 80.0–90.0"
    assert row_of([0.8], [0.7], value=0.9)["same"]["seeds"] == ""


@pytest.mark.parametrize(
    ("same", "free", "verdict", "words"),
    [
        (0.96, 0.97, "reached", None),
        (0.95, 0.94, "within our interval", None),
        (0.97, 0.94, "reached with leaks, within our interval without", None),
        (
            0.97,
            0.85,
            "reached with leaks, not reached without",
            "it is reached (ours is 97.0 %, 94.0–100.0), and",
        ),
        (
            0.94,
            0.85,
            "within our interval with leaks, not reached without",
            "not reached where it is leak-free",
        ),
        (0.90, 0.85, "not reached", "ours is 90.0 %, 87.0–93.0"),
        (0.90, 0.97, "not reached", "the claim is not reached"),
    ],
)
def test_a_claim_is_reached_by_our_value_and_not_by_the_end_of_its_interval(same, free, verdict, words):
    row = row_of([same], [free], value=0.96)
    assert row["verdict"] == verdict
    found = claim_warnings(row)
    assert len(found) == (words is not None)
    assert all(words in line["text"] and line["where"] == "set, net" for line in found)


def test_a_protocol_in_which_no_leak_was_found_is_not_blamed():
    splits = [SPLITS[0] | {"leakage": {"free": True}}, SPLITS[1]]
    assert row_of([0.96], [0.85], splits, value=0.96)["verdict"] == "reached"


def test_a_figure_of_the_training_part_stands_beside_ours_of_the_training_part_and_warns_of_nothing():
    row = row_of([0.6], [0.5], value=0.995, part="train")
    assert (row["on"], row["same"]["text"], row["same"]["range"]) == ("its training part", "99.0 %", "")
    assert row["same"]["sizes"] == ""
    assert row["verdict"] == "not reached"
    assert claim_warnings(row) == []


def test_a_figure_of_a_validation_part_stands_beside_our_test_part():
    row = row_of([0.7], [0.6], value=0.69, part="val")
    assert row["on"] == "its validation part, which stood for a test"
    assert (row["same"]["text"], row["verdict"]) == ("70.0 %", "reached with leaks, not reached without")


def test_a_metric_that_is_no_share_differs_by_a_number_and_not_by_points():
    row = row_of([0.8], [0.7], metric="mcc", value=0.85)
    assert (row["claimed"], row["same"]["difference"]) == ("0.850", "−0.050")


@pytest.mark.parametrize("change", [{"model": "unknown"}, {"dataset": "other"}, {"protocol": None}])
def test_a_claim_that_nothing_stands_beside_stands_alone(change):
    row = row_of([0.9], [0.8], value=0.9, **change)
    assert row["same"]["text"] == "–"
    assert (row["verdict"], row["same"]["difference"], claim_warnings(row)) == ("", "", [])
