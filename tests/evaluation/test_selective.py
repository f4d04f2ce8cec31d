"""What confidence is worth: errors of calibration, areas, and what a threshold refers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainmri.evaluation.bootstrap import grouping_of
from brainmri.evaluation.calibration import area_under_risk_coverage, calibration_error, reliability
from brainmri.evaluation.predictions import Predictions
from brainmri.evaluation.probabilities import softmax
from brainmri.evaluation.selective import confidence_entries, referral_entries, share_entry
from brainmri.intervals import wilson_interval

NAMES = ["a", "b"]


def part_of(images=200, seed=0, sharpness=1.0, slices=2):
    """Calibrated predictions where sharpness is 1, too sure ones where it is more."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(images, 2)) * 1.5
    truth = (generator.random(images) < softmax(logits)[:, 1]).astype(int)
    logits = logits * sharpness
    groups = np.array([f"g{index // slices}" for index in range(images)])
    return Predictions(truth, logits.argmax(axis=1), logits, groups, np.arange(images).astype(str))


def entries_of(part, resamples=200):
    grouping = grouping_of(part.group_id, part.truth, 2)
    return confidence_entries(part, 1.0, grouping, resamples, seed=0)


def referral_of(part, confidence, resamples=200):
    fitted = {"temperature": 1.0, "referral_confidence": confidence, "referral_wished_error": 0.1}
    grouping = grouping_of(part.group_id, part.truth, 2)
    return referral_entries(part, NAMES, fitted, grouping, resamples, seed=0)


def test_values_are_those_of_the_definitions_and_lie_in_their_intervals():
    part = part_of()
    confidence, right = softmax(part.logits).max(axis=1), part.predicted == part.truth
    found = entries_of(part)
    assert found["ece"]["value"] == calibration_error(reliability(confidence, right))
    assert found["aurc"]["value"] == area_under_risk_coverage(confidence, right)
    for entry in found.values():
        assert 0 <= entry["low"] <= entry["value"] <= entry["high"] <= 1


def test_a_calibrated_model_may_have_no_error_and_an_overconfident_one_has():
    assert entries_of(part_of(400))["ece"]["low"] == 0
    assert entries_of(part_of(400, sharpness=6.0))["ece"]["low"] > 0.05


def test_one_group_has_no_interval():
    alone = replace(part_of(20), group_id=np.full(20, "g"))
    assert entries_of(alone)["ece"]["low"] is None and entries_of(alone)["aurc"]["high"] is None


@given(st.integers(0, 50), st.sampled_from([0.5, 0.7, 0.9, None]))
def test_every_image_is_kept_or_referred_and_every_error_counted_once(seed, threshold):
    part = part_of(60, seed)
    found = referral_of(part, threshold, resamples=100)
    counts = found["per_class"].values()
    wrong = int((part.predicted != part.truth).sum())
    assert sum(count["n_images"] for count in counts) == 60
    assert sum(count["n_errors_referred"] + count["n_errors_kept"] for count in counts) == wrong
    referred = sum(count["n_referred"] for count in counts)
    assert found["coverage"] == pytest.approx(1 - referred / 60)
    assert found["kept"]["value"] == pytest.approx(found["coverage"])
    kept_right = 60 - referred - sum(count["n_errors_kept"] for count in counts)
    if referred < 60:
        assert found["accuracy_kept"]["value"] == pytest.approx(kept_right / (60 - referred))
    else:
        assert found["accuracy_kept"]["value"] is None


def test_a_share_of_single_images_has_wilsons_interval_and_slices_count_less():
    part = part_of(200, slices=1)
    wrong, everyone = part.predicted != part.truth, np.ones(200, bool)
    grouping = grouping_of(part.group_id, part.truth, 2)
    entry = share_entry(wrong, everyone, grouping, 200, 0)
    assert (entry["low"], entry["high"]) == pytest.approx(wilson_interval(wrong.mean(), 200))
    many = grouping_of(np.repeat(part.group_id, 5), np.repeat(part.truth, 5), 2)
    clustered = share_entry(np.repeat(wrong, 5), np.repeat(everyone, 5), many, 400, 0)
    apart = wilson_interval(wrong.mean(), 1000)
    assert clustered["high"] - clustered["low"] > 1.8 * (apart[1] - apart[0])


def test_errors_made_surely_are_counted_among_the_errors():
    logits = np.array([[5.0, 0], [5.0, 0], [0.2, 0], [5.0, 0]])
    names = np.array(list("abcd"))
    part = Predictions(np.array([0, 1, 1, 0]), np.zeros(4, int), logits, names, names)
    found = referral_of(part, 0.6)
    assert found["sure_errors"]["value"] == found["sure_errors_share"] == 0.5
    assert found["errors_referred"]["value"] == 0.5
    assert found["per_class"]["b"] == {
        "n_images": 2, "n_referred": 1, "n_errors_referred": 1, "n_errors_kept": 1,
    }  # fmt: skip
