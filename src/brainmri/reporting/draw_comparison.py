"""The figure of a study: accuracy and macro-F1 of every model, its protocols side by side."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from brainmri.artefacts import read_parquet
from brainmri.errors import BrainmriError
from brainmri.reporting.style import (
    OKABE_ITO,
    PROTOCOL_COLOURS,
    add_title,
    figure_style,
    new_figure,
    save_figure,
)

METRICS = {"accuracy": "accuracy", "macro_f1": "macro-F1"}
NEEDED = (
    *("dataset", "split", "protocol", "model", "seed", "part"),
    *(name + suffix for name in METRICS for suffix in ("", "_low", "_high")),
)
MARKERS = ("o", "s", "D", "^", "v", "P")


def draw_comparison(comparison: Path, output: Path) -> None:
    """Draw accuracy and macro-F1 on the test parts with their intervals, protocols side by side.

    Parameters
    ----------
    comparison
        ``comparison.parquet``.
    output
        Where to write the figure (SVG).

    Raises
    ------
    BrainmriError
        If the table holds no test part.
    """
    table = read_parquet(comparison, needed=NEEDED)
    table = table[table["part"] == "test"]
    if table.empty:
        raise BrainmriError(f"{comparison} holds no test part: run `evaluate` and `compare` again.")
    with figure_style():
        save_figure(comparison_figure(table), output)


def split_marks(table: pd.DataFrame) -> dict[str, tuple[str, str, str]]:
    """Return for each split its legend, colour and marker, in the order of appearance."""
    marks, taken = {}, set()
    for split, protocol in table[["split", "protocol"]].drop_duplicates("split").itertuples(index=False):
        colour = PROTOCOL_COLOURS.get(protocol)
        if colour is None or colour in taken:
            colour = next((other for other in OKABE_ITO if other not in taken), OKABE_ITO[0])
        taken.add(colour)
        legend = split if split == protocol else f"{split} ({protocol})"
        marks[split] = (legend, colour, MARKERS[len(marks) % len(MARKERS)])
    return marks


def comparison_figure(table: pd.DataFrame) -> Figure:
    """Return points with intervals: a panel for each data set and metric, a line for each model.

    Parameters
    ----------
    table
        Rows of ``comparison.parquet``, of one part only.
    """
    datasets, marks = list(table["dataset"].unique()), split_marks(table)
    models = {name: list(table.loc[table["dataset"] == name, "model"].unique()) for name in datasets}
    seeds = sorted(table["seed"].unique())
    step = 0.17 * max(1, len(marks) * len(seeds)) + 0.3
    heights = [0.7 + step * len(models[name]) for name in datasets]
    figure = new_figure(1.5 + sum(heights) + (0.2 if len(seeds) > 1 else 0))
    add_title(figure, "Test parts: value and 95 % interval")
    panels = figure.subplots(
        len(datasets), 2, squeeze=False, sharey="row", sharex="all", height_ratios=heights
    )
    for panel, dataset in zip(panels, datasets, strict=True):
        rows = table[table["dataset"] == dataset]
        for axes, (metric, title) in zip(panel, METRICS.items(), strict=True):
            _draw_panel(axes, rows, metric, models[dataset], marks)
            axes.set_title(title, fontweight="normal", fontsize=10)
        # Above the metric's name, where a long one may run on over the second panel.
        panel[0].set_title(f"{dataset}\n{METRICS['accuracy']}", fontweight="normal", fontsize=10)
    lows = pd.concat([table[f"{metric}_low"].fillna(table[metric]) for metric in METRICS])
    # Cut at the lowest interval: the differences are what the figure is for.
    start = max(0.0, np.floor(20 * (np.nan_to_num(lows.min()) - 0.02)) / 20)
    panels[0][0].set_xlim(start, 1.015)
    panels[0][0].xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
    unit = "%" + (f", from {100 * start:.0f}" if start else "")
    for axes in panels[-1]:
        axes.set_xlabel(unit)
    handles, legends = panels[0][0].get_legend_handles_labels()
    known = dict(zip(legends, handles, strict=True))
    told = f"one point a seed, from above: {', '.join(map(str, seeds))}" if len(seeds) > 1 else None
    figure.legend(
        known.values(),
        known.keys(),
        loc="outside lower left",
        ncols=min(3, len(known)),
        title=told,
        title_fontsize=9,
        alignment="left",
    )
    return figure


def _draw_panel(axes, rows: pd.DataFrame, metric: str, models: list[str], marks: dict) -> None:
    """Draw one metric of one data set: each model a line, each split and seed a point on it."""
    seeds = sorted(rows["seed"].unique())
    slots = [(split, seed) for split in marks for seed in seeds]
    offsets = dict(zip(slots, np.linspace(-0.34, 0.34, len(slots)) if len(slots) > 1 else [0.0], strict=True))
    for (split, seed), offset in offsets.items():
        legend, colour, marker = marks[split]
        chosen = rows[(rows["split"] == split) & (rows["seed"] == seed)].dropna(subset=[metric])
        if chosen.empty:
            continue
        heights = [models.index(model) + offset for model in chosen["model"]]
        low = chosen[f"{metric}_low"].fillna(chosen[metric])
        high = chosen[f"{metric}_high"].fillna(chosen[metric])
        axes.hlines(heights, low, high, color=colour, linewidth=2, alpha=0.55)
        axes.plot(chosen[metric], heights, marker, color=colour, markersize=5.5, label=legend)
    axes.set_yticks(range(len(models)), models)
    axes.set_ylim(len(models) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", visible=True)
    for border in range(1, len(models)):
        axes.axhline(border - 0.5, color="#eceef2", linewidth=0.8)
