"""The figure of a learning-rate range test."""

from pathlib import Path

import pandas as pd

from brainmri.reporting.style import (
    MUTED,
    OKABE_ITO,
    add_title,
    figure_style,
    new_figure,
    plain_log_labels,
    save_figure,
)


def draw_range_test(table: pd.DataFrame, suggestion: float | None, model: str, output: Path) -> None:
    """Draw the loss over the learning rate, with the suggested rate.

    Parameters
    ----------
    table
        As `brainmri.training.range_test.range_test` gives it.
    suggestion
        The rate to mark; None where the loss never falls.
    model
        Name of the architecture, for the title.
    output
        Where to write the figure (`.svg` or `.png`).
    """
    with figure_style():
        figure = new_figure(3.4)
        axes = figure.add_subplot()
        axes.plot(
            table["learning_rate"], table["loss"], color=MUTED, alpha=0.45, linewidth=1, label="each step"
        )
        axes.plot(table["learning_rate"], table["smoothed_loss"], color=OKABE_ITO[1], label="smoothed")
        if suggestion is not None:
            axes.axvline(
                suggestion, color=OKABE_ITO[0], linestyle="--", label=f"steepest fall: {suggestion:.1e}"
            )
        axes.set_xscale("log")
        plain_log_labels(axes.xaxis)
        lowest, first = table["smoothed_loss"].min(), table["smoothed_loss"].iloc[0]
        axes.set_ylim(max(0.0, lowest - 0.2 * (first - lowest) - 0.05), 1.3 * first)
        axes.set_xlabel("learning rate of the head")
        axes.set_ylabel("training loss (cross-entropy)")
        axes.legend()
        axes.grid(visible=True)
        add_title(figure, f"Learning-rate range test of {model}")
        save_figure(figure, output)
