"""What leakage is: pictures of it, and what it does to a score."""

import numpy as np
import pandas as pd
from figures.canvas import TITLE, show_slice
from figures.study import THUMBNAIL, PhantomStudy
from matplotlib.figure import Figure

from brainmri.reporting.style import PROTOCOL_COLOURS, add_title, new_figure

SEEDS = 5
PROTOCOLS = ("random", "grouped")


def twins_figure(study: PhantomStudy) -> Figure:
    """Return three pairs of files that must not lie on two sides of a split."""
    pairs = {
        "the same picture": study.planted_pair("bytes"),
        "a mirrored copy": study.planted_pair("mirrored"),
        "the same patient": study.neighbours("meningioma", "sagittal"),
    }
    figure = new_figure(3.2, width=4.4)
    add_title(figure, "Three ways to see the test before the exam")
    grid = figure.subplots(2, 3)
    for (upper, lower), (name, (first, second)) in zip(grid.T, pairs.items(), strict=True):
        show_slice(upper, study.gray(first["image_id"]), name)
        show_slice(lower, study.gray(second["image_id"]))
    for axes, words in zip(grid[:, 0], ("training part", "test part"), strict=True):
        axes.set_ylabel(words)
    return figure


def standardised(images: np.ndarray) -> np.ndarray:
    """Return each image (N, S, S) as a row of mean 0 and length 1, float32, (N, S·S)."""
    rows = images.reshape(len(images), -1).astype(np.float32)
    rows -= rows.mean(axis=1, keepdims=True)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)


def nearest_neighbours(train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Return for each test row the index of the training row that it correlates with most."""
    return (test @ train.T).argmax(axis=1)


def labels_by_lot(groups: pd.Series, classes: int, seed: int) -> np.ndarray:
    """Draw one label for each group, and return that of every row: shape (N,), int."""
    codes, names = pd.factorize(groups, sort=True)
    return np.random.default_rng(seed).integers(classes, size=len(names))[codes]


def leak_accuracies(study: PhantomStudy) -> dict[str, dict[str, list[float]]]:
    """Score a nearest neighbour on thumbnails under both protocols, with true labels and with lots.

    Returns
    -------
    dict
        ``{"true"|"lots": {protocol: accuracies of SEEDS splits}}``.
    """
    rows = standardised(study.images(THUMBNAIL))
    scores = {kind: {protocol: [] for protocol in PROTOCOLS} for kind in ("true", "lots")}
    for protocol in PROTOCOLS:
        for seed in range(SEEDS):
            table = study.manifest(protocol, seed)
            place = table["row"].to_numpy(int)
            train, test = (np.flatnonzero(table["split"] == part) for part in ("train", "test"))
            nearest = train[nearest_neighbours(rows[place[train]], rows[place[test]])]
            truth = table["label_index"].to_numpy(int)
            for kind, labels in {
                "true": truth,
                "lots": labels_by_lot(table["group_id"], truth.max() + 1, seed),
            }.items():
                scores[kind][protocol].append(float((labels[nearest] == labels[test]).mean()))
    return scores


def leak_figure(scores: dict[str, dict[str, list[float]]]) -> Figure:
    """Return the accuracies of the nearest neighbour: bars of the mean, a point for each split."""
    figure = new_figure(3.3)
    add_title(figure, "Looking up the most similar training image:\none data set, two ways to split it")
    axes = figure.subplots()
    for kind_index, kind in enumerate(scores):
        for protocol_index, protocol in enumerate(PROTOCOLS):
            values = 100 * np.array(scores[kind][protocol])
            place = kind_index + 0.36 * (protocol_index - 0.5)
            label = {"random": "random split (leaks)", "grouped": "grouped split (does not)"}[protocol]
            axes.bar(
                place,
                values.mean(),
                0.32,
                color=PROTOCOL_COLOURS[protocol],
                label=label if kind_index == 0 else None,
            )
            spread = np.linspace(-0.08, 0.08, len(values))
            axes.plot(place + spread, values, "o", color="white", markeredgecolor="black", markersize=4)
            axes.text(place, 1.5, f"{values.mean():.0f} %", ha="center", color="white", fontsize=10)
    axes.axhline(25, color="black", linewidth=1, linestyle=":", label="guessing: 25 %")
    axes.set_xticks([0, 1], ["true labels", "labels drawn by lot,\none for each patient"])
    axes.set(ylim=(0, 100), ylabel="test accuracy (%)")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=1)
    axes.set_title(f"mean and single scores of {SEEDS} splits", **TITLE)
    return figure
