"""Temperature, calibration error, referral: against references and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import log_softmax

from brainmri.errors import BrainmriError
from brainmri.evaluation.calibration import (
    HIGHEST_TEMPERATURE,
    area_under_risk_coverage,
    calibration_error,
    fit_referral,
    fit_temperature,
    reliability,
)
from brainmri.evaluation.probabilities import softmax


def drawn_from(logits, seed=0):
    """Draw labels from the probabilities that the logits give: perfectly calibrated logits."""
    generator = np.random.default_rng(seed)
    return (softmax(logits).cumsum(axis=1) > generator.random((len(logits), 1))).argmax(axis=1)


@pytest.mark.parametrize("scale", [0.4, 1.0, 3.0])
def test_temperature_finds_the_scale_as_a_direct_minimiser_does(scale):
    calibrated = np.random.default_rng(1).normal(size=(4000, 4)) * 2
    truth, logits = drawn_from(calibrated), calibrated * scale

    def loss(temperature):
        return -log_softmax(logits / temperature, axis=1)[np.arange(len(truth)), truth].mean()

    found = fit_temperature(logits, truth)
    reference = minimize(loss, x0=[1.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-14})
    assert found.note is None
    assert found.value == pytest.approx(reference.x[0], rel=1e-4)
    assert found.value == pytest.approx(scale, rel=0.1)


def test_overconfident_logits_are_cooled():
    calibrated = np.random.default_rng(2).normal(size=(500, 4))
    logits, truth = calibrated * 5, drawn_from(calibrated)
    temperature = fit_temperature(logits, truth).value
    right = logits.argmax(axis=1) == truth
    before = calibration_error(reliability(softmax(logits).max(axis=1), right))
    after = calibration_error(reliability(softmax(logits / temperature).max(axis=1), right))
    assert temperature > 1
    assert after < before / 2


def test_perfectly_separated_images_do_not_make_the_model_surer():
    truth = np.array([0, 1, 2, 0])
    found = fit_temperature(3.0 * np.eye(3)[truth], truth)
    assert found.value == 1 and "every validation image is right" in found.note


def test_logits_that_know_less_than_nothing_end_at_the_bound():
    truth = np.array([0, 1, 2, 0])
    found = fit_temperature(-3.0 * np.eye(3)[truth], truth)
    assert found.value == HIGHEST_TEMPERATURE and "bound" in found.note


def test_without_validation_images_the_temperature_is_one():
    found = fit_temperature(np.empty((0, 3)), np.empty(0, dtype=int))
    assert found.value == 1 and found.note == "no validation images"


def test_calibration_error_by_hand():
    confidence = np.array([0.6, 0.6, 0.8, 0.9])
    right = np.array([True, False, True, True])
    table = reliability(confidence, right, bins=2)
    assert table["n_images"] == [2, 2]
    assert table["confidence"] == pytest.approx([0.6, 0.85])
    assert table["accuracy"] == [0.5, 1.0]
    assert calibration_error(table) == pytest.approx((0.1 + 0.15) / 2)


def test_calibration_error_of_a_sure_and_right_predictor_is_zero():
    assert calibration_error(reliability(np.ones(40), np.ones(40, dtype=bool))) == 0


def test_equal_confidences_share_a_bin_so_order_does_not_matter():
    right = np.arange(40) < 20
    for order in (right, right[::-1]):
        assert calibration_error(reliability(np.full(40, 0.5), order)) == 0


@given(st.lists(st.tuples(st.sampled_from([0.3, 0.5, 0.7, 0.9]), st.booleans()), min_size=1, max_size=60))
def test_bins_hold_every_image_once(rows):
    confidence, right = map(np.array, zip(*rows, strict=True))
    table = reliability(confidence, right)
    assert sum(table["n_images"]) == len(rows)
    assert np.dot(table["accuracy"], table["n_images"]) == pytest.approx(right.sum())
    assert 0 <= calibration_error(table) <= 1


def test_bins_have_equal_mass():
    confidence = np.random.default_rng(0).permutation(np.linspace(0.3, 1, 150))
    assert reliability(confidence, confidence > 0.5)["n_images"] == [10] * 15


@given(
    st.lists(st.tuples(st.sampled_from([0.3, 0.5, 0.7, 0.9]), st.booleans()), min_size=1, max_size=40),
    st.sampled_from([0.0, 0.05, 0.3]),
)
def test_referral_is_the_lowest_threshold_that_keeps_the_wish(rows, wished):
    confidence, right = map(np.array, zip(*rows, strict=True))
    found = fit_referral(confidence, right, wished)
    errors = {level: (~right[confidence >= level]).mean() for level in set(confidence)}
    allowed = [level for level, error in errors.items() if error <= wished]
    assert found.confidence == (min(allowed) if allowed else None)
    if allowed:
        assert found.error == pytest.approx(errors[found.confidence])
        assert found.coverage == pytest.approx((confidence >= found.confidence).mean())
    else:
        assert found.coverage == 0 and found.error is None


def test_a_wish_that_is_no_share_is_refused():
    with pytest.raises(BrainmriError, match="wished_error is 1"):
        fit_referral(np.ones(2), np.ones(2, dtype=bool), 1)


def test_area_under_risk_coverage_by_hand():
    confidence = np.array([0.9, 0.8, 0.7, 0.6])
    right = np.array([True, True, False, True])
    assert area_under_risk_coverage(confidence, right) == pytest.approx((0 + 0 + 1 / 3 + 1 / 4) / 4)
    assert area_under_risk_coverage(np.full(4, 0.5), right) == pytest.approx(0.25)
