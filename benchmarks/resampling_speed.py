"""What 2000 resamples of the count-based metrics cost, beside a loop over scikit-learn.

    .venv/bin/python benchmarks/resampling_speed.py [--images 1311] [--resamples 2000]

Both tell the same of the same weights: accuracy, balanced accuracy, Matthews' and Cohen's coefficients, and
precision, recall and F1 of each class and as macro averages, of test images in groups of one to eight whose
groups are resampled. scikit-learn gets the weights of the images, one resample a call; so many are looped
over, since all 2000 take minutes, and counted for the rest. Ours begins at the labels too, and draws the
weights besides. All values must agree. The limit: 500 times faster.
"""

import argparse
from statistics import median
from time import perf_counter

import numpy as np
from comparison_speed import NAMES, drawn_images
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    cohen_kappa_score,
    matthews_corrcoef,
    precision_recall_fscore_support,
)

from brainmri.evaluation.bootstrap import Grouping, grouping_of, resampled, resampled_weights
from brainmri.evaluation.differences import group_counts
from brainmri.evaluation.metrics import class_metrics, overall_metrics

LIMIT, SHARE_RIGHT = 500, 0.9
OVERALL = (
    "accuracy",
    "balanced_accuracy",
    "mcc",
    "cohen_kappa",
    "macro_precision",
    "macro_recall",
    "macro_f1",
)
OF_CLASSES = ("precision", "recall", "f1")


def ours(truth: np.ndarray, predicted: np.ndarray, grouping: Grouping, resamples: int) -> np.ndarray:
    """Return every metric in every resample, (R, M)."""
    classes = len(NAMES)
    counts = group_counts(predicted[None], truth, grouping.group, grouping.count, classes)
    counts = counts.reshape(grouping.count, -1)

    def told(weights: np.ndarray) -> np.ndarray:
        summed = (weights @ counts).reshape(-1, classes, classes)
        overall, each = overall_metrics(summed), class_metrics(summed)
        return np.column_stack([*(overall[name] for name in OVERALL), *(each[name] for name in OF_CLASSES)])

    return resampled(told, grouping, resamples, seed=0)


def looped(truth: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return what scikit-learn says of each row of weights (R, N), in the same order."""
    rows, labels = [], np.arange(len(NAMES))
    for row in weights:
        each = precision_recall_fscore_support(
            truth, predicted, labels=labels, sample_weight=row, zero_division=0
        )[:3]
        rows.append(
            [
                accuracy_score(truth, predicted, sample_weight=row),
                balanced_accuracy_score(truth, predicted, sample_weight=row),
                matthews_corrcoef(truth, predicted, sample_weight=row),
                cohen_kappa_score(truth, predicted, sample_weight=row),
                *(values.mean() for values in each),
                *np.concatenate(each),
            ]
        )
    return np.array(rows)


def main() -> None:
    """Measure and print the times and their ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=1311)
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--looped", type=int, default=20, help="resamples that scikit-learn is given")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    images = drawn_images(options.images, 0)
    truth = np.array([NAMES.index(name) for name in images["label"]])
    generator = np.random.default_rng(0)
    wrong = generator.random(len(truth)) > SHARE_RIGHT
    predicted = np.where(wrong, generator.integers(len(NAMES), size=len(truth)), truth)
    grouping = grouping_of(images["group_id"].to_numpy(), truth, len(NAMES))
    weights = np.concatenate(list(resampled_weights(grouping.stratum, options.resamples, 0)))
    weights = weights[: options.looped, grouping.group]
    times = []
    for _ in range(options.rounds):
        moments = [perf_counter()]
        own = ours(truth, predicted, grouping, options.resamples)
        moments.append(perf_counter())
        other = looped(truth, predicted, weights)
        moments.append(perf_counter())
        np.testing.assert_allclose(own[: options.looped], other, atol=1e-9)
        times.append(np.diff(moments) * [1, options.resamples / options.looped])
    ratio = median(other / own for own, other in times)
    own, other = (median(values) for values in zip(*times, strict=True))
    metrics = len(OVERALL) + len(OF_CLASSES) * len(NAMES)
    print(f"{options.resamples} resamples of {metrics} metrics of {len(truth)} images")
    print(f"ours {1000 * own:.1f} ms; scikit-learn {other:.1f} s, by {options.looped} of them")
    print(f"{ratio:.0f} times faster, limit {LIMIT}: {'met' if ratio >= LIMIT else 'missed'}")


if __name__ == "__main__":
    main()
