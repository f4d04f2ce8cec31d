"""The interval of a metric, from what it was in resamples of the groups (`bootstrap`).

Metrics from 0 to 1 get Wilson's interval (J. Am. Stat. Assoc. 22, 1927) at the effective sample size of Korn
and Graubard (Surv. Methodol. 24, 1998): the number of independent images that would vary as much as the
resamples do, lowered for few groups by Student's t. For proportions this is textbook. For other averages,
such as macro-F1, it was chosen by simulation: with 4 classes of accuracy 0.90 to 0.99, the 95 % interval of
macro-F1 held the truth in 97, 98, 94 and 94 % of trials for 2, 4, 10 and 30 groups a class, and percentiles
of the same resamples in 48, 79, 88 and 93 %, because resamples of few errors often hold none. A perfect score
still has an interval; percentiles would claim certainty. Losses have no upper bound and get percentiles,
further out for few groups (the expanded interval of Hesterberg, Am. Stat. 69, 2015): with 4 classes of 3
groups they held the truth in 92 %, with 10 and 30 in 93 % and more.

AUROC and average precision crowd against 1, where Wilson's interval is too narrow: with 10 groups a class and
91 % accuracy it held the truth in 90 %, with 30 and 98 % in 88 %. They get Student's t on the scale of their
logit, with as many degrees of freedom as the smallest of their classes has groups but one. That held it in
95 to 98 % and in 94 to 96 %; with 10 groups and 66 % accuracy in 96 to 97 %, with 3 groups always.
"""

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm, t

from brainmri.evaluation.bootstrap import Grouping
from brainmri.intervals import LEVEL, wilson_interval

NO_VARIANCE = 1e-20  # what rounding leaves of zero
LOSSES = ("log_loss", "brier")  # without an upper bound
SIGNED = ("mcc", "cohen_kappa")  # from -1 to 1
RANKINGS = ("auroc", "average_precision", "macro_auroc", "macro_average_precision")


def lowered_by(freedom: int) -> float:
    """Return the factor by which few degrees of freedom lower an effective size: (z / t)^2, under 1."""
    return (norm.ppf((1 + LEVEL) / 2) / t.ppf((1 + LEVEL) / 2, freedom)) ** 2


def expanded_tail(freedom: int) -> float:
    """Return the share of resamples beyond each limit of an expanded percentile interval."""
    return norm.cdf(t.ppf((1 - LEVEL) / 2, freedom))


def effective_size(value: float, variance: float, groups: float, freedom: int) -> float:
    """Return the number of independent images that say as much as these do.

    Parameters
    ----------
    value
        The metric observed, 0 to 1.
    variance
        Its variance over the resamples.
    groups
        How many groups stand behind it.
    freedom
        Degrees of freedom: groups less strata.

    Returns
    -------
    float
        At least 1; the number of groups where the resamples do not vary or leave no degree of freedom: then
        a group says as much as one image.
    """
    if freedom < 1 or not variance > NO_VARIANCE:
        return float(groups)
    return float(max(1.0, value * (1 - value) / variance * lowered_by(freedom)))


def proportion_interval(
    share: float, resampled: np.ndarray, behind: np.ndarray, grouping: Grouping
) -> tuple[float, float]:
    """Return the interval of a single proportion; plain Wilson's where every group holds one image.

    Parameters
    ----------
    share
        The proportion observed; NaN gives NaN.
    resampled : (R,) float array
        The proportion in each resample; NaN where undefined.
    behind : (N,) bool array
        The images that its denominator counts.
    grouping
        The images' groups.
    """
    groups, images = np.unique(grouping.group[behind]), int(behind.sum())
    if np.isnan(share) or not images:  # a precision of 0 because the class was never predicted
        return np.nan, np.nan
    if groups.size == images:
        return wilson_interval(float(share), images)
    freedom = groups.size - np.unique(grouping.stratum[groups]).size
    size = effective_size(float(share), variance_of(resampled), groups.size, freedom)
    return wilson_interval(float(share), min(size, images))


def bounded_interval(
    value: float, resampled: np.ndarray, kinds: list[np.ndarray], grouping: Grouping
) -> tuple[float, float]:
    """Return the interval of a metric from 0 to 1 that is no single proportion.

    Parameters
    ----------
    value
        The metric observed; NaN gives NaN.
    resampled : (R,) float array
        The metric in each resample; NaN where undefined.
    kinds : list of (N,) bool arrays
        The images of each kind that the metric weighs alike, such as those of each class; their groups
        count (`groups_behind`) where all resamples agree.
    grouping
        The images' groups.
    """
    if np.isnan(value) or not any(kind.any() for kind in kinds):
        return np.nan, np.nan
    value = float(np.clip(value, 0, 1))  # rounding may have left it
    size = effective_size(value, variance_of(resampled), groups_behind(kinds, grouping), grouping.freedom)
    return wilson_interval(value, size)


def ranking_interval(
    value: float, resampled: np.ndarray, kinds: list[np.ndarray], grouping: Grouping
) -> tuple[float, float]:
    """Return the interval of an AUROC or an average precision, or of a mean of these.

    Parameters
    ----------
    value
        The metric observed; NaN gives NaN.
    resampled : (R,) float array
        The metric in each resample; NaN where undefined.
    kinds : list of (N,) bool arrays
        As in `bounded_interval`, which is taken where the metric is 0 or 1 or does not vary.
    grouping
        The images' groups.
    """
    variance = variance_of(resampled)
    if not NO_VARIANCE < value < 1 - NO_VARIANCE or not variance > NO_VARIANCE:
        return bounded_interval(value, resampled, kinds, grouping)
    fewest = min(np.unique(grouping.group[kind]).size for kind in kinds if kind.any())
    # The error of a logit is that of the value by the slope of the curve.
    distance = t.ppf((1 + LEVEL) / 2, max(1, fewest - 1)) * np.sqrt(variance) / (value * (1 - value))
    return float(expit(logit(value) - distance)), float(expit(logit(value) + distance))


def of_each_class(truth: np.ndarray) -> list[np.ndarray]:
    """Return which images, (N,) bool, are of each class that true class indices (N,) name."""
    return [truth == index for index in np.unique(truth)]


def groups_behind(kinds: list[np.ndarray], grouping: Grouping) -> float:
    """Return the number of groups at which one proportion varies as the mean of one of each kind does.

    That is C^2 / sum(1 / n_c) for C kinds of n_c groups each.

    Parameters
    ----------
    kinds : list of (N,) bool arrays
        The images of each kind, such as a class; one at least has images.
    grouping
        The images' groups.
    """
    counts = [np.unique(grouping.group[kind]).size for kind in kinds if kind.any()]
    return len(counts) ** 2 / sum(1 / count for count in counts)


def variance_of(resampled: np.ndarray) -> float:
    """Return the variance of what is not NaN; 0 where nothing is."""
    defined = resampled[~np.isnan(resampled)]
    return float(defined.var()) if defined.size else 0.0


def percentile_interval(resampled: np.ndarray, grouping: Grouping) -> tuple[float, float]:
    """Return the expanded percentile interval of a metric; NaN where the resamples all agree.

    Parameters
    ----------
    resampled : (R,) float array
        The metric in each resample; NaN where undefined.
    grouping
        The groups that were resampled; the fewer, the further out the percentiles.
    """
    if grouping.freedom < 1 or not variance_of(resampled) > NO_VARIANCE:
        return np.nan, np.nan
    tail = expanded_tail(grouping.freedom)
    low, high = np.nanquantile(resampled, [tail, 1 - tail])
    return float(low), float(high)


def metric_interval(
    name: str, value: float, resampled: np.ndarray, truth: np.ndarray, grouping: Grouping
) -> tuple[float, float]:
    """Return the interval of a metric of all images, of the kind that suits it: the same wherever it is told.

    Parameters
    ----------
    name
        Of the metric.
    value
        As observed.
    resampled : (R,) float array
        In each resample.
    truth : (N,) int array
        True class indices.
    grouping
        The images' groups.
    """
    if name == "accuracy":
        return proportion_interval(value, resampled, np.ones(len(truth), bool), grouping)
    if name in LOSSES or (name in SIGNED and value <= 0):
        return percentile_interval(resampled, grouping)
    kind_of_interval = ranking_interval if name in RANKINGS else bounded_interval
    return kind_of_interval(value, resampled, of_each_class(truth), grouping)
