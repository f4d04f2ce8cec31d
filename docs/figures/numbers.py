"""What the numbers of the report mean: the confusion matrix, and confidence that means what it says."""

import numpy as np
from figures.study import PhantomStudy
from matplotlib.figure import Figure

from brainmri.evaluation.calibration import reliability
from brainmri.evaluation.predictions import read_predictions
from brainmri.evaluation.probabilities import softmax
from brainmri.reporting.draw_model import confusion_matrix_figure
from brainmri.reporting.style import MUTED, OKABE_ITO, add_title, new_figure

BINS = 5  # a few dozen images each; the report's 15 need more images than this set has


def matrix_figure(study: PhantomStudy) -> Figure:
    """Return the confusion matrix of the trained network on the test part, as the report draws it."""
    matrix = study.document("metrics")["test"]["confusion_matrix"]
    return confusion_matrix_figure(
        "Small CNN, phantom, grouped split", matrix["labels"], np.array(matrix["counts"])
    )


def calibration_figure(study: PhantomStudy) -> Figure:
    """Return confidence against accuracy on the test part, before and after temperature scaling."""
    _, parts = read_predictions(study.folder / "predictions.parquet")
    part, temperature = parts["test"], study.document("calibration")["temperature"]
    right = part.predicted == part.truth
    figure = new_figure(3.6)
    add_title(figure, "Does 80 % sure mean right in 80 % of cases?")
    axes = figure.subplots()
    axes.plot([0, 100], [0, 100], color=MUTED, linewidth=1, linestyle=":", label="ideal")
    for (name, divisor), colour, line in zip(
        {"before": 1.0, "after": temperature}.items(), OKABE_ITO[:2], ("o--", "o-"), strict=True
    ):
        table = reliability(softmax(part.logits / divisor).max(axis=1), right, BINS)
        label = "as trained" if name == "before" else f"divided by the temperature, {temperature:.2f}"
        axes.plot(
            100 * np.array(table["confidence"]),
            100 * np.array(table["accuracy"]),
            line,
            color=colour,
            label=label,
        )
    axes.set(xlim=(20, 101), ylim=(0, 101), xlabel="mean confidence (%)", ylabel="right answers (%)")
    axes.set_title(f"{len(right)} test images in {BINS} bins of equal size", fontsize=9, fontweight="normal")
    axes.grid(visible=True)
    axes.legend(loc="lower right")
    return figure
