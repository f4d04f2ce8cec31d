"""Differences between two models or two protocols: an interval, an exact test, and Holm's adjustment.

**Interval.** Both are resampled together (the same groups, drawn by `bootstrap.resampled_weights`), so that
what they share, images or whole patients, cancels out as far as it should. From the interval of each, as
`metric_interval` finds it, and the correlation of their resamples follows that of the difference
(MOVER: Zou and Donner, Stat. Med. 27, 2008; for one pair of proportions Newcombe's method 10, Stat. Med. 17,
1998). Percentiles of the resampled differences are too narrow where errors are few. In 1000 studies, drawn as
in tests/evaluation/test_differences.py, of two models that are right in 95 and 94 % of 320 images and differ
in few (alike 0.99), they held the true difference of accuracies in 89 %, and these limits in 98 %; with 10
images a class in 39 and 100 %; with 80 groups a class of 4 images, 99 and 97 % right (alike 0.8), in 95 %
both. Two models that agree on everything have shown no difference up to the share of errors that so many
groups can hide: Wilson's upper limit of none.

**Test.** If two models are equally good, the results of both on any one group could as well be swapped. The
test counts all ways to swap whole groups, and says how many of them differ in accuracy at least as much as
what was observed. Counting them all needs no drawing: the differences of groups are whole numbers, whose
sums have a distribution that is a product of binomial ones (Pagano and Tritchler, J. Am. Stat. Assoc. 78,
1983). Where each group is one image, this is McNemar's exact test (Psychometrika 12, 1947). A difference
that is not the same in all classes counts as noise in the test; the resamples of the interval keep the
classes apart. So the two may disagree.
"""

import numpy as np
from scipy.stats import binom, binomtest

from brainmri.evaluation.bootstrap import Grouping, observed_and_resampled
from brainmri.evaluation.metric_intervals import NO_VARIANCE, metric_interval, variance_of
from brainmri.evaluation.metrics import overall_metrics
from brainmri.intervals import wilson_interval

# The metrics whose differences are told.
DIFFERENCES = ("accuracy", "balanced_accuracy", "macro_f1")


def group_counts(
    predicted: np.ndarray, truth: np.ndarray, group: np.ndarray, groups: int, classes: int
) -> np.ndarray:
    """Return the confusion counts of each contender in each group.

    Parameters
    ----------
    predicted : (K, N) int array
        Class indices by contender.
    truth : (N,) int array
        True class indices.
    group : (N,) int array
        Index of each image's group.
    groups, classes
        How many there are, G and C.

    Returns
    -------
    (G, K, C, C) float array
        Rows of each table are true classes.
    """
    contenders = len(predicted)
    table = group * contenders + np.arange(contenders)[:, None]
    cells = (table * classes + truth) * classes + predicted
    counts = np.bincount(cells.ravel(), minlength=groups * contenders * classes**2)
    return counts.reshape(groups, contenders, classes, classes).astype(np.float64)


def resampled_together(
    counts: np.ndarray, strata: np.ndarray, resamples: int, seed: int, names: tuple[str, ...] = DIFFERENCES
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the metrics of every contender, as observed and in each resample of the same groups.

    Parameters
    ----------
    counts : (G, K, C, C) array
        What `group_counts` returned.
    strata : (G,) int array
        The stratum that each group is drawn in.
    resamples
        How many to draw.
    seed
        Of the draws.
    names
        The metrics, of those in `metrics.OVERALL_METRICS`.

    Returns
    -------
    values : dict of (K,) arrays
        By metric.
    spread : dict of (R, K) arrays
        By metric.
    """
    groups, *shape = counts.shape
    flat = counts.reshape(groups, -1)

    def metrics(weights: np.ndarray) -> dict[str, np.ndarray]:
        found = overall_metrics((weights @ flat).reshape(len(weights), *shape))
        return {name: found[name] for name in names}

    return observed_and_resampled(metrics, strata, resamples, seed)


def correlations(resampled: np.ndarray) -> np.ndarray:
    """Return the correlation of every two columns; 0 where one does not vary.

    Parameters
    ----------
    resampled : (R, K) float array
        One metric of K contenders in the same resamples.

    Returns
    -------
    (K, K) float array
        From -1 to 1.
    """
    centred = resampled - resampled.mean(axis=0)
    centred[:, (centred**2).mean(axis=0) <= NO_VARIANCE] = 0
    length = np.linalg.norm(centred, axis=0)
    unit = centred / np.where(length > 0, length, 1)
    return np.clip(unit.T @ unit, -1, 1)


def limits_of(
    name: str, values: np.ndarray, resampled: np.ndarray, truth: np.ndarray, grouping: Grouping
) -> np.ndarray:
    """Return low and high of one metric of each contender, as `metric_interval` finds them: (K, 2).

    Parameters
    ----------
    name
        Of the metric.
    values : (K,) float array
        As observed.
    resampled : (R, K) float array
        In each resample.
    truth : (N,) int array
        True class indices.
    grouping
        The images' groups.
    """
    return np.array(
        [
            metric_interval(name, value, own, truth, grouping)
            for value, own in zip(values, resampled.T, strict=True)
        ]
    )


def difference_interval(
    values: tuple[float, float],
    limits: tuple[np.ndarray, np.ndarray],
    resampled: tuple[np.ndarray, np.ndarray],
    correlation: float,
    groups: float,
) -> tuple[float, float]:
    """Return the interval of the first value less the second.

    Parameters
    ----------
    values
        Two metrics from 0 to 1.
    limits
        Low and high of each.
    resampled : two (R,) float arrays
        Both in the same resamples.
    correlation
        Of these.
    groups
        How many groups stand behind them; counts only where the difference never varies.
    """
    (first, second), ((low, high), (low_other, high_other)) = values, limits
    difference = first - second
    if variance_of(resampled[0] - resampled[1]) <= NO_VARIANCE:
        hidden = wilson_interval(0.0, groups)[1]
        return max(-1.0, difference - hidden), min(1.0, difference + hidden)

    def distance(of_first: float, of_second: float) -> float:
        square = of_first**2 + of_second**2 - 2 * correlation * of_first * of_second
        return float(np.sqrt(max(0.0, square)))

    return (
        float(difference - distance(first - low, high_other - second)),
        float(difference + distance(high - first, second - low_other)),
    )


def exact_test(
    right: np.ndarray, right_other: np.ndarray, group: np.ndarray, trainings: int
) -> tuple[str, float]:
    """Return which test compares the accuracy of two contenders, and its two-sided p-value.

    Parameters
    ----------
    right, right_other : (N,) int array
        How many of a contender's trainings (seeds) are right on each image.
    group : (N,) int array
        Index of each image's group.
    trainings
        How many there are of each contender.

    Returns
    -------
    test : str
        ``mcnemar`` where every group is one image and there is one training each, else ``permutation``.
    p_value : float
    """
    difference = right - right_other
    if trainings == 1 and np.bincount(group).max() == 1:
        better, discordant = int((difference > 0).sum()), int((difference != 0).sum())
        return "mcnemar", float(binomtest(better, discordant).pvalue) if discordant else 1.0
    return "permutation", swap_test(np.rint(np.bincount(group, weights=difference)).astype(np.int64))


def swap_test(differences: np.ndarray) -> float:
    """Return the share of all ways to swap groups whose total is at least as far from zero as observed.

    Parameters
    ----------
    differences : (G,) int array
        Of each group: how many more of its images the first contender has right.
    """
    observed = abs(int(differences.sum()))
    chances = np.ones(1)
    sizes, counts = np.unique(np.abs(differences[differences != 0]), return_counts=True)
    for size, count in zip(sizes, counts, strict=True):
        # So many groups of one size: a binomial number of them is swapped, each moves the total by 2 sizes.
        steps = np.zeros(2 * size * count + 1)
        steps[:: 2 * size] = binom.pmf(np.arange(count + 1), count, 0.5)
        chances = np.convolve(chances, steps)
    totals = np.arange(len(chances)) - len(chances) // 2
    return float(min(1.0, chances[np.abs(totals) >= observed].sum()))


def holm(p_values: np.ndarray) -> np.ndarray:
    """Return p-values adjusted for the number of tests in a family (Holm, Scand. J. Stat. 6, 1979).

    Parameters
    ----------
    p_values : (T,) float array
        Of all tests of the family.
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(p_values))
    stepped = p_values[order] * np.arange(len(p_values), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(stepped))
    return adjusted
