"""Metrics of probabilities: ranking (AUROC, average precision) and mean proper scores (log loss, Brier).

All take weights, a row a resample, so that a bootstrap costs a few passes over one sorted array.
"""

import numpy as np

from brainmri.evaluation.metrics import mean_over_defined, ratio


def tied_sums(weights: np.ndarray, order: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Sum each row of (R, N) `weights` over runs of tied scores: (R, K)."""
    ordered = weights[:, order]
    return ordered if starts.size == order.size else np.add.reduceat(ordered, starts, axis=1)


def ranking_metrics(
    scores: np.ndarray, positive: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the AUROC and the average precision of one score, for each row of weights.

    AUROC is the weighted Mann-Whitney statistic with ties counted half; average precision is the sum of
    precision times gain in recall, without interpolation. Both as in scikit-learn.

    Parameters
    ----------
    scores : (N,) float array
        The higher, the rather positive.
    positive : (N,) bool array
        Which images are.
    weights : (R, N) float array
        Weights, a row a resample.

    Returns
    -------
    auroc, average_precision : (R,) float arrays
        NaN where a row has no positive image, and for AUROC no negative one.
    """
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    right = tied_sums(np.where(positive, weights, 0.0), order, starts)
    wrong = tied_sums(np.where(positive, 0.0, weights), order, starts)
    right_so_far, wrong_so_far = right.cumsum(axis=1), wrong.cumsum(axis=1)
    positives, negatives = right_so_far[:, -1], wrong_so_far[:, -1]
    below = negatives[:, None] - wrong_so_far + wrong / 2
    precision = ratio(right_so_far, right_so_far + wrong_so_far, otherwise=0.0)
    return (
        ratio((right * below).sum(axis=1), positives * negatives),
        ratio((right * precision).sum(axis=1), positives),
    )


def class_scores(probabilities: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Return AUROC and average precision of each class against the rest.

    Parameters
    ----------
    probabilities : (N, C) float array
        Probabilities.
    truth : (N,) int array
        True class indices.
    weights : (R, N) float array
        Weights, a row a resample.

    Returns
    -------
    dict of (R, C) float arrays
        ``auroc``, ``average_precision``.
    """
    pairs = [
        ranking_metrics(probabilities[:, index], truth == index, weights)
        for index in range(probabilities.shape[1])
    ]
    return {
        "auroc": np.stack([auroc for auroc, _ in pairs], axis=-1),
        "average_precision": np.stack([precision for _, precision in pairs], axis=-1),
    }


def overall_scores(
    each: dict[str, np.ndarray], losses: np.ndarray, briers: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the macro averages of `class_scores` and the mean proper scores.

    Parameters
    ----------
    each
        What `class_scores` returned.
    losses, briers : (N,) float array
        Log loss and Brier score of each image.
    weights : (R, N) float array
        Weights, a row a resample.

    Returns
    -------
    dict of (R,) float arrays
        ``macro_auroc``, ``macro_average_precision``, ``log_loss``, ``brier``.
    """
    total = weights.sum(axis=1)
    return {
        "macro_auroc": mean_over_defined(each["auroc"]),
        "macro_average_precision": mean_over_defined(each["average_precision"]),
        "log_loss": ratio(weights @ losses, total),
        "brier": ratio(weights @ briers, total),
    }
