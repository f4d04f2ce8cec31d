"""The curves behind the metrics, as a table: what the figures of a model are drawn from.

Each point has its interval over groups, of its own place on the x-axis alone: 95 % of such intervals hold
their truth, which is less than that 95 % of whole bands do. Shares get Wilson's interval at the effective
sample size, as the metrics do (`bootstrap`); net benefit, which has no lower bound, expanded percentiles.
"""

import numpy as np
import pandas as pd
import pyarrow as pa

from brainmri.evaluation.bootstrap import Grouping, grouping_of, resampled
from brainmri.evaluation.calibration import bins_of
from brainmri.evaluation.curve_points import (
    COVERAGES,
    MOST,
    RISKS,
    SHARES,
    Ranking,
    benefit_points,
    precision_points,
    ranking_of,
    reaching,
    risk_points,
    roc_points,
)
from brainmri.evaluation.metric_intervals import NO_VARIANCE, expanded_tail, lowered_by
from brainmri.evaluation.metrics import ratio
from brainmri.evaluation.predictions import Predictions
from brainmri.evaluation.probabilities import softmax
from brainmri.intervals import wilson_limits
from brainmri.labels import HEALTHY

CURVES_SCHEMA = pa.schema(
    [
        ("curve", pa.string()),
        ("label", pa.string()),
        *((name, pa.float64()) for name in ("x", "y", "low", "high")),
        ("n_images", pa.int64()),
    ]
)


def curves_table(
    part: Predictions, class_names: list[str], temperature: float, resamples: int, seed: int
) -> pd.DataFrame:
    """Return the rows of ``curves.parquet``.

    Parameters
    ----------
    part
        The predictions, of at least one image.
    class_names
        The classes in the order of their index.
    temperature
        By which the logits are divided.
    resamples
        Number of bootstrap resamples.
    seed
        Seed of the resampling.

    Returns
    -------
    pandas.DataFrame
        ``curve`` (``roc``, ``precision_recall``, ``risk_coverage``, ``reliability_before``,
        ``reliability_after``, ``decision``, ``decision_all``), ``label`` (the class, where the curve is of
        one), ``x``, ``y``, ``low``, ``high``, and ``n_images`` (of a bin of the reliability).
    """
    truth, grouping = part.truth, grouping_of(part.group_id, part.truth, len(class_names))
    probabilities, images = softmax(part.logits / temperature), len(truth)
    drawn = Drawn(grouping, resamples, seed)
    curves = []
    for index, name in enumerate(class_names):
        positive, scores = truth == index, probabilities[:, index]
        if positive.any() and not positive.all():
            behind = groups_of(grouping, positive)
            curves += [
                drawn.shares("roc", name, SHARES, roc_points, scores, positive, behind, positive.sum()),
                drawn.shares(
                    "precision_recall",
                    name,
                    COVERAGES,
                    precision_points,
                    scores,
                    positive,
                    behind * COVERAGES,
                    len(truth),
                ),
            ]
    confidence, wrong = probabilities.max(axis=1), part.predicted != truth
    kept = np.maximum(1, grouping.count * COVERAGES)
    curves.append(
        drawn.shares("risk_coverage", None, COVERAGES, risk_points, confidence, wrong, kept, images)
    )
    for when, divisor in (("before", 1.0), ("after", temperature)):
        confidence = softmax(part.logits / divisor).max(axis=1)
        curves.append(drawn.reliability(f"reliability_{when}", confidence, ~wrong))
    if HEALTHY in class_names and len(class_names) > 1:
        healthy = class_names.index(HEALTHY)
        curves += drawn.decision(1 - probabilities[:, healthy], truth != healthy)
    return pd.concat(curves, ignore_index=True)[CURVES_SCHEMA.names]


def groups_of(grouping: Grouping, images: np.ndarray) -> int:
    """Return in how many groups some images lie."""
    return int(np.unique(grouping.group[images]).size)


class Drawn:
    """Curves with their intervals over resampled groups.

    Parameters
    ----------
    grouping
        The images' groups.
    resamples
        Number of bootstrap resamples.
    seed
        Seed of the resampling.
    """

    def __init__(self, grouping: Grouping, resamples: int, seed: int):
        self.grouping, self.resamples, self.seed = grouping, resamples, seed

    def spread(self, points, ranking: Ranking) -> np.ndarray:
        """Return the points in every resample."""
        return resampled(lambda weights: points(ranking, weights), self.grouping, self.resamples, self.seed)

    def shares(self, curve, label, x, points, scores, flag, groups, images) -> pd.DataFrame:
        """Return a curve of shares by a score: observed at every threshold, resampled at `MOST`.

        Parameters
        ----------
        curve, label
            Its name, and its class.
        x : (P,) float array
            Its places.
        points
            A function of `curve_points`.
        scores, flag : (N,) arrays
            What is ranked.
        groups : float or (P,) float array
            How many groups stand behind a point.
        images
            How many images do, at most.
        """
        # All thresholds of every group would be a table of images x images; all together are one group.
        together = ranking_of(scores, flag, np.zeros(len(scores), int))
        observed = points(together, np.ones((1, 1)))[0]
        spread = self.spread(points, ranking_of(scores, flag, self.grouping.group, MOST))
        low, high = share_limits(observed, spread, groups, images, self.grouping.freedom)
        return frame(curve, label, x, observed, low, high)

    def reliability(self, curve: str, confidence: np.ndarray, right: np.ndarray) -> pd.DataFrame:
        """Return confidence and accuracy of each bin."""
        which, sizes = bins_of(confidence)
        group, bins = self.grouping.group, len(sizes)
        cells = group * bins + which
        counts = [
            np.bincount(cells, kind, minlength=self.grouping.count * bins).reshape(-1, bins)
            for kind in (right.astype(np.float64), np.ones(len(right)))
        ]
        spread = resampled(
            lambda weights: ratio(weights @ counts[0], weights @ counts[1]),
            self.grouping,
            self.resamples,
            self.seed,
        )
        observed = np.bincount(which, right) / sizes
        groups = np.array([groups_of(self.grouping, which == place) for place in range(bins)])
        low, high = share_limits(observed, spread, groups, sizes, self.grouping.freedom)
        x = np.bincount(which, confidence) / sizes
        return frame(curve, None, x, observed, low, high).assign(n_images=sizes)

    def decision(self, scores: np.ndarray, ill: np.ndarray) -> list[pd.DataFrame]:
        """Return the net benefit of the model, and that of calling everybody ill."""
        curves = []
        for curve, score in (("decision", scores), ("decision_all", np.ones(len(scores)))):
            ranking = reaching(score, ill, self.grouping.group)
            observed = benefit_points(ranking, np.ones((1, self.grouping.count)))[0]
            low, high = np.full((2, len(RISKS)), np.nan)
            if curve == "decision" and self.grouping.freedom > 0:
                tail = expanded_tail(self.grouping.freedom)
                spread = self.spread(benefit_points, ranking)
                low, high = np.quantile(spread, [tail, 1 - tail], axis=0)
                # Resamples that all agree would claim certainty.
                low, high = np.where(spread.var(axis=0) > NO_VARIANCE, (low, high), np.nan)
            curves.append(frame(curve, None, RISKS, observed, low, high))
        return curves


def frame(curve, label, x, y, low, high) -> pd.DataFrame:
    """Return the rows of one curve."""
    return pd.DataFrame(
        {"curve": curve, "label": label, "x": x, "y": y, "low": low, "high": high, "n_images": None}
    ).astype({"n_images": "Int64"})


def share_limits(
    value: np.ndarray, spread: np.ndarray, groups: np.ndarray, images: np.ndarray, freedom: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return Wilson's interval of many shares at once, each at its effective sample size.

    Parameters
    ----------
    value : (P,) float array
        The shares observed; NaN gives NaN.
    spread : (R, P) float array
        The same in each resample; NaN where undefined.
    groups : float or (P,) float array
        How many groups stand behind each: its size where the resamples agree.
    images : int or (P,) int array
        How many images do: its size at most.
    freedom
        Degrees of freedom: groups less strata.
    """
    groups = np.maximum(1, np.broadcast_to(np.asarray(groups, float), value.shape))
    with np.errstate(invalid="ignore"):
        variance = np.nan_to_num(np.nanvar(spread, axis=0))
    size = groups.copy()
    if freedom > 0:
        # Resamples of a share of 0 or 1 can only show what stands behind it.
        varies = (variance > NO_VARIANCE) & (value > 0) & (value < 1)
        size[varies] = (value * (1 - value))[varies] / variance[varies] * lowered_by(freedom)
        size = np.clip(size, 1, np.maximum(1, images))
    return wilson_limits(value, size)
