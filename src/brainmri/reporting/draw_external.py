"""The figure of a model's data sets: what it scores on each, trained on each."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from brainmri.artefacts import read_parquet
from brainmri.errors import BrainmriError, nearest
from brainmri.reporting.external_cells import diagonal
from brainmri.reporting.style import (
    GRID,
    MATRIX_COLOURS,
    MUTED,
    add_title,
    figure_style,
    new_figure,
    save_figure,
    text_colour_on,
)

METRIC = "accuracy"
NEEDED = ("trained_on", "split", "model", "seed", "tested_on", "metric", "value", "low", "high", "n_images")
INTERVALS_UP_TO = 4  # data sets; in a wider matrix an interval would not fit into its cell


def draw_external(external: Path, model: str, output: Path) -> None:
    """Draw a model's accuracy on every data set, trained on every data set, with intervals.

    Parameters
    ----------
    external
        ``external.parquet``.
    model
        The model's name.
    output
        Where to write the figure (SVG).

    Raises
    ------
    BrainmriError
        If the table has no row of the model.
    """
    table = read_parquet(external, needed=NEEDED)
    own = table[(table["model"] == model) & (table["metric"] == METRIC) & table["seed"].isna()]
    if own.empty:
        known = sorted(table["model"].unique())
        raise BrainmriError(
            f"{external} has no model '{model}'. {nearest(model, known) if known else 'It is empty.'}"
        )
    with figure_style():
        save_figure(matrix_figure(own, model), output)


def matrix_figure(rows: pd.DataFrame, model: str) -> Figure:
    """Return the matrix: a line for each data set and split trained on, a column for each tested on.

    Parameters
    ----------
    rows
        Rows of ``external.parquet`` of one model and one metric, the means over seeds.
    model
        As the title names it.
    """
    shown = pd.concat([diagonal(rows), rows[rows["trained_on"] != rows["tested_on"]]])
    lines = shown[["trained_on", "split"]].drop_duplicates().sort_values(["trained_on", "split"])
    lines = list(lines.itertuples(index=False, name=None))
    columns = sorted({*shown["trained_on"], *shown["tested_on"]})
    figure = new_figure(1.75 + 0.72 * len(lines))
    add_title(figure, f"{model}: accuracy on the data set in the column, trained on that in the line")
    axes = figure.subplots()
    values = np.full((len(lines), len(columns)), np.nan)
    cells = {}
    for row in shown.to_dict("records"):
        place = lines.index((row["trained_on"], row["split"])), columns.index(row["tested_on"])
        values[place], cells[place] = row["value"], row
    image = axes.imshow(values, cmap=MATRIX_COLOURS, vmin=0, vmax=1, aspect="auto")
    for place in np.ndindex(values.shape):
        write_cell(axes, place, cells.get(place), len(columns) <= INTERVALS_UP_TO)
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(lines)), [f"{dataset}\n{split}" for dataset, split in lines])
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, orientation="horizontal", aspect=40, pad=0.03)
    bar.set_ticks([0, 0.5, 1], labels=["0", "50", "100 %"])
    bar.outline.set_visible(False)
    bar.set_label("accuracy, 95 % interval, images; framed: own test part")
    return figure


def write_cell(axes: Axes, place: tuple[int, int], row: dict | None, with_interval: bool) -> None:
    """Write value, interval and number of images into a cell, and frame it where it is the own test part."""
    line, column = place
    if row is None or np.isnan(row["value"]):
        axes.add_patch(Rectangle((column - 0.5, line - 0.5), 1, 1, facecolor=GRID, edgecolor="white"))
        words = "–" if row is None else "no image\nleft"
        axes.text(column, line, words, ha="center", va="center", fontsize=9, color=MUTED)
        return
    words = f"{100 * row['value']:.1f} %"
    if with_interval:
        words += f"\n{100 * row['low']:.1f}–{100 * row['high']:.1f}\nn = {row['n_images']:.0f}"
    ink = text_colour_on(colormaps[MATRIX_COLOURS](row["value"]))
    axes.text(column, line, words, ha="center", va="center", fontsize=9, color=ink, linespacing=1.15)
    is_own = row["trained_on"] == row["tested_on"]
    # In the letters' colour, which stands out from the cell whatever its value.
    width, edge, inset = (2.5, ink, 0.46) if is_own else (1.5, "white", 0.5)
    axes.add_patch(
        Rectangle(
            (column - inset, line - inset), 2 * inset, 2 * inset, fill=False, edgecolor=edge, linewidth=width
        )
    )
