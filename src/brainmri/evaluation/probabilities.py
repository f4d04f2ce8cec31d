"""From logits to probabilities, and the proper scores of single images."""

from pathlib import Path

import numpy as np
from scipy import special

from brainmri.errors import BrainmriError


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities (float64) over the last axis of `logits`."""
    return np.exp(log_softmax(logits))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Return the logarithms (float64) of the probabilities over the last axis of `logits`."""
    return special.log_softmax(np.asarray(logits, dtype=np.float64), axis=-1)


def refuse_infinite(logits: np.ndarray, source: Path | str, remark: str = "its training diverged") -> None:
    """Raise a BrainmriError where logits are not all finite: nothing can be made of them.

    Parameters
    ----------
    logits : float array
        Of any shape.
    source
        What gives them, for the message.
    remark
        What follows from it.
    """
    if not np.isfinite(logits).all():
        raise BrainmriError(f"{source} gives logits that are no finite numbers: {remark}.")


def judgements(logits: np.ndarray, class_names: list[str], temperature: float) -> dict[str, np.ndarray]:
    """Return what a model says of N images, as the columns of a table.

    Parameters
    ----------
    logits : (N, C) float array
        As the model gives them, not calibrated.
    class_names
        The C classes.
    temperature
        By which they are divided.

    Returns
    -------
    dict of array
        `predicted`, `confidence` and the calibrated probabilities, `prob_` and each class.
    """
    probabilities = softmax(logits.astype(np.float64) / temperature)
    return {
        "predicted": np.array(class_names)[logits.argmax(axis=1)],
        "confidence": probabilities.max(axis=1),
        **{f"prob_{name}": probabilities[:, index] for index, name in enumerate(class_names)},
    }


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
