"""Metrics of probabilities: ranking (AUROC, average precision) and proper scores (log loss, Brier).

All take weights, a row a resample, so that a bootstrap costs a few passes over one sorted array.
"""

import numpy as np

from brainmri.evaluation.metrics import mean_over_defined, ratio


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities (float64) over the last axis of `logits`."""
    return np.exp(log_softmax(logits))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Return the logarithms (float64) of the probabilities over the last axis of `logits`."""
    logits = np.asarray(logits, dtype=np.float64)
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def log_losses(logits: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return minus the logarithm of the true class's probability, for each image.

    Parameters
    ----------
    logits : (N, C) float array
        Logits, already divided by the temperature. Not probabilities: so nothing needs clipping at 0.
    truth : (N,) int array
        True class indices.

    Returns
    -------
    (N,) float array
        In nats.
    """
    return -log_softmax(logits)[np.arange(len(truth)), truth]


def brier_scores(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the multi-class Brier score of each image: squared error summed over classes, 0 to 2.

    The original definition (Brier, Mon. Weather Rev. 78, 1950).

    Parameters
    ----------
    probabilities : (N, C) float array
        Probabilities.
    truth : (N,) int array
        True class indices.
    """
    wished = np.eye(probabilities.shape[1])[truth]
    return ((probabilities - wished) ** 2).sum(axis=1)


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
