"""Figures behind a model's numbers: ROC, precision and recall, reliability, risk and coverage, benefit."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brainmri.artefacts import read_json, read_parquet
from brainmri.errors import BrainmriError
from brainmri.mapping import is_number
from brainmri.reporting.names import class_title, run_title
from brainmri.reporting.numbers import decimal, percent
from brainmri.reporting.style import (
    MUTED,
    OKABE_ITO,
    add_title,
    class_colour,
    figure_style,
    new_figure,
    save_figure,
)
from brainmri.reporting.words import value

# Beside its colour each class has its own dashes, for print in gray.
DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))
ORANGE, BLUE = OKABE_ITO[0], OKABE_ITO[1]
SIDE = 4.9
BAND = 0.16  # opacity


def draw_curves(
    dataset: str,
    split: str,
    model: str,
    seed: int,
    curves: Path,
    metrics: Path,
    roc: Path,
    precision_recall: Path,
    reliability: Path,
    risk_coverage: Path,
    decision: Path,
) -> None:
    """Draw the curves of a model's test part, each with its intervals.

    Parameters
    ----------
    dataset
        The run's data set, for the titles.
    split
        Its split, for the titles.
    model
        Its model, for the titles.
    seed
        The run's seed, for the titles.
    curves
        ``curves.parquet``.
    metrics
        ``metrics.json``, for the numbers in the legends.
    roc
        Where to write the ROC curves of the classes (SVG).
    precision_recall
        Where to write their precision–recall curves (SVG).
    reliability
        Where to write accuracy against confidence, before and after the temperature (SVG).
    risk_coverage
        Where to write the share of errors by the share of images kept (SVG).
    decision
        Where to write the decision curve, tumour against none (SVG).

    Raises
    ------
    BrainmriError
        If a file is missing or the files do not belong together.
    """
    title = run_title(dataset, split, model, seed)
    table = read_parquet(curves, needed=["curve", "label", "x", "y", "low", "high"])
    test = read_json(metrics).get("test") or {}
    if not {"referral", "calibration", "per_class", "ece"} <= set(test) or table.empty:
        raise BrainmriError(f"{metrics} or {curves} lacks what is drawn: run `evaluate` again.")
    figures = (
        (class_figure, "roc", roc),
        (class_figure, "precision_recall", precision_recall),
        (reliability_figure, "reliability", reliability),
        (risk_figure, "risk_coverage", risk_coverage),
        (decision_figure, "decision", decision),
    )
    with figure_style():
        for figure_of, name, path in figures:
            own = table[table["curve"].str.startswith(name)]
            save_figure(figure_of(title, name, own, test), path)


# Of a curve of classes: its title, the words on its axes, and the metric in its legend.
CLASS_CURVES = {
    "roc": (
        "ROC: each class against the rest",
        "false alarms: share of the other images (%)",
        "sensitivity: share of the class (%)",
        ("AUROC", "auroc"),
    ),
    "precision_recall": (
        "precision and recall of each class",
        "recall: share of the class that is found (%)",
        "precision: share of what is named so (%)",
        ("average precision", "average_precision"),
    ),
}


def class_figure(title: str, name: str, rows: pd.DataFrame, test: dict) -> Figure:
    """Return the curves of all classes, each with its band.

    Parameters
    ----------
    title
        The run, for the title.
    name
        ``roc`` or ``precision_recall``.
    rows
        Of ``curves.parquet``.
    test
        The test part of ``metrics.json``.
    """
    words, across, upward, (short, metric) = CLASS_CURVES[name]
    figure, axes = square(f"{title}\n{words}", across, upward)
    if name == "roc":
        axes.plot([0, 100], [0, 100], color=MUTED, linewidth=1, linestyle=(0, (2, 2)), label="by chance")
    for index, (label, entries) in enumerate(test["per_class"].items()):
        own = rows[rows["label"] == label]
        if own.empty:
            continue
        colour, told = class_colour(index), f"{class_title(label)}: {value(metric, entries.get(metric))}"
        x, y = 100 * own["x"], 100 * own["y"]
        if name == "roc":
            x, y = np.r_[0, x], np.r_[0, y]
        axes.plot(x, y, color=colour, linestyle=DASHES[index % len(DASHES)], label=told)
        band(axes, own, colour)
    legend(figure, axes, f"{short}, 95 % interval over groups")
    return figure


def reliability_figure(title: str, name: str, rows: pd.DataFrame, test: dict) -> Figure:
    """Return accuracy against confidence in bins of equal mass, before and after the temperature."""
    calibration = test["calibration"]
    figure, axes = square(
        f"{title}\nreliability before and after the temperature",
        "confidence (mean of the bin, %)",
        "accuracy (share of the bin, %)",
    )
    axes.plot(
        [0, 100], [0, 100], color=MUTED, linewidth=1, linestyle=(0, (2, 2)), label="it means what it says"
    )
    for when, colour, dashes, marker in (("before", ORANGE, DASHES[1], "s"), ("after", BLUE, "-", "o")):
        own = rows[rows["curve"] == f"{name}_{when}"]
        ece, brier = (decimal(calibration.get(f"{measure}_{when}")) for measure in ("ece", "brier"))
        axes.errorbar(
            100 * own["x"],
            100 * own["y"],
            100 * np.abs(own[["low", "high"]].to_numpy().T - own["y"].to_numpy()),
            color=colour,
            linestyle=dashes,
            linewidth=1.4,
            elinewidth=0.9,
            marker=marker,
            label=f"{when}: ECE {ece}, Brier {brier}",
        )
    floor = max(0.0, min(100 * rows["x"].min(), 100 * rows["low"].min()) - 3)
    axes.set(xlim=(floor, 101), ylim=(floor, 101))
    legend(figure, axes, "bars: 95 % intervals over groups")
    return figure


def risk_figure(title: str, name: str, rows: pd.DataFrame, test: dict) -> Figure:
    """Return the share of errors among the surest images by how many are kept, the threshold marked."""
    referral = test["referral"]
    figure, axes = square(
        f"{title}\nerrors left when the unsure are referred",
        "kept: share of the images, the surest first (%)",
        "errors among those kept (%)",
        equal=False,
    )
    area = value("aurc", test["aurc"])
    axes.plot(100 * rows["x"], 100 * rows["y"], color=BLUE, label=f"errors; area {area}")
    # Of the first few images nothing can be said: their band would hide the rest.
    band(axes, rows, BLUE)
    wished, coverage, confidence = (referral.get(key) for key in ("wished_error", "coverage", "confidence"))
    if is_number(wished):
        axes.axhline(
            100 * wished, color=MUTED, linewidth=1, linestyle=(0, (2, 2)), label=f"wished: {percent(wished)}"
        )
    if is_number(confidence) and coverage:
        at = float(np.interp(coverage, rows["x"], rows["y"]))
        axes.axvline(100 * coverage, color=ORANGE, linewidth=1)
        told = f"threshold {percent(confidence)}: {percent(coverage)} kept, {percent(at)} of them wrong"
        axes.plot([100 * coverage], [100 * at], "D", color=ORANGE, markersize=6, label=told)
    settled = rows[rows["x"] >= 0.2]
    axes.set(xlim=(0, 101), ylim=(0, max(5.0, 110 * settled["high"].max(), 120 * (wished or 0))))
    legend(figure, axes, "band: 95 % intervals over groups")
    return figure


def decision_figure(title: str, name: str, rows: pd.DataFrame, test: dict) -> Figure:
    """Return the net benefit of acting on the model, on everybody and on nobody."""
    figure, axes = square(
        f"{title}\ndecision curve: any tumour against none",
        "risk of a tumour from which one would act (%)",
        "net benefit (true alarms per 100 images)",
        equal=False,
    )
    model, everybody = (rows[rows["curve"] == curve] for curve in (name, f"{name}_all"))
    if model.empty:
        axes.text(0.5, 0.5, "no class without tumour", transform=axes.transAxes, ha="center", color=MUTED)
        return figure
    axes.plot(
        100 * everybody["x"],
        100 * everybody["y"],
        color=ORANGE,
        linestyle=DASHES[1],
        label="act on everybody",
    )
    axes.axhline(0, color=MUTED, linewidth=1.2, linestyle=(0, (2, 2)), label="act on nobody")
    axes.plot(100 * model["x"], 100 * model["y"], color=BLUE, label="act on the model")
    band(axes, model, BLUE)
    top = 100 * float(np.nanmax(model[["y", "high"]].to_numpy()))
    axes.set(xlim=(0, 100), ylim=(-0.12 * top, 1.08 * top))
    legend(figure, axes, "band: 95 % intervals over groups")
    return figure


def square(title: str, across: str, upward: str, equal: bool = True) -> tuple[Figure, Axes]:
    """Return a figure with one pair of axes in percent."""
    figure = new_figure(SIDE + 0.4)
    add_title(figure, title)
    axes = figure.subplots()
    axes.set(xlabel=across, ylabel=upward)
    if equal:
        axes.set(xlim=(-1, 101), ylim=(-1, 101))
    axes.grid(visible=True)
    return figure, axes


def band(axes: Axes, rows: pd.DataFrame, colour: str) -> None:
    """Fill the interval around a curve."""
    known = rows.dropna(subset=["low", "high"])
    axes.fill_between(
        100 * known["x"], 100 * known["low"], 100 * known["high"], color=colour, alpha=BAND, linewidth=0
    )


def legend(figure: Figure, axes: Axes, title: str) -> None:
    """Put the legend under the axes, where it hides no curve."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower left",
        title=title,
        alignment="left",
        title_fontsize=9,
    )
