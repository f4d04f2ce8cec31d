"""Intervals for metrics of images that come in groups (one patient's slices, copies of one picture).

Stratified cluster bootstrap: groups, not images, are drawn with replacement, within strata by class, so that
ten slices of one patient count as the one observation that they are. Where every group holds one image this
is the plain stratified bootstrap. From each stratum of n groups, n - 1 are drawn and weighted n / (n - 1)
(Rao, Wu and Yue, Surv. Methodol. 18, 1992): drawing n, as is usual, makes intervals too narrow by
sqrt((n - 1) / n), 29 % for two groups. A stratum with a single group has no spread to resample; it is
collapsed with the smallest other stratum, the usual remedy in survey statistics (Wolter, "Introduction to
Variance Estimation", 2007), which errs on the wide side. For few groups the percentiles lie further out, as
Student's t lies further out than the normal distribution (the expanded percentile interval of Hesterberg,
Am. Stat. 69, 2015).

Single proportions (accuracy, sensitivity, ...) get Wilson's interval (J. Am. Stat. Assoc. 22, 1927) at the
effective sample size of Korn and Graubard (Surv. Methodol. 24, 1998): the number of independent images
that would vary as much as the resamples do. A perfect score then still has an interval; percentiles of a
bootstrap would claim certainty.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, t

LEVEL = 0.95  # of every interval
CHUNK = 2_000_000  # weights held at once: 16 MB


@dataclass(frozen=True)
class Grouping:
    """Which group each image is in, and which stratum each group is drawn in.

    Parameters
    ----------
    group : (N,) int array
        Index of each image's group.
    stratum : (G,) int array
        Index of each group's stratum, after collapsing.
    majority : (G,) int array
        The class that most of a group's images have.
    """

    group: np.ndarray
    stratum: np.ndarray
    majority: np.ndarray

    @property
    def count(self) -> int:
        """Number of groups."""
        return len(self.stratum)


def grouping_of(group_ids: np.ndarray, truth: np.ndarray, classes: int) -> Grouping:
    """Index the groups, and assign each to the stratum of its most frequent class.

    Parameters
    ----------
    group_ids : (N,) array
        The name of each image's group.
    truth : (N,) int array
        True class indices; the lowest wins where a group is torn.
    classes
        Number of classes.
    """
    names, group = np.unique(np.asarray(group_ids), return_inverse=True)
    votes = np.bincount(group * classes + truth, minlength=len(names) * classes)
    majority = votes.reshape(-1, classes).argmax(axis=1)
    return Grouping(group, collapsed(majority), majority)


def collapsed(strata: np.ndarray) -> np.ndarray:
    """Join strata of a single group with the smallest larger stratum, or with each other.

    Parameters
    ----------
    strata : (G,) int array
        The stratum of each group.
    """
    names, sizes = np.unique(strata, return_counts=True)
    single, larger = names[sizes == 1], names[sizes > 1]
    if not single.size:
        return strata
    target = larger[sizes[sizes > 1].argmin()] if larger.size else single[0]
    return np.where(np.isin(strata, single), target, strata)


def resampled_weights(strata: np.ndarray, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Draw the bootstrap weights of the groups, some resamples at a time.

    Parameters
    ----------
    strata : (G,) int array
        The stratum of each group.
    resamples
        How many to draw in all.
    seed
        Same seed, same weights.

    Yields
    ------
    (r, G) float array
        Rows sum to G. A group alone in its stratum always weighs 1.
    """
    generator = np.random.default_rng(seed)
    members = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    rows = max(1, CHUNK // len(strata))
    for start in range(0, resamples, rows):
        count = min(rows, resamples - start)
        weights = np.ones((count, len(strata)))
        for groups in members:
            size = len(groups)
            if size > 1:
                drawn = generator.integers(size, size=(count, size - 1))
                drawn += np.arange(count)[:, None] * size
                times = np.bincount(drawn.ravel(), minlength=count * size).reshape(count, size)
                weights[:, groups] = times * (size / (size - 1))
        yield weights


def wilson_interval(share: float, size: float, level: float = LEVEL) -> tuple[float, float]:
    """Return Wilson's score interval of a proportion.

    Parameters
    ----------
    share
        The proportion observed, 0 to 1.
    size
        Number of independent observations behind it; need not be whole.
    level
        Confidence level.
    """
    z = norm.ppf((1 + level) / 2)
    centre = (share + z**2 / (2 * size)) / (1 + z**2 / size)
    half = z / (1 + z**2 / size) * np.sqrt(share * (1 - share) / size + z**2 / (4 * size**2))
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))


def effective_size(share: float, variance: float, images: int, groups: int, strata: int) -> float:
    """Return the number of independent images that say as much as these do.

    Parameters
    ----------
    share
        The proportion observed.
    variance
        Its variance over the resamples.
    images, groups, strata
        How many stand behind the proportion. As many groups as images: each is independent.

    Returns
    -------
    float
        Korn and Graubard's size with their correction for few groups; the number of groups where the
        resamples do not vary or leave no degree of freedom: then a group says as much as one image.
    """
    if groups == images:
        return float(images)
    freedom = groups - strata
    if freedom < 1 or not variance > 0:
        return float(groups)
    size = share * (1 - share) / variance * (norm.ppf((1 + LEVEL) / 2) / t.ppf((1 + LEVEL) / 2, freedom)) ** 2
    return float(np.clip(size, 1, images))


def proportion_interval(
    share: float, resampled: np.ndarray, behind: np.ndarray, grouping: Grouping
) -> tuple[float, float]:
    """Return the interval of a proportion: Wilson's, at the effective sample size.

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
    if np.isnan(share):
        return np.nan, np.nan
    groups = np.unique(grouping.group[behind])
    if not groups.size:  # a precision of 0 because the class was never predicted
        return np.nan, np.nan
    defined = resampled[~np.isnan(resampled)]
    variance = float(defined.var()) if defined.size else 0.0
    strata = np.unique(grouping.stratum[groups]).size
    size = effective_size(share, variance, int(behind.sum()), groups.size, strata)
    return wilson_interval(float(share), size)


def percentile_interval(resampled: np.ndarray, grouping: Grouping) -> tuple[float, float]:
    """Return the expanded percentile interval of a metric; NaN where the resamples all agree.

    Agreement is no certainty: a perfect score on five groups stays perfect however they are drawn.

    Parameters
    ----------
    resampled : (R,) float array
        The metric in each resample; NaN where undefined.
    grouping
        The groups that were resampled; the fewer, the further out the percentiles.
    """
    defined = resampled[~np.isnan(resampled)]
    freedom = grouping.count - np.unique(grouping.stratum).size
    if not defined.size or freedom < 1 or np.ptp(defined) < 1e-12:
        return np.nan, np.nan
    tail = norm.cdf(t.ppf((1 - LEVEL) / 2, freedom))
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def mean_of_proportions_interval(
    value: float, resampled: np.ndarray, truth: np.ndarray, grouping: Grouping
) -> tuple[float, float]:
    """Return the interval of a macro average: percentiles, or Wilson's where the resamples all agree.

    A mean of proportions over the C present classes with n_c groups each varies, at equal proportions, as
    one proportion of C^2 / sum(1 / n_c) groups; Wilson's interval is taken at that size.

    Parameters
    ----------
    value
        The average observed; NaN gives NaN.
    resampled : (R,) float array
        The average in each resample; NaN where undefined.
    truth : (N,) int array
        True class indices.
    grouping
        The images' groups.
    """
    low, high = percentile_interval(resampled, grouping)
    if np.isnan(value) or not np.isnan(low):
        return low, high
    counts = [np.unique(grouping.group[truth == index]).size for index in np.unique(truth)]
    size = len(counts) ** 2 / sum(1 / count for count in counts)
    return wilson_interval(float(np.clip(value, 0, 1)), size)
