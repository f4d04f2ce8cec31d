"""From logits to probabilities, and the proper scores of single images."""

import numpy as np
from scipy import special


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities (float64) over the last axis of `logits`."""
    return np.exp(log_softmax(logits))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Return the logarithms (float64) of the probabilities over the last axis of `logits`."""
    return special.log_softmax(np.asarray(logits, dtype=np.float64), axis=-1)


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
