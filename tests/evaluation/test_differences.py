"""Differences: exact tests and Holm as others compute them, and intervals that keep their promise."""

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, norm, permutation_test

from brainmri.evaluation.bootstrap import grouping_of
from brainmri.evaluation.differences import (
    correlations,
    difference_interval,
    exact_test,
    group_counts,
    holm,
    limits_of,
    resampled_together,
    swap_test,
)
from brainmri.evaluation.metric_intervals import groups_behind, of_each_class
from brainmri.evaluation.metrics import confusion_counts
from brainmri.intervals import wilson_interval

CLASSES = 4


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_single_images_get_mcnemars_exact_test(answers):
    right, other = np.array(answers, dtype=np.int64).T
    test, p_value = exact_test(right, other, np.arange(len(right)), trainings=1)
    fewer, discordant = min((right > other).sum(), (right < other).sum()), int((right != other).sum())
    two_sided = 2 * sum(comb(discordant, k) for k in range(fewer + 1)) / 2**discordant
    assert test == "mcnemar"
    assert p_value == pytest.approx(min(1.0, two_sided))
    assert swap_test(right - other) == pytest.approx(p_value)


def test_mcnemar_of_a_textbook_table():
    # 15 images that the one alone has right, 4 that the other has: 2 P(X <= 4), X binomial (19, 1/2).
    right, other = np.repeat([1, 0, 1], [15, 4, 40]), np.repeat([0, 1, 1], [15, 4, 40])
    _, p_value = exact_test(right, other, np.arange(59), trainings=1)
    assert p_value == pytest.approx(2 * binom.cdf(4, 19, 0.5)) == pytest.approx(0.01921, abs=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(-5, 5), min_size=2, max_size=9))
def test_all_swaps_are_counted_as_scipy_counts_them(differences):
    differences = np.array(differences)
    ours = swap_test(differences)
    theirs = permutation_test(
        (differences, np.zeros(len(differences))),
        lambda first, second: abs(np.sum(first - second)),
        permutation_type="samples",
        alternative="greater",
    )
    assert ours == pytest.approx(theirs.pvalue)


def test_many_groups_agree_with_random_swaps():
    generator = np.random.default_rng(0)
    differences = generator.integers(-3, 5, size=80)
    signs = generator.choice([-1, 1], size=(40_000, 80))
    extreme = np.abs(signs @ differences) >= abs(differences.sum())
    assert swap_test(differences) == pytest.approx((extreme.sum() + 1) / 40_001, abs=0.005)


def test_equal_contenders_have_nothing_to_swap():
    right = np.array([1, 0, 1])
    assert exact_test(right, right, np.arange(3), trainings=1) == ("mcnemar", 1.0)
    assert exact_test(right, right, np.array([0, 0, 1]), trainings=1) == ("permutation", 1.0)


def test_a_patient_counts_once_however_many_slices():
    # One patient of twenty slices, all better: as likely as a coin that falls on heads once.
    right, other = np.ones(20, dtype=np.int64), np.zeros(20, dtype=np.int64)
    assert exact_test(right, other, np.zeros(20, dtype=np.int64), trainings=1) == ("permutation", 1.0)
    assert exact_test(right, other, np.arange(20), trainings=1)[1] < 1e-5


def test_several_trainings_of_single_images_are_swapped_together():
    right, other = np.array([3, 3, 2, 3]), np.array([1, 0, 2, 2])
    test, p_value = exact_test(right, other, np.arange(4), trainings=3)
    assert test == "permutation" and p_value == pytest.approx(2 / 8)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_steps_down_by_definition(p_values):
    p_values = np.array(p_values)
    adjusted = holm(p_values)
    for level in (0.01, 0.05, 0.2):
        rejected = np.zeros(len(p_values), dtype=bool)
        for rank, place in enumerate(np.argsort(p_values, kind="stable")):
            if min(1.0, p_values[place] * (len(p_values) - rank)) > level:
                break
            rejected[place] = True
        np.testing.assert_array_equal(adjusted <= level, rejected)


def test_holm_of_a_textbook_example():
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])


def test_counts_of_groups_add_up_to_confusion_tables():
    generator = np.random.default_rng(0)
    truth, group = generator.integers(CLASSES, size=90), generator.integers(30, size=90)
    predicted = generator.integers(CLASSES, size=(3, 90))
    counts = group_counts(predicted, truth, group, 30, CLASSES)
    for own, table in zip(predicted, counts.sum(axis=0), strict=True):
        np.testing.assert_array_equal(table, confusion_counts(truth, own, CLASSES))
    np.testing.assert_array_equal(counts.sum(axis=(1, 2, 3)), 3 * np.bincount(group, minlength=30))


def test_correlations_are_numpys_and_zero_where_nothing_varies():
    resampled = np.random.default_rng(0).normal(size=(50, 3))
    np.testing.assert_allclose(correlations(resampled), np.corrcoef(resampled.T))
    resampled[:, 1] = 0.9
    assert correlations(resampled)[0, 1] == 0


def test_limits_of_independent_proportions_are_newcombes():
    # Newcombe, Stat. Med. 17 (1998), method 10, 56 of 70 less 48 of 80: 0.0524 to 0.3339.
    limits = wilson_interval(56 / 70, 70), wilson_interval(48 / 80, 80)
    spread = np.random.default_rng(0).normal(size=(2, 100))
    found = difference_interval((0.8, 0.6), limits, tuple(spread), 0.0, 70)
    assert found == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_models_that_agree_everywhere_are_not_certainly_equal():
    same = np.random.default_rng(0).random(100)
    low, high = difference_interval((0.9, 0.9), ((0.8, 0.95), (0.8, 0.95)), (same, same), 1.0, 50)
    assert low == -high and 0.05 < high < 0.1


def answers(generator, truth, group, accuracies, alike):
    """Draw two models' answers: hard images and hard patients are hard for both, by the share `alike`."""

    def ease():
        of_groups = generator.normal(size=group.max() + 1)[group]
        return np.sqrt(0.4) * of_groups + np.sqrt(0.6) * generator.normal(size=len(truth))

    common = ease()
    for accuracy in accuracies:
        right = np.sqrt(alike) * common + np.sqrt(1 - alike) * ease() < norm.ppf(accuracy)
        yield (truth + np.where(right, 0, generator.integers(1, CLASSES, size=len(truth)))) % CLASSES


def test_the_exact_test_rejects_equal_models_as_often_as_it_says():
    generator = np.random.default_rng(1)
    group = np.repeat(np.arange(200), generator.integers(1, 9, size=200))
    truth = (np.arange(200) % CLASSES)[group]
    p_values = []
    for _ in range(1500):
        first, second = answers(generator, truth, group, (0.85, 0.85), alike=0.5)
        p_values.append(exact_test((first == truth) * 1, (second == truth) * 1, group, trainings=1)[1])
    p_values = np.array(p_values)
    assert 0.03 <= (p_values <= 0.05).mean() <= 0.07
    # Totals of whole images come in steps, so that an exact test rejects a little less often.
    assert 0.15 <= (p_values <= 0.2).mean() <= 0.22
    assert 0.42 <= (p_values <= 0.5).mean() <= 0.53


# With ten groups a class the limits err on the wide side.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("groups_a_class", "accuracies", "most"),
    [(10, (0.95, 0.9), 0.985), (30, (0.95, 0.93), 0.97), (80, (0.99, 0.97), 0.97)],
)
def test_intervals_of_differences_hold_the_truth_as_often_as_they_promise(groups_a_class, accuracies, most):
    generator = np.random.default_rng(0)
    group = np.repeat(np.arange(CLASSES * groups_a_class), 4)
    truth = np.repeat(np.arange(CLASSES), 4 * groups_a_class)
    grouping = grouping_of(group, truth, CLASSES)
    hits, trials, wished = (
        {"accuracy": 0, "balanced_accuracy": 0, "macro_f1": 0},
        600,
        np.subtract(*accuracies),
    )
    for trial in range(trials):
        predicted = np.stack(list(answers(generator, truth, group, accuracies, alike=0.8)))
        counts = group_counts(predicted, truth, grouping.group, grouping.count, CLASSES)
        values, spread = resampled_together(counts, grouping.stratum, 300, trial)
        for name in hits:
            limits = limits_of(name, values[name], spread[name], truth, grouping)
            low, high = difference_interval(
                tuple(values[name]),
                tuple(limits),
                tuple(spread[name].T),
                correlations(spread[name])[0, 1],
                groups_behind(of_each_class(truth), grouping),
            )
            hits[name] += low <= wished <= high
    for name, count in hits.items():
        assert 0.93 <= count / trials <= most, name
