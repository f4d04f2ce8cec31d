"""In 93 to 97 % of simulated studies of patients with several slices, a 95 % interval holds the truth."""

import numpy as np
import pytest

from brainmri.evaluation.bootstrap import grouping_of, resampled_weights
from brainmri.evaluation.curve_points import COVERAGES, MOST, ranking_of, risk_points
from brainmri.evaluation.curves import share_limits
from brainmri.evaluation.metric_intervals import (
    bounded_interval,
    percentile_interval,
    proportion_interval,
    ranking_interval,
)
from brainmri.evaluation.metrics import class_metrics, overall_metrics
from brainmri.evaluation.probabilities import brier_scores, softmax
from brainmri.evaluation.scores import ranking_metrics

CLASSES, SLICES, TRIALS, RESAMPLES = 3, 4, 600, 400
KEPT = np.flatnonzero(np.isclose(COVERAGES, 0.8))  # where the risk is looked at
MEASURES = ("accuracy", "recall", "macro_f1", "mcc", "auroc", "brier", "risk")


def drawn_study(generator, groups_a_class, signal=1.7):
    """Truth, group and logits of patients, of whom some are hard in all of their slices."""
    truth = np.repeat(np.arange(CLASSES), groups_a_class * SLICES)
    group = np.repeat(np.arange(CLASSES * groups_a_class), SLICES)
    own = generator.normal(size=(CLASSES * groups_a_class, CLASSES))[group]
    return truth, group, signal * np.eye(CLASSES)[truth] + own + generator.normal(size=(len(truth), CLASSES))


def measured(truth, group, logits, weights):
    """Return every measure for each row of weights, (R,) each."""
    predicted, probabilities = logits.argmax(axis=1), softmax(logits)
    cells = (group * CLASSES + truth) * CLASSES + predicted
    counts = np.bincount(cells, minlength=(group.max() + 1) * CLASSES**2).reshape(-1, CLASSES**2)
    tables, of_images = (weights @ counts).reshape(-1, CLASSES, CLASSES), weights[:, group]
    whole = overall_metrics(tables)
    ranking = ranking_of(probabilities.max(axis=1), predicted != truth, group, MOST)
    return {
        **{name: whole[name] for name in ("accuracy", "macro_f1", "mcc")},
        "recall": class_metrics(tables)["recall"][:, 0],
        "auroc": ranking_metrics(probabilities[:, 0], truth == 0, of_images)[0],
        "brier": of_images @ brier_scores(probabilities, truth) / of_images.sum(axis=1),
        "risk": risk_points(ranking, weights)[:, KEPT[0]],
    }


def limits(value, spread, truth, grouping):
    """Return the interval of every measure, as the stages make it."""
    kinds = [truth == index for index in range(CLASSES)]
    everyone = np.ones(len(truth), dtype=bool)
    low, high = share_limits(
        value["risk"], spread["risk"][:, None], grouping.count * COVERAGES[KEPT], len(truth), grouping.freedom
    )
    return {
        "accuracy": proportion_interval(value["accuracy"][0], spread["accuracy"], everyone, grouping),
        "recall": proportion_interval(value["recall"][0], spread["recall"], kinds[0], grouping),
        "macro_f1": bounded_interval(value["macro_f1"][0], spread["macro_f1"], kinds, grouping),
        "mcc": bounded_interval(value["mcc"][0], spread["mcc"], kinds, grouping),
        "auroc": ranking_interval(value["auroc"][0], spread["auroc"], [kinds[0], ~kinds[0]], grouping),
        "brier": percentile_interval(spread["brier"], grouping),
        "risk": (low[0], high[0]),
    }


@pytest.fixture(scope="module")
def coverage():
    generator = np.random.default_rng(0)
    truth, group, logits = drawn_study(generator, 20_000)
    real = measured(truth, group, logits, np.ones((1, group.max() + 1)))
    hits, weights = dict.fromkeys(MEASURES, 0), None
    for _ in range(TRIALS):
        truth, group, logits = drawn_study(generator, 30)
        grouping = grouping_of(group, truth, CLASSES)
        if weights is None:  # the draw of the groups knows nothing of what is measured on them
            weights = np.concatenate(list(resampled_weights(grouping.stratum, RESAMPLES, seed=0)))
        value = measured(truth, group, logits, np.ones((1, grouping.count)))
        intervals = limits(value, measured(truth, group, logits, weights), truth, grouping)
        for name, (low, high) in intervals.items():
            hits[name] += low <= real[name][0] <= high
    return {name: count / TRIALS for name, count in hits.items()}


@pytest.mark.parametrize("name", MEASURES)
def test_intervals_hold_the_truth_as_often_as_they_promise(coverage, name):
    assert 0.93 <= coverage[name] <= 0.97


def rankings_of_first_class(truth, group, logits, weights):
    """Return AUROC and average precision of the first class for each row of weights."""
    return ranking_metrics(softmax(logits)[:, 0], truth == 0, weights[:, group])


@pytest.mark.parametrize(("groups_a_class", "signal"), [(10, 3.5), (30, 4.6)])  # 93 and 98 % accuracy
def test_intervals_of_rankings_near_one_are_not_too_narrow(groups_a_class, signal):
    generator = np.random.default_rng(0)
    truth, group, logits = drawn_study(generator, 20_000, signal)
    real = rankings_of_first_class(truth, group, logits, np.ones((1, group.max() + 1)))
    assert real[0][0] > 0.985
    hits, weights, trials = [0, 0], None, 300
    for _ in range(trials):
        truth, group, logits = drawn_study(generator, groups_a_class, signal)
        grouping = grouping_of(group, truth, CLASSES)
        if weights is None:
            weights = np.concatenate(list(resampled_weights(grouping.stratum, RESAMPLES, seed=0)))
        values = rankings_of_first_class(truth, group, logits, np.ones((1, grouping.count)))
        spread = rankings_of_first_class(truth, group, logits, weights)
        for place, kinds in enumerate(([truth == 0, truth != 0], [truth == 0])):
            low, high = ranking_interval(float(values[place][0]), spread[place], kinds, grouping)
            hits[place] += low <= real[place][0] <= high
    assert min(hits) / trials >= 0.93
