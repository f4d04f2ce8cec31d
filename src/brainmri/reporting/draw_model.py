"""Figures of a trained model: its learning curves, its confusion matrix and a gallery of predictions."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from brainmri.artefacts import read_json, read_parquet, write_parquet
from brainmri.errors import BrainmriError
from brainmri.images.store import checked_rows, open_images
from brainmri.reporting.gallery import gallery_figure
from brainmri.reporting.gallery_table import gallery_rows, gallery_schema
from brainmri.reporting.history import least_loss_epoch
from brainmri.reporting.names import class_title, run_title
from brainmri.reporting.style import (
    GRID,
    MATRIX_COLOURS,
    MUTED,
    OKABE_ITO,
    add_title,
    figure_style,
    new_figure,
    plain_log_labels,
    save_figure,
    text_colour_on,
)
from brainmri.seeds import check_seed
from brainmri.splits.manifest import read_manifest


def draw_model(
    dataset: str,
    split: str,
    model: str,
    seed: int,
    history: Path,
    predictions: Path,
    metrics: Path,
    images: Path,
    manifest: Path,
    curves: Path,
    confusion_matrix: Path,
    gallery: Path,
    metadata: Path | None = None,
    gallery_table: Path | None = None,
) -> None:
    """Draw a trained model's learning curves, confusion matrix and a gallery of test predictions.

    Parameters
    ----------
    dataset
        The run's data set, for the titles.
    split
        Its split, for the titles.
    model
        Its model, for the titles.
    seed
        The run's seed, for the titles and for the choice of the gallery.
    history
        ``history.parquet``.
    predictions
        ``predictions.parquet``.
    metrics
        ``metrics.json``.
    images
        ``images_{size}.npy``, the packed array.
    manifest
        ``manifest.parquet``.
    curves
        Where to write the learning curves (SVG).
    confusion_matrix
        Where to write the confusion matrix of the test part (SVG).
    gallery
        Where to write the gallery (PNG).
    metadata
        ``model.json``, which knows the epoch whose weights were kept. Without it the curves mark the epoch
        of least validation loss.
    gallery_table
        Where to write ``gallery.parquet``: more test images, which the page filters and enlarges.

    Raises
    ------
    BrainmriError
        If a file is missing or the files do not belong together.
    """
    check_seed(seed)
    title = run_title(dataset, split, model, seed)
    test = read_json(metrics).get("test") or {}
    labels, counts = confusion_matrix_of(test, metrics)
    judged = ["image_id", "split", "label", "predicted", "confidence"]
    table = read_parquet(predictions, needed=judged, unique="image_id")
    rows = read_manifest(manifest, ["row"])[["image_id", "row"]]
    table = table[table["split"] == "test"].merge(rows, on="image_id", how="left")
    packed = open_images(images)
    table["row"] = checked_rows(table["row"], len(packed), predictions, "predict_split")
    kept = read_json(metadata).get("best_epoch") if metadata else None
    with figure_style():
        save_figure(curves_figure(title, read_parquet(history), kept), curves)
        save_figure(confusion_matrix_figure(title, labels, counts), confusion_matrix)
        save_figure(gallery_figure(title, table, labels, packed, seed), gallery, colours=128)
    if gallery_table:
        threshold = referral_threshold(test.get("referral") or {})
        write_parquet(
            gallery_rows(table, labels, packed, threshold, seed),
            gallery_table,
            config={"seed": seed},
            inputs=[predictions, metrics],
            schema=gallery_schema(labels),
        )


def confusion_matrix_of(test: dict, metrics: Path) -> tuple[list[str], np.ndarray]:
    """Return the classes, and the images by true and predicted class; or raise where a document has none."""
    try:
        labels = [str(label) for label in test["confusion_matrix"]["labels"]]
        counts = np.array(test["confusion_matrix"]["counts"], dtype=np.int64)
    except (KeyError, TypeError, ValueError, OverflowError):
        labels, counts = [], np.empty((0, 0))
    if not labels or counts.shape != (len(labels), len(labels)):
        raise BrainmriError(f"{metrics} has no confusion matrix of the test part: run `evaluate` again.")
    return labels, counts


def referral_threshold(referral: dict) -> float | None:
    """Return the confidence under which a case is referred: infinite where each is, None where unknown."""
    if "confidence" not in referral:
        return None
    return np.inf if referral["confidence"] is None else float(referral["confidence"])


def curves_figure(title: str, history: pd.DataFrame, best_epoch: int | None = None) -> Figure:
    """Return loss, accuracy and learning rate by epoch, with the epoch kept marked.

    Parameters
    ----------
    title
        The run, for the title.
    history
        Columns of ``history.parquet``; at least one row.
    best_epoch
        The epoch whose weights were kept; None where that is not known.

    Raises
    ------
    BrainmriError
        If there is no epoch.
    """
    if history.empty:
        raise BrainmriError(f"The history of {title} is empty: train it again.")
    figure = new_figure(5.6)
    add_title(figure, title)
    loss, accuracy, rate = figure.subplots(3, 1, sharex=True, height_ratios=[1, 1, 0.55])
    epochs = history["epoch"]
    marked, words = best_epoch, f"epoch kept: {best_epoch}"
    if marked is None:
        marked = least_loss_epoch(history)
        words = f"least validation loss: {marked}"
    # One epoch alone is no line: show the points then.
    marker = "o" if len(history) <= 25 else None
    validation, training, macro = OKABE_ITO[1], OKABE_ITO[0], OKABE_ITO[2]
    loss.plot(epochs, history["train_loss"], color=training, marker=marker, linestyle="--", label="training")
    loss.plot(epochs, history["val_loss"], color=validation, marker=marker, label="validation")
    accuracy.plot(
        epochs, history["train_accuracy"], color=training, marker=marker, linestyle="--", label="training"
    )
    accuracy.plot(epochs, history["val_accuracy"], color=validation, marker=marker, label="validation")
    if "val_macro_f1" in history:
        accuracy.plot(
            epochs,
            history["val_macro_f1"],
            color=macro,
            marker=marker,
            linestyle=":",
            label="validation macro-F1",
        )
    rate.plot(epochs, history["learning_rate"], color="#444444", drawstyle="steps-post", marker=marker)
    positive = history["learning_rate"][history["learning_rate"] > 0]
    if len(positive) and positive.max() / positive.min() > 8:
        rate.set_yscale("log")
        plain_log_labels(rate.yaxis)
    loss.set_title("loss (cross-entropy)", fontweight="normal", fontsize=10)
    accuracy.set_title("accuracy (share of images)", fontweight="normal", fontsize=10)
    rate.set_title("learning rate", fontweight="normal", fontsize=10)
    rate.set_xlabel("epoch")
    rate.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (loss, accuracy, rate):
        axes.grid(axis="y", visible=True)
        if epochs.min() <= 0:
            axes.axvspan(epochs.min() - 0.5, 0.5, color=GRID, label="linear probe (head alone)")
        axes.axvline(marked, color=MUTED, linewidth=1, linestyle=(0, (2, 2)), label=words)
    accuracy.set_ylim(top=1.0 + 0.02)
    handles = dict(zip(*accuracy.get_legend_handles_labels()[::-1], strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside lower left", ncols=2)
    return figure


def confusion_matrix_figure(title: str, labels: list[str], counts: np.ndarray) -> Figure:
    """Return the confusion matrix with counts and row percent.

    Parameters
    ----------
    title
        The run, for the title.
    labels
        The K classes, in the order of rows and columns.
    counts
        Images by true class (row) and predicted class (column), shape (K, K).
    """
    counts = counts.astype("int64")
    sums = counts.sum(axis=1, keepdims=True)
    shares = np.divide(100.0 * counts, sums, out=np.zeros(counts.shape), where=sums > 0)
    figure = new_figure(4.5)
    axes = figure.subplots()
    image = axes.imshow(shares, cmap=MATRIX_COLOURS, vmin=0, vmax=100)
    colours = mpl.colormaps[MATRIX_COLOURS]
    for row in range(len(labels)):
        for column in range(len(labels)):
            ink = text_colour_on(colours(shares[row, column] / 100))
            cell = f"{counts[row, column]}\n{shares[row, column]:.1f} %"
            axes.text(column, row, cell, ha="center", va="center", color=ink, fontsize=9.5)
    names = [class_title(label) for label in labels]
    axes.set_xticks(range(len(labels)), names, rotation=25, ha="right", rotation_mode="anchor")
    rows = [f"{name}\nn = {count}" for name, count in zip(names, sums[:, 0], strict=True)]
    axes.set_yticks(range(len(labels)), rows)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set(xlabel="predicted", ylabel="true")
    add_title(figure, f"Confusion matrix of {title}")
    axes.set_title(f"test part: {counts.sum()} images", fontweight="normal", fontsize=10)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, aspect=24, label="share of the true class (%)")
    bar.outline.set_visible(False)
    return figure
