"""Resamples of images that come in groups (one patient's slices, copies of one picture).

Stratified cluster bootstrap: groups, not images, are drawn with replacement, within strata by class, so that
ten slices of one patient count as the one observation that they are. Where every group holds one image this
is the plain stratified bootstrap. From each stratum of n groups, n - 1 are drawn and weighted n / (n - 1)
(Rao, Wu and Yue, Surv. Methodol. 18, 1992): drawing n, as is usual, makes intervals too narrow by
sqrt((n - 1) / n), 29 % for two groups. A stratum with a single group has no spread to resample; it is
collapsed with the smallest other stratum, the usual remedy in survey statistics (Wolter, "Introduction to
Variance Estimation", 2007), which errs on the wide side.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from brainmri.errors import BrainmriError

FEWEST_RESAMPLES, MOST_RESAMPLES = 100, 1_000_000
CHUNK = 2_000_000  # weights held at once, of groups or of images: 16 MB


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

    @property
    def freedom(self) -> int:
        """Degrees of freedom: groups less strata."""
        return self.count - np.unique(self.stratum).size


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


def check_resamples(resamples: int) -> None:
    """Raise a BrainmriError where there are too few resamples for the ends of an interval, or too many."""
    if resamples < FEWEST_RESAMPLES:
        raise BrainmriError(
            f"resamples is {resamples}: must be at least {FEWEST_RESAMPLES} (2000 is a good number)."
        )
    if resamples > MOST_RESAMPLES:
        raise BrainmriError(f"resamples is {resamples}: must be at most {MOST_RESAMPLES}.")


def resampled_weights(strata: np.ndarray, resamples: int, seed: int, images: int = 0) -> Iterator[np.ndarray]:
    """Draw the bootstrap weights of the groups, some resamples at a time.

    Parameters
    ----------
    strata : (G,) int array
        The stratum of each group.
    resamples
        How many to draw in all.
    seed
        Same seed, same weights.
    images
        Over how many images each row will be spread out, where it will: the more, the fewer rows at a time.

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
        # Parted only now, so that `images` changes no weight, and by eights, as the arithmetic's kernels take
        # them, so that a row adds up as it does in the whole.
        part = 8 * math.ceil(count / max(1, math.ceil(count * images / CHUNK)) / 8)
        yield from np.split(weights, range(part, count, part))


def resampled(
    told: Callable[[np.ndarray], np.ndarray], grouping: Grouping, resamples: int, seed: int, images: int = 0
) -> np.ndarray:
    """Return what a function tells of the weights of the groups, for every resample.

    Parameters
    ----------
    told
        Takes weights (r, G), returns an array whose first axis has length r.
    grouping
        The groups that are resampled.
    resamples
        How many resamples.
    seed
        Same seed, same weights.
    images
        As in `resampled_weights`.
    """
    return np.concatenate(
        [told(weights) for weights in resampled_weights(grouping.stratum, resamples, seed, images)]
    )


def observed_and_resampled(
    told: Callable[[np.ndarray], dict[str, np.ndarray]],
    strata: np.ndarray,
    resamples: int,
    seed: int,
    images: int = 0,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return what a function tells of the groups as they are, and for every resample, by name.

    Parameters
    ----------
    told
        Takes weights (r, G), returns arrays whose first axis has length r.
    strata : (G,) int array
        The stratum of each group.
    resamples, seed, images
        As in `resampled_weights`.
    """
    observed = told(np.ones((1, len(strata))))
    chunks = [told(weights) for weights in resampled_weights(strata, resamples, seed, images)]
    return (
        {name: value[0] for name, value in observed.items()},
        {name: np.concatenate([chunk[name] for chunk in chunks]) for name in observed},
    )
