"""The figure of a split's models: who differs from whom in accuracy, and how surely."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brainmri.artefacts import read_parquet
from brainmri.reporting.numbers import SIGNIFICANT, in_points
from brainmri.reporting.style import (
    INK,
    add_title,
    empty_figure,
    figure_style,
    new_figure,
    save_figure,
    text_colour_on,
)

NEEDED = (
    *("dataset", "split", "seed", "model", "other", "other_kind"),
    *("accuracy", "accuracy_other", "accuracy_difference", "p_value_holm"),
)
# Purple and orange stay apart for who cannot tell red from green; white is no difference.
COLOURS = "PuOr_r"
LEAST_SCALE = 0.02  # two points: smaller differences stay pale
PALE = 0.2  # of its shade has a cell that is not sure
NUMBERS_UP_TO = 8  # models; in a larger matrix a number would be too small to read


def draw_pairs(pairs: Path, output: Path, dataset: str, split: str) -> None:
    """Draw the matrix of a split's models: differences in accuracy, marked where they are sure.

    Parameters
    ----------
    pairs
        ``pairs.parquet``.
    output
        Where to write the figure (SVG).
    dataset
        The data set's name.
    split
        The split's name.

    Raises
    ------
    BrainmriError
        If the table cannot be read.
    """
    table = read_parquet(pairs, needed=NEEDED)
    own = table[(table["dataset"] == dataset) & (table["split"] == split) & table["seed"].isna()]
    with figure_style():
        figure = pairs_figure(own[own["other_kind"] == "model"], f"{dataset}, {split}")
        save_figure(figure, output)


def pairs_figure(rows: pd.DataFrame, where: str) -> Figure:
    """Return the matrix of a split; a sentence where there are not two models.

    Parameters
    ----------
    rows
        Rows of ``pairs.parquet`` that compare models of one split.
    where
        The split as the title names it.
    """
    if rows.empty:
        return empty_figure(f"{where}: pairs of models", "There are no two models to compare.")
    models, difference, sure = matrices(rows)
    figure = new_figure(2.0 + max(0.24 * len(models), 0.9))
    add_title(figure, f"{where}: accuracy of the model in the row less that in the column, in points")
    axes = figure.subplots()
    scale = max(LEAST_SCALE, float(np.nanmax(np.abs(difference))))
    shades = np.where(sure, 1, PALE) * difference
    image = axes.imshow(shades, cmap=COLOURS, vmin=-scale, vmax=scale, aspect="auto")
    mark_cells(axes, difference, sure, shades / scale)
    numbers = range(1, len(models) + 1)
    axes.set_xticks(range(len(models)), numbers)
    titles = [f"{model}  {number}" for number, model in zip(numbers, models, strict=True)]
    axes.set_yticks(range(len(models)), titles)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, orientation="horizontal", aspect=40, pad=0.02)
    ticks = np.array([-scale, 0, scale])
    bar.set_ticks(ticks, labels=[in_points(float(tick), sign=True) if tick else "0" for tick in ticks])
    bar.outline.set_visible(False)
    bar.set_label("points; ★: significant (p < 0.05 after Holm); pale: not")
    return figure


def matrices(rows: pd.DataFrame) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return the models, best first, how far each lies over each other, and whether that is sure."""
    means = dict(zip(rows["other"], rows["accuracy_other"], strict=True))
    means |= dict(zip(rows["model"], rows["accuracy"], strict=True))
    models = sorted(means, key=lambda name: -means[name])
    difference = np.full((len(models), len(models)), np.nan)
    sure = np.zeros(difference.shape, bool)
    for row in rows.itertuples():
        first, second = models.index(row.model), models.index(row.other)
        difference[first, second] = row.accuracy_difference
        difference[second, first] = -row.accuracy_difference
        sure[[first, second], [second, first]] = row.p_value_holm < SIGNIFICANT
    return models, difference, sure


def mark_cells(axes: Axes, difference: np.ndarray, sure: np.ndarray, shades: np.ndarray) -> None:
    """Write the number into each cell where it can be read, and a star where it is sure."""
    colours = colormaps[COLOURS]
    with_numbers = len(difference) <= NUMBERS_UP_TO
    for row, column in zip(*np.nonzero(~np.isnan(difference)), strict=True):
        value = difference[row, column]
        words = in_points(float(value), sign=True) if with_numbers else ""
        words += "★" if sure[row, column] else ""
        ink = text_colour_on(colours((shades[row, column] + 1) / 2))
        axes.text(column, row, words, ha="center", va="center", fontsize=9, color=ink)
    for place in range(len(difference)):
        axes.text(place, place, "·", ha="center", va="center", color=INK)
