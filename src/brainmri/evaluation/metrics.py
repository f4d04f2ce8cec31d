"""Metrics from confusion counts, for one table of counts or for thousands of resampled ones at once.

Definitions follow Sokolova and Lapalme, "A systematic analysis of performance measures for
classification tasks", Inf. Process. Manag. 45 (2009), and Metrics Reloaded (Maier-Hein et al., Nat. Methods
2024). Where scikit-learn defines a value, ours is the same number. Undefined values are NaN here and null
in metrics.json. Two rules decide the doubtful cases:

- a class without a single true image has no recall, precision or F1, and no place in a macro average;
- a class that has images but is never predicted has precision 0, as with scikit-learn's ``zero_division=0``:
  a model that never names a class earns nothing for it.
"""

import numpy as np

# Count-based metrics of a whole part, in the order in which they are reported.
OVERALL_METRICS = (
    "accuracy",
    "balanced_accuracy",
    "macro_precision",
    "macro_recall",
    "macro_f1",
    "mcc",
    "cohen_kappa",
)

# Denominators under this share of all weight are zero, but for rounding.
NEGLIGIBLE = 1e-12


def confusion_counts(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Count how often each class was predicted for each true class.

    Parameters
    ----------
    truth, predicted : (N,) int array
        Class indices.
    classes
        Number of classes C.

    Returns
    -------
    (C, C) int array
        Rows are true classes, columns predicted ones.
    """
    cells = np.asarray(truth, dtype=np.int64) * classes + np.asarray(predicted, dtype=np.int64)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def ratio(numerator: np.ndarray, denominator: np.ndarray, otherwise: float = np.nan) -> np.ndarray:
    """Divide elementwise; `otherwise` where the denominator is zero.

    Parameters
    ----------
    numerator, denominator : (...) float array
        Shapes that broadcast.
    otherwise
        The value where there is nothing to divide by.
    """
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    result = np.full(numerator.shape, otherwise, dtype=np.float64)
    np.divide(numerator, denominator, out=result, where=np.abs(denominator) > NEGLIGIBLE)
    return result


def mean_over_defined(values: np.ndarray) -> np.ndarray:
    """Return the mean over the last axis of what is not NaN; NaN where nothing is.

    Parameters
    ----------
    values : (..., C) float array
        Per-class values.
    """
    defined = ~np.isnan(values)
    return ratio(np.where(defined, values, 0.0).sum(axis=-1), defined.sum(axis=-1).astype(float))


def class_metrics(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Return the metrics of each class against the rest.

    Parameters
    ----------
    counts : (..., C, C) array
        Confusion counts, or sums of weights; rows are true classes.

    Returns
    -------
    dict of (..., C) float arrays
        ``precision`` (PPV), ``recall`` (sensitivity), ``specificity``, ``negative_predictive_value``, ``f1``.
    """
    counts = np.asarray(counts, dtype=np.float64)
    right = np.diagonal(counts, axis1=-2, axis2=-1)
    support, named = counts.sum(axis=-1), counts.sum(axis=-2)
    total = support.sum(axis=-1, keepdims=True)
    right_elsewhere = total - support - named + right
    present = support > 0
    return {
        "precision": np.where(present, ratio(right, named, otherwise=0.0), np.nan),
        "recall": ratio(right, support),
        "specificity": ratio(right_elsewhere, total - support),
        "negative_predictive_value": ratio(right_elsewhere, total - named),
        "f1": np.where(present, ratio(2 * right, support + named), np.nan),
    }


def overall_metrics(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Return the metrics of a whole part.

    Parameters
    ----------
    counts : (..., C, C) array
        Confusion counts, or sums of weights; rows are true classes.

    Returns
    -------
    dict of (...) float arrays
        See `OVERALL_METRICS`. ``mcc`` is the multi-class R_K of Gorodkin (Comput. Biol. Chem. 28, 2004): 0
        where the model predicts one class only, NaN where there is but one true class. ``cohen_kappa`` is
        unweighted.
    """
    counts = np.asarray(counts, dtype=np.float64)
    total = counts.sum(axis=(-2, -1))
    shares = ratio(counts, total[..., None, None])
    right = np.trace(shares, axis1=-2, axis2=-1)
    support, named = shares.sum(axis=-1), shares.sum(axis=-2)
    by_chance = (support * named).sum(axis=-1)
    spread_of_truth = 1 - (support**2).sum(axis=-1)
    spread_of_predictions = 1 - (named**2).sum(axis=-1)
    spread = np.sqrt(np.clip(spread_of_truth, 0, None) * np.clip(spread_of_predictions, 0, None))
    correlation = ratio(right - by_chance, spread, otherwise=0.0)
    each = class_metrics(counts)
    recall = mean_over_defined(each["recall"])
    return {
        "accuracy": right,
        "balanced_accuracy": recall,
        "macro_precision": mean_over_defined(each["precision"]),
        "macro_recall": recall,
        "macro_f1": mean_over_defined(each["f1"]),
        "mcc": np.where(spread_of_truth > NEGLIGIBLE, correlation, np.nan),
        "cohen_kappa": ratio(right - by_chance, 1 - by_chance),
    }
