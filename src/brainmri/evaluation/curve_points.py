"""Points of curves, as observed and in every resample: ROC, precision–recall, risk–coverage, net benefit.

A curve is told at fixed places of its x-axis, so that resampled ones can be laid over each other. Between
two thresholds, numbers of images are interpolated, not ratios: Davis and Goadrich, "The relationship between
precision-recall and ROC curves", ICML 2006. Resamples look at no more than `MOST` thresholds.
"""

from dataclasses import dataclass

import numpy as np

from brainmri.evaluation.metrics import ratio

SHARES = np.linspace(0, 1, 101)  # of the images without the class, for ROC
COVERAGES = np.linspace(0.01, 1, 100)  # recall and coverage: of no image at all nothing can be said
RISKS = np.linspace(0.01, 0.99, 99)  # threshold probabilities of the decision curve
MOST = 200
JUST_BEFORE = 1 - 1e-9  # of several points at one place, the first


@dataclass(frozen=True)
class Ranking:
    """How many images of each group reach each threshold of a score.

    Parameters
    ----------
    flagged, other : (G, T) float arrays
        Images with and without a flag, from the highest threshold to the lowest, which all reach.
    """

    flagged: np.ndarray
    other: np.ndarray

    def counts(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return how many images with and without the flag reach each threshold, for each row of weights.

        Parameters
        ----------
        weights : (R, G) float array
            Weights of the groups, a row a resample.

        Returns
        -------
        flagged, other : (R, T + 1) float arrays
            They start at 0.
        """
        start = np.zeros((len(weights), 1))
        return np.hstack([start, weights @ self.flagged]), np.hstack([start, weights @ self.other])


def ranking_of(scores: np.ndarray, flag: np.ndarray, group: np.ndarray, most: int | None = None) -> Ranking:
    """Count the images of each group that reach each threshold.

    Parameters
    ----------
    scores : (N,) float array
        Scores.
    flag : (N,) bool array
        Which images are counted apart.
    group : (N,) int array
        Index of each image's group.
    most
        Look at no more thresholds than these; None looks at every score that occurs.
    """
    thresholds = np.unique(scores)[::-1]
    if most is not None and len(thresholds) > most:
        # As many among the flagged as among the others: where one kind is rare, the curve turns there.
        chosen = [
            np.quantile(kind, np.linspace(0, 1, most // 2), method="nearest")
            for kind in (scores[flag], scores[~flag])
            if kind.size
        ]
        thresholds = np.unique(np.concatenate([*chosen, [scores.min()]]))[::-1]
    first = np.searchsorted(-thresholds, -scores, side="left")
    cells, count = group * len(thresholds) + first, int(group.max()) + 1
    tables = [
        np.bincount(cells[kind], minlength=count * len(thresholds)).reshape(count, -1).cumsum(axis=1)
        for kind in (flag, ~flag)
    ]
    return Ranking(*[table.astype(np.float64) for table in tables])


def interpolated(places: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return each row's y at its places; of several points at one place, the last.

    Parameters
    ----------
    places : (R, P) float array
        Where.
    x, y : (R, T) float arrays
        Points, x ascending.
    """
    return np.stack([np.interp(*row) for row in zip(places, x, y, strict=True)])


def roc_points(ranking: Ranking, weights: np.ndarray) -> np.ndarray:
    """Return the sensitivity at each share of false alarms (`SHARES`): (R, 101); NaN where undefined."""
    right, wrong = ranking.counts(weights)
    return interpolated(
        np.broadcast_to(SHARES, (len(weights), len(SHARES))),
        ratio(wrong, wrong[:, -1:]),
        ratio(right, right[:, -1:]),
    )


def precision_points(ranking: Ranking, weights: np.ndarray) -> np.ndarray:
    """Return the precision at each recall (`COVERAGES`): (R, 100); NaN where a row has no positive image."""
    right, wrong = ranking.counts(weights)
    found = COVERAGES * right[:, -1:]
    false = interpolated(found * JUST_BEFORE, right, wrong)
    return ratio(found, found + false)


def risk_points(ranking: Ranking, weights: np.ndarray) -> np.ndarray:
    """Return the share of errors among the surest images, at each coverage (`COVERAGES`): (R, 100).

    Parameters
    ----------
    ranking
        Of the confidence, errors flagged.
    weights : (R, G) float array
        Weights of the groups.
    """
    errors, right = ranking.counts(weights)
    kept = COVERAGES * (errors + right)[:, -1:]
    return ratio(interpolated(kept, errors + right, errors), kept)


def benefit_points(reached: Ranking, weights: np.ndarray) -> np.ndarray:
    """Return the net benefit at each threshold probability (`RISKS`): (R, 99).

    Vickers and Elkin, "Decision curve analysis", Med. Decis. Making 26 (2006): true alarms less false ones,
    which count as much as the odds of the threshold say, over all images.

    Parameters
    ----------
    reached
        What `reaching` returned.
    weights : (R, G) float array
        Weights of the groups.
    """
    right, wrong = weights @ reached.flagged, weights @ reached.other
    total = right[:, -1:] + wrong[:, -1:]
    odds = RISKS / (1 - RISKS)
    return ratio(right[:, :-1], total) - ratio(wrong[:, :-1], total) * odds


def reaching(scores: np.ndarray, flag: np.ndarray, group: np.ndarray) -> Ranking:
    """Count the images of each group that reach each of `RISKS`, and in a last column all of them."""
    count, places = int(group.max()) + 1, len(RISKS) + 1
    reached = np.searchsorted(RISKS, scores, side="right")  # so many thresholds
    tables = []
    for kind in (flag, ~flag):
        cells = group[kind] * places + reached[kind]
        exactly = np.bincount(cells, minlength=count * places).reshape(count, places)
        at_least = exactly[:, ::-1].cumsum(axis=1)[:, ::-1].astype(np.float64)
        tables.append(np.roll(at_least, -1, axis=1))
    return Ranking(*tables)
