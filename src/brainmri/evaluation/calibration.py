"""Confidence that means what it says: temperature, calibration error, and when to refer a case.

All that is fitted here is fitted on validation images, never on test images.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from brainmri.errors import BrainmriError
from brainmri.evaluation.probabilities import log_losses

# No network in use needs a temperature beyond these; the search stops there.
LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.05, 20.0
BINS = 15


@dataclass(frozen=True)
class Temperature:
    """The number by which logits are divided.

    Parameters
    ----------
    value
        The temperature; over 1 makes the model less sure of itself.
    note
        Null, or why the images did not determine it.
    """

    value: float
    note: str | None


def fit_temperature(logits: np.ndarray, truth: np.ndarray) -> Temperature:
    """Find the temperature with the lowest mean log loss.

    Temperature scaling of Guo et al., "On calibration of modern neural networks", ICML 2017. The loss is
    convex in 1 / temperature, so a bounded search finds its one minimum.

    Where every image is classified rightly, the loss falls without end as the temperature falls: such images
    cannot tell how sure the model may be, and the temperature stays 1 rather than make it surer than it
    was trained to be. Where the logits know less than nothing, the temperature is the upper bound.

    Parameters
    ----------
    logits : (N, C) float array
        Logits of validation images.
    truth : (N,) int array
        Their true class indices.
    """
    if len(truth) == 0:
        return Temperature(1.0, "no validation images")
    if (logits[np.arange(len(truth)), truth] >= logits.max(axis=1)).all():
        return Temperature(1.0, "every validation image is right, which does not determine it; left at 1")

    def loss(log_sharpness: float) -> float:
        return float(log_losses(logits * np.exp(log_sharpness), truth).mean())

    lowest, highest = -np.log(HIGHEST_TEMPERATURE), -np.log(LOWEST_TEMPERATURE)
    found = minimize_scalar(loss, bounds=(lowest, highest), method="bounded", options={"xatol": 1e-9})
    if found.x < lowest + 1e-4:
        return Temperature(HIGHEST_TEMPERATURE, "at the upper bound: the logits say nothing of the classes")
    if found.x > highest - 1e-4:
        return Temperature(LOWEST_TEMPERATURE, "at the lower bound: the logits hardly differ")
    return Temperature(float(np.exp(-found.x)), None)


def reliability(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> dict[str, list]:
    """Return the reliability table: mean confidence and accuracy in bins of equal mass.

    Parameters
    ----------
    confidence : (N,) float array
        The predicted class's probability.
    right : (N,) bool array
        Whether it is the true class.
    bins
        Number of bins; equal confidences share one, so that there can be fewer.

    Returns
    -------
    dict of lists
        ``confidence``, ``accuracy``, ``n_images``, one entry a bin, ascending.
    """
    which, counts = bins_of(confidence, bins)
    return {
        "confidence": (np.bincount(which, confidence) / counts).tolist(),
        "accuracy": (np.bincount(which, right) / counts).tolist(),
        "n_images": counts.tolist(),
    }


def bins_of(confidence: np.ndarray, bins: int = BINS) -> tuple[np.ndarray, np.ndarray]:
    """Return the bin of each image, of bins of equal mass in ascending order, and the size of each bin.

    Parameters
    ----------
    confidence : (N,) float array
        The predicted class's probability.
    bins
        Number of bins; equal confidences share one, so that there can be fewer.
    """
    ordered = np.sort(confidence)
    firsts = np.ceil(np.arange(1, bins) * len(ordered) / bins).astype(int)
    edges = np.unique(ordered[firsts[firsts < len(ordered)]])
    _, which, counts = np.unique(
        np.searchsorted(edges, confidence, side="right"), return_inverse=True, return_counts=True
    )
    return which, counts


def calibration_error(table: dict[str, list]) -> float:
    """Return the expected calibration error: the mean gap of confidence and accuracy over the images.

    With bins of equal mass (Nixon et al., "Measuring calibration in deep learning", CVPR workshops 2019).

    Parameters
    ----------
    table
        What `reliability` returned.
    """
    gaps = np.abs(np.array(table["confidence"]) - np.array(table["accuracy"]))
    return float(np.average(gaps, weights=table["n_images"]))


@dataclass(frozen=True)
class Referral:
    """When a case goes to a person.

    Parameters
    ----------
    confidence
        A case is referred whose confidence is under this; null where no threshold keeps the error low
        enough, and every case is referred.
    wished_error
        The share of errors wished for among the cases that are not referred.
    error
        That share on validation at the threshold; null where all are referred.
    coverage
        The share of validation images not referred.
    """

    confidence: float | None
    wished_error: float
    error: float | None
    coverage: float


def check_wished_error(wished_error: float) -> None:
    """Raise a BrainmriError where a wished share of errors is none."""
    if not 0 <= wished_error < 1:
        raise BrainmriError(f"wished_error is {wished_error}: must be at least 0 and under 1.")


def fit_referral(confidence: np.ndarray, right: np.ndarray, wished_error: float = 0.05) -> Referral:
    """Find the lowest confidence at and over which the share of errors is at most `wished_error`.

    Selective classification by the top probability (Geifman and El-Yaniv, "Selective classification for
    deep neural networks", NeurIPS 2017), at the empirical risk: a wish, no guarantee. How it holds on the
    test part is in metrics.json.

    Parameters
    ----------
    confidence : (N,) float array
        Calibrated confidence of validation images.
    right : (N,) bool array
        Whether each was classified rightly.
    wished_error
        From 0 to under 1.
    """
    check_wished_error(wished_error)
    order = np.argsort(-confidence, kind="stable")
    ordered = confidence[order]
    errors = np.cumsum(~right[order]) / np.arange(1, len(order) + 1)
    # Equal confidences are kept or referred together.
    last_of_ties = np.append(ordered[1:] != ordered[:-1], True)[: len(ordered)]
    allowed = np.flatnonzero(last_of_ties & (errors <= wished_error))
    if not allowed.size:
        return Referral(None, wished_error, None, 0.0)
    last = allowed[-1]
    return Referral(float(ordered[last]), wished_error, float(errors[last]), float((last + 1) / len(order)))


def area_under_risk_coverage(confidence: np.ndarray, right: np.ndarray) -> float:
    """Return the mean error over all coverages, the surest images first (AURC).

    Geifman, Uziel and El-Yaniv, "Bias-reduced uncertainty estimation for deep neural classifiers", ICLR 2019.
    Images of equal confidence count with their mean error, so that their order does not matter.

    Parameters
    ----------
    confidence : (N,) float array
        Confidence.
    right : (N,) bool array
        Whether each was classified rightly.
    """
    values, which = np.unique(-confidence, return_inverse=True)
    errors = np.bincount(which, ~right, minlength=len(values)) / np.bincount(which, minlength=len(values))
    return float((np.cumsum(errors[np.sort(which)]) / np.arange(1, len(which) + 1)).mean())
