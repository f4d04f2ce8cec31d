"""Numbers as the page prints them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainmri.reporting.numbers import (
    flattened,
    in_points,
    mean_over_seeds,
    measured,
    points,
    seed_spread,
    span,
)

SHARE = st.floats(0, 1)


@given(value=SHARE, low=SHARE, high=SHARE)
def test_a_share_is_printed_with_its_interval(value, low, high):
    shown = measured("accuracy", {"value": value, "low": min(low, high), "high": max(low, high)})
    assert shown["text"] == f"{100 * value:.1f} %"
    assert shown["range"] == f"{100 * min(low, high):.1f}–{100 * max(low, high):.1f}"
    assert shown["bar"]["low"] <= shown["bar"]["high"]


@pytest.mark.parametrize(
    "entry", [None, {}, {"value": None, "low": None, "high": None}, {"value": float("nan")}]
)
def test_an_unknown_value_is_a_dash_and_never_a_zero(entry):
    shown = measured("macro_f1", entry)
    assert shown["text"] == "–"
    assert shown["range"] == ""
    assert shown["bar"] is None
    assert shown["number"] is None


def test_a_negative_correlation_has_no_bar_on_a_scale_from_0():
    shown = measured("mcc", {"value": -0.1, "low": -0.3, "high": 0.2})
    assert shown["text"] == "-0.100"
    assert shown["bar"] is None


def test_seeds_are_averaged_and_their_spread_is_no_part_of_the_interval():
    entries = [{"value": 0.8, "low": 0.7, "high": 0.9}, {"value": 0.9, "low": 0.75, "high": 0.95}]
    together = mean_over_seeds([*entries, {"value": None}])
    assert together == pytest.approx({"value": 0.85, "low": 0.725, "high": 0.925})
    assert seed_spread("accuracy", entries) == "2 seeds: 80.0–90.0, SD 7.1"
    assert seed_spread("mcc", entries) == "2 seeds: 0.800–0.900, SD 0.071"
    assert seed_spread("accuracy", entries[:1]) == ""


def test_no_seed_gives_no_value():
    assert mean_over_seeds([])["value"] is None


def test_differences_keep_their_sign():
    assert points(0.031) == "+3.1 points"
    assert points(-0.031) == "−3.1 points"
    assert points(-0.0002) == "+0.0 points"


@pytest.mark.parametrize(
    ("value", "text"), [(0.0421, "4.2"), (-0.012, "−1.2"), (-0.0001, "0.0"), (0.0, "0.0")]
)
def test_points_have_a_true_minus_and_zero_has_none(value, text):
    assert in_points(value) == text
    assert span(value, value) == f"{text} to {text}"
    assert span(value, float("nan")) == span(None, value) == ""


def test_a_nested_document_becomes_dotted_keys_without_its_empty_entries():
    document = {"source": {"kaggle": "a/b", "version": None}, "files": [{"name": "x"}], "shuffle": False}
    assert flattened(document) == [("source.kaggle", "a/b"), ("files", "1 entries"), ("shuffle", "no")]
