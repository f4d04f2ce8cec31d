"""Intervals of metrics: over groups, wide enough, and never sure of a perfect score."""

import numpy as np
import pytest
from scipy.stats import norm, t

from brainmri.evaluation.bootstrap import grouping_of, resampled_weights
from brainmri.evaluation.metric_intervals import (
    bounded_interval,
    effective_size,
    metric_interval,
    percentile_interval,
    proportion_interval,
)
from brainmri.evaluation.metrics import overall_metrics
from brainmri.intervals import wilson_interval


def all_weights(strata, resamples, seed=0):
    return np.concatenate(list(resampled_weights(strata, resamples, seed)))


def test_images_of_one_group_say_less_than_independent_ones():
    generator = np.random.default_rng(0)
    right_of_group = generator.random(30) < 0.8
    right = np.repeat(right_of_group, 10)  # ten slices a patient, all right or all wrong
    everyone = np.ones(300, dtype=bool)

    def width(group_ids):
        grouping = grouping_of(group_ids, np.zeros(300, dtype=int), 1)
        weights = all_weights(grouping.stratum, resamples=1000)[:, grouping.group]
        low, high = proportion_interval(
            right.mean(), weights @ right / weights.sum(axis=1), everyone, grouping
        )
        return high - low

    assert width(np.repeat(np.arange(30), 10)) > 2.5 * width(np.arange(300))


def test_independent_images_get_the_plain_wilson_interval():
    right = np.arange(40) < 30
    grouping = grouping_of(np.arange(40), np.zeros(40, dtype=int), 1)
    limits = proportion_interval(0.75, np.full(10, 0.75), np.ones(40, dtype=bool), grouping)
    assert limits == wilson_interval(right.mean(), 40)


def test_a_perfect_score_on_few_groups_is_no_certainty():
    grouping = grouping_of(np.repeat(np.arange(6), 20), np.repeat([0, 1], 60), 2)
    truth, always = np.repeat([0, 1], 60), np.ones(100)
    low, high = proportion_interval(1.0, always, np.ones(120, dtype=bool), grouping)
    assert high == 1 and low == pytest.approx(wilson_interval(1.0, 6)[0])
    low, high = bounded_interval(1.0, always, [truth == 0, truth == 1], grouping)
    assert high == 1 and low == pytest.approx(wilson_interval(1.0, 6)[0])
    assert np.isnan(percentile_interval(always, grouping)).all()


def test_one_group_says_as_much_as_one_image():
    assert effective_size(0.5, 0.0, groups=1, freedom=0) == 1


def test_groups_never_say_more_than_as_many_independent_images():
    grouping = grouping_of(np.repeat(np.arange(20), 2), np.zeros(40, dtype=int), 1)
    resampled = np.tile([0.499, 0.501], 50)  # one of the two images right in each group, or nearly
    limits = proportion_interval(0.5, resampled, np.ones(40, dtype=bool), grouping)
    assert limits == pytest.approx(wilson_interval(0.5, 40))


def test_every_stratum_costs_a_degree_of_freedom():
    truth = np.repeat([0, 1], 60)
    grouping = grouping_of(np.repeat(np.arange(6), 20), truth, 2)
    resampled = np.tile([0.4, 0.6], 50)  # varies as 25 independent images do
    size = 25 * (norm.ppf(0.975) / t.ppf(0.975, 6 - 2)) ** 2
    limits = proportion_interval(0.5, resampled, np.ones(120, dtype=bool), grouping)
    assert limits == pytest.approx(wilson_interval(0.5, size))


def test_percentiles_lie_further_out_for_few_groups():
    grouping = grouping_of(np.arange(6), np.repeat([0, 1], 3), 2)
    tail = norm.cdf(t.ppf(0.025, 6 - 2))
    limits = percentile_interval(np.linspace(0, 1, 1001), grouping)
    assert tail < 0.003 and limits == pytest.approx((tail, 1 - tail))


def test_the_rarest_class_decides_how_sure_a_perfect_score_is():
    truth = np.repeat([0, 1], [2, 18])
    grouping = grouping_of(np.arange(20), truth, 2)
    low, _ = bounded_interval(1.0, np.ones(100), [truth == 0, truth == 1], grouping)
    assert low == pytest.approx(wilson_interval(1.0, 2**2 / (1 / 2 + 1 / 18))[0])


def simulated_coverage(groups_a_class, images_a_group, trials=300, resamples=400, classes=3):
    """Share of trials whose interval holds the true accuracy and macro-F1, both 0.9."""
    generator = np.random.default_rng(0)
    truth = np.repeat(np.arange(classes), groups_a_class * images_a_group)
    group_ids = np.repeat(np.arange(classes * groups_a_class), images_a_group)
    grouping = grouping_of(group_ids, truth, classes)
    everyone, kinds = np.ones(len(truth), dtype=bool), [truth == index for index in range(classes)]
    hits = np.zeros(2)
    for trial in range(trials):
        # Beta-binomial with correlation 1/3 within a group; errors fall on the other classes alike.
        right = generator.random(len(truth)) < generator.beta(1.8, 0.2, size=grouping.count)[grouping.group]
        predicted = (truth + np.where(right, 0, generator.integers(1, classes, size=len(truth)))) % classes
        cells = (grouping.group * classes + truth) * classes + predicted
        counts = np.bincount(cells, minlength=grouping.count * classes**2).reshape(grouping.count, -1)
        tables = (all_weights(grouping.stratum, resamples, seed=trial) @ counts).reshape(-1, classes, classes)
        resampled = overall_metrics(tables)
        observed = overall_metrics(counts.sum(axis=0).reshape(classes, classes))
        accuracy = proportion_interval(observed["accuracy"], resampled["accuracy"], everyone, grouping)
        macro_f1 = bounded_interval(observed["macro_f1"], resampled["macro_f1"], kinds, grouping)
        hits += [low <= 0.9 <= high for low, high in (accuracy, macro_f1)]
    return hits / trials


@pytest.mark.parametrize("groups_a_class", [3, 8, 30])
def test_intervals_hold_the_truth_about_as_often_as_they_promise(groups_a_class):
    accuracy, macro_f1 = simulated_coverage(groups_a_class, images_a_group=6)
    assert 0.91 <= accuracy <= 0.995
    assert 0.91 <= macro_f1 <= 0.995


def test_a_metric_that_can_be_negative_has_limits_below_zero_and_the_others_have_none():
    truth = np.repeat([0, 1], 20)
    grouping = grouping_of(np.arange(40), truth, 2)
    resampled = np.random.default_rng(0).normal(-0.1, 0.1, 500)
    low, high = metric_interval("cohen_kappa", -0.1, resampled, truth, grouping)
    assert low < -0.2 and high > 0
    for name in ("accuracy", "macro_f1"):
        low, high = metric_interval(name, 0.0, np.zeros(500), truth, grouping)
        assert low == pytest.approx(0, abs=1e-9) and 0 < high < 0.2
    low, high = metric_interval("log_loss", 1.5, resampled + 1.6, truth, grouping)
    assert low < 1.5 < high
