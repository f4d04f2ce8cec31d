"""What the trainings of a model score on the images of one test set, and how far that can vary.

A cell of the matrix of data sets. Its metrics come from confusion counts and from sums of losses by group, so
that a resample is two products of matrices, however many images there are.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from brainmri.evaluation.bootstrap import Grouping, grouping_of, observed_and_resampled
from brainmri.evaluation.differences import DIFFERENCES, difference_interval, group_counts
from brainmri.evaluation.metric_intervals import LOSSES, groups_behind, metric_interval, of_each_class
from brainmri.evaluation.metrics import overall_metrics
from brainmri.evaluation.probabilities import brier_scores, log_losses, softmax

METRICS = (*DIFFERENCES, *LOSSES)


@dataclass(frozen=True)
class Cell:
    """What the trainings of a model, one a seed, say of the images of a test set.

    Parameters
    ----------
    classes
        Those that they choose from.
    image_id, group_id : (N,) array of str
        The images.
    truth : (N,) int array
        Indices in `classes`.
    logits : (S, N, C) float array
        Divided by each training's temperature.
    """

    classes: list[str]
    image_id: np.ndarray
    group_id: np.ndarray
    truth: np.ndarray
    logits: np.ndarray

    @cached_property
    def grouping(self) -> Grouping:
        """The groups of the images."""
        return grouping_of(self.group_id, self.truth, len(self.classes))


@dataclass(frozen=True)
class Scores:
    """The metrics of a cell.

    Parameters
    ----------
    values : dict of (S,) arrays
        By metric, each training.
    spread : dict of (R, S) arrays
        The same in each resample of the groups.
    """

    values: dict[str, np.ndarray]
    spread: dict[str, np.ndarray]


def resampled_scores(cell: Cell, resamples: int, seed: int) -> Scores:
    """Return the metrics of a cell, as observed and in every resample of its groups."""
    grouping, classes, count = cell.grouping, len(cell.classes), len(cell.logits)
    counts = group_counts(cell.logits.argmax(axis=2), cell.truth, grouping.group, grouping.count, classes)
    flat, sizes = counts.reshape(grouping.count, -1), np.bincount(grouping.group)
    of_images = [
        score
        for logits in cell.logits
        for score in (log_losses(logits, cell.truth), brier_scores(softmax(logits), cell.truth))
    ]
    sums = np.stack([np.bincount(grouping.group, weights=score) for score in of_images], axis=1)

    def metrics(weights: np.ndarray) -> dict[str, np.ndarray]:
        found = overall_metrics((weights @ flat).reshape(len(weights), count, classes, classes))
        means = (weights @ sums / (weights @ sizes)[:, None]).reshape(len(weights), count, len(LOSSES))
        told = {name: found[name] for name in DIFFERENCES}
        return told | {name: means[..., place] for place, name in enumerate(LOSSES)}

    return Scores(*observed_and_resampled(metrics, grouping.stratum, resamples, seed))


def mean_of(
    cell: Cell, scores: Scores, name: str, chosen: list[int]
) -> tuple[float, np.ndarray, tuple[float, float]]:
    """Return the mean of one metric over some trainings: its value, its resamples and its interval."""
    value, spread = float(scores.values[name][chosen].mean()), scores.spread[name][:, chosen].mean(axis=1)
    return value, spread, metric_interval(name, value, spread, cell.truth, cell.grouping)


def between(
    values: tuple[float, float],
    limits: tuple[tuple[float, float], tuple[float, float]],
    spread: tuple[np.ndarray, np.ndarray],
    cells: tuple[Cell, Cell],
) -> tuple[float, float]:
    """Return the interval of a metric outside less the one at home; NaN where one of them has none."""
    if np.isnan(limits).any():
        return np.nan, np.nan
    groups = min(groups_behind(of_each_class(cell.truth), cell.grouping) for cell in cells)
    # Different images of different groups: what is drawn of one tells nothing of the other.
    return difference_interval(values, limits, spread, 0.0, groups)
