"""Curves: the same points as scikit-learn's, bands that hold them, and net benefit by hand."""

import tracemalloc
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from brainmri.evaluation.calibration import area_under_risk_coverage, reliability
from brainmri.evaluation.curve_points import (
    COVERAGES,
    RISKS,
    SHARES,
    benefit_points,
    precision_points,
    ranking_of,
    reaching,
    risk_points,
    roc_points,
)
from brainmri.evaluation.curves import curves_table, share_limits
from brainmri.evaluation.predictions import Predictions
from brainmri.evaluation.probabilities import softmax
from brainmri.intervals import wilson_interval

NAMES = ["glioma", "meningioma", "no_tumor"]
scored = st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=4, max_size=60).filter(
    lambda rows: len({flag for _, flag in rows}) == 2
)


def read(rows):
    scores, flag = map(np.array, zip(*rows, strict=True))
    return scores / 10, flag, ranking_of(scores / 10, flag, np.arange(len(rows)) // 2)


def whole(ranking):
    return np.ones((1, len(ranking.flagged)))


def part_of(images=240, seed=0, sharpness=1.5, slices=3):
    generator = np.random.default_rng(seed)
    truth = np.repeat(np.arange(images // slices) % 3, slices)
    logits = generator.normal(size=(images, 3)) + sharpness * np.eye(3)[truth]
    groups = np.array([f"g{index:04d}" for index in np.arange(images) // slices])
    return Predictions(truth, logits.argmax(axis=1), logits, groups, np.arange(images).astype(str))


def taken(part, rows):
    """Return some images of a part, some perhaps more than once."""
    return Predictions(*(getattr(part, field.name)[rows] for field in fields(Predictions)))


@given(scored)
def test_the_roc_curve_is_scikit_learns(rows):
    scores, flag, ranking = read(rows)
    false, true, _ = reference.roc_curve(flag, scores, drop_intermediate=False)
    np.testing.assert_allclose(
        roc_points(ranking, whole(ranking))[0], np.interp(SHARES, false, true), atol=1e-12
    )


@given(scored)
def test_precision_is_scikit_learns_wherever_a_threshold_lies(rows):
    scores, flag, ranking = read(rows)
    precision, recall, _ = reference.precision_recall_curve(flag, scores)
    found = precision_points(ranking, whole(ranking))[0]
    for place, share in enumerate(COVERAGES):
        here = np.isclose(recall, share)
        if here.any():
            # The highest threshold that finds as many; lower ones only add false ones.
            assert found[place] == pytest.approx(precision[here].max(), abs=1e-6)


@given(scored)
def test_risk_is_the_share_of_errors_among_those_kept(rows):
    confidence, wrong, ranking = read(rows)
    risks = risk_points(ranking, whole(ranking))[0]
    assert risks[-1] == pytest.approx(wrong.mean())
    for level in set(confidence):
        kept = confidence >= level
        place = np.flatnonzero(np.isclose(COVERAGES, kept.mean()))
        if place.size:
            assert risks[place[0]] == pytest.approx(wrong[kept].mean(), abs=1e-9)


def test_the_mean_risk_is_the_area_of_the_metrics():
    generator = np.random.default_rng(0)
    confidence = generator.random(5000)
    right = generator.random(5000) < confidence
    ranking = ranking_of(confidence, ~right, np.zeros(5000, int), most=200)
    area = risk_points(ranking, np.ones((1, 1))).mean()
    assert area == pytest.approx(area_under_risk_coverage(confidence, right), rel=0.01)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40))
def test_net_benefit_by_definition(rows):
    scores, ill = map(np.array, zip(*rows, strict=True))
    found = benefit_points(
        reaching(scores, ill, np.arange(len(rows)) // 3), np.ones((1, -(-len(rows) // 3)))
    )[0]
    for risk, benefit in zip(RISKS, found, strict=True):
        treated = scores >= risk
        expected = (treated & ill).mean() - (treated & ~ill).mean() * risk / (1 - risk)
        assert benefit == pytest.approx(expected)


@settings(deadline=None)
@given(st.integers(0, 20))
def test_weights_of_groups_count_as_copies_of_their_images(seed):
    generator = np.random.default_rng(seed)
    scores, flag = generator.random(12), np.arange(12) % 3 == 0
    group, times = np.arange(12) // 2, generator.integers(1, 4, size=6)
    many = np.repeat(np.arange(12), times[group])
    for points in (roc_points, precision_points, risk_points):
        weighted = points(ranking_of(scores, flag, group), times[None].astype(float))
        copied = points(ranking_of(scores[many], flag[many], np.zeros(len(many), int)), np.ones((1, 1)))
        np.testing.assert_allclose(weighted, copied, atol=1e-6)


@given(scored)
def test_points_of_all_thresholds_are_the_same_where_the_groups_are_put_together(rows):
    scores, flag, ranking = read(rows)
    together = ranking_of(scores, flag, np.zeros(len(rows), int))
    for points in (roc_points, precision_points, risk_points):
        np.testing.assert_array_equal(points(together, np.ones((1, 1))), points(ranking, whole(ranking)))


def test_memory_does_not_grow_with_the_square_of_the_images():
    part = part_of(images=3000, slices=1)
    tracemalloc.start()
    curves_table(part, NAMES, 1.0, resamples=100, seed=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # One table of 3000 groups x 3000 thresholds would be 72 MB.
    assert peak < 50e6


def test_limits_of_many_shares_are_those_of_single_ones():
    value, spread = np.array([0.0, 0.4, 1.0]), np.tile([0.0, 0.4, 1.0], (50, 1))
    low, high = share_limits(value, spread, np.array([7, 9, 11]), 100, freedom=20)
    for place, groups in enumerate((7, 9, 11)):
        assert (low[place], high[place]) == pytest.approx(wilson_interval(value[place], groups))


def test_every_curve_is_there_and_within_its_band():
    table = curves_table(part_of(), NAMES, 1.3, resamples=200, seed=0)
    kinds = table.groupby("curve")["label"].nunique().to_dict()
    assert kinds == {
        **dict.fromkeys(("roc", "precision_recall"), 3),
        **dict.fromkeys(("risk_coverage", "decision", "decision_all"), 0),
        **dict.fromkeys(("reliability_before", "reliability_after"), 0),
    }
    known = table.dropna(subset=["low", "high"])
    assert len(known) > 0.8 * len(table)
    assert (known["low"] <= known["y"] + 1e-12).all() and (known["y"] <= known["high"] + 1e-12).all()
    assert table.loc[table["curve"] == "reliability_after", "n_images"].sum() == 240


def test_each_curve_is_of_its_own_class_and_temperature():
    part = part_of()
    table = curves_table(part, NAMES, 1.3, resamples=100, seed=0)
    probabilities, right = softmax(part.logits / 1.3), part.predicted == part.truth
    for index, name in enumerate(NAMES):
        false, true, _ = reference.roc_curve(
            part.truth == index, probabilities[:, index], drop_intermediate=False
        )
        rows = table[(table["curve"] == "roc") & (table["label"] == name)]
        np.testing.assert_allclose(rows["y"], np.interp(SHARES, false, true), atol=1e-12)
    for curve, divisor in (("reliability_before", 1.0), ("reliability_after", 1.3)):
        expected = reliability(softmax(part.logits / divisor).max(axis=1), right)
        rows = table[table["curve"] == curve]
        np.testing.assert_allclose(rows[["x", "y"]].T, [expected["confidence"], expected["accuracy"]])


def test_the_decision_is_to_treat_by_the_risk_of_not_being_healthy():
    part = part_of()
    table = curves_table(part, NAMES, 1.3, resamples=100, seed=0)
    ill, risk = part.truth != NAMES.index("no_tumor"), 1 - softmax(part.logits / 1.3)[:, 2]
    for curve, score in (("decision", risk), ("decision_all", np.ones(len(ill)))):
        treated = score >= RISKS[:, None]
        false = (treated & ~ill).mean(axis=1) * RISKS / (1 - RISKS)
        found = table.loc[table["curve"] == curve, "y"]
        np.testing.assert_allclose(found, (treated & ill).mean(axis=1) - false, atol=1e-12)


def test_bands_of_a_perfect_model_claim_no_certainty():
    truth = np.repeat(np.arange(30) % 3, 2)
    groups, names = np.repeat(np.arange(30), 2).astype(str), np.arange(60).astype(str)
    perfect = Predictions(truth, truth, 9 * np.eye(3)[truth], groups, names)
    table = curves_table(perfect, NAMES, 1.0, resamples=100, seed=0)
    risk = table[table["curve"] == "risk_coverage"]
    assert (risk["y"] == 0).all() and risk["high"].iloc[-1] == pytest.approx(wilson_interval(0, 30)[1])
    assert table.loc[table["curve"] == "decision", "low"].isna().any()


def test_copies_in_groups_widen_the_bands():
    many = taken(part_of(slices=1), np.repeat(np.arange(240), 4))
    apart = replace(many, group_id=np.arange(960).astype(str))

    def width(part):
        rows = curves_table(part, NAMES, 1.0, resamples=200, seed=0)
        rows = rows[(rows["curve"] == "risk_coverage") & (rows["x"] > 0.5)]
        return (rows["high"] - rows["low"]).mean()

    assert width(many) > 1.7 * width(apart)


def test_without_a_healthy_class_there_is_no_decision_curve_and_an_absent_class_has_none():
    part = part_of()
    table = curves_table(taken(part, part.truth != 1), ["a", "b", "c"], 1.0, resamples=100, seed=0)
    assert not table["curve"].str.startswith("decision").any()
    assert set(table["label"].dropna()) == {"a", "c"}
