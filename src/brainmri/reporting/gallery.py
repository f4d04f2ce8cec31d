"""The gallery: test images with what the model says of them, wrong ones first."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from brainmri.reporting.names import class_title
from brainmri.reporting.style import INK, MUTED, add_title, blank_axes, class_colour, new_figure

COLUMNS = 3
WRONG = 6
RIGHT = 6


def chosen_predictions(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return the predictions to show: the wrong ones of most confidence, then right ones at random.

    Parameters
    ----------
    table
        Predictions of the test part: `label`, `predicted`, `confidence`, `image_id`, ...
    seed
        Seed of the random choice.

    Returns
    -------
    pandas.DataFrame
        At most `WRONG` + `RIGHT` rows; where there are fewer wrong ones, right ones fill up.
    """
    table = table.sort_values("image_id", kind="stable")
    is_right = table["label"] == table["predicted"]
    wrong = table[~is_right].sort_values("confidence", ascending=False, kind="stable").head(WRONG)
    right = table[is_right]
    count = min(len(right), WRONG + RIGHT - len(wrong))
    positions = np.random.default_rng(seed).choice(len(right), size=count, replace=False)
    return pd.concat([wrong, right.iloc[np.sort(positions)]])


def gallery_figure(
    title: str, table: pd.DataFrame, labels: list[str], packed: np.ndarray, seed: int
) -> Figure:
    """Return test images with their classes and the probabilities as bars.

    Parameters
    ----------
    title
        The run, for the title.
    table
        Predictions of the test part with `row` (index into `packed`) and `prob_{class}`.
    labels
        The classes, in the order of their label index.
    packed
        Images of shape (N, size, size), uint8.
    seed
        Seed of the random choice.
    """
    chosen = chosen_predictions(table, seed)
    wrong = int((table["label"] != table["predicted"]).sum())
    lines = max(1, -(-len(chosen) // COLUMNS))
    figure = new_figure(1.15 + 2.3 * lines)
    words = f"{wrong or 'none'} of {len(table)} test images wrong"
    words += f": the {min(wrong, WRONG)} surest of them, then right ones" if wrong else ""
    add_title(figure, f"{title}\n{words}")
    colours = {label: class_colour(index) for index, label in enumerate(labels)}
    grid = figure.subplots(2 * lines, COLUMNS, squeeze=False, height_ratios=[1, 0.36] * lines)
    cells = list(zip(grid[0::2].ravel(), grid[1::2].ravel(), strict=True))
    for axes in grid.ravel():
        blank_axes(axes)
    for (image_axes, bar_axes), (_, prediction) in zip(cells, chosen.iterrows(), strict=False):
        _draw_prediction(image_axes, bar_axes, prediction, labels, colours, packed)
    patches = [Patch(color=colours[label], label=class_title(label)) for label in labels]
    figure.legend(
        handles=patches, loc="outside lower left", ncols=2, title="probability of", alignment="left"
    )
    return figure


def _draw_prediction(image_axes, bar_axes, prediction, labels, colours, packed) -> None:
    """Draw one image, its classes above it and its probabilities below."""
    image_axes.imshow(packed[prediction["row"]], cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
    is_right = prediction["label"] == prediction["predicted"]
    truth, said = class_title(prediction["label"]), class_title(prediction["predicted"])
    words = f"✓ {truth}\n" if is_right else f"✗ said {said}\ntrue: {truth}"
    weight = "normal" if is_right else "bold"
    image_axes.set_title(words, fontsize=8.8, fontweight=weight, pad=3, linespacing=1.15)
    probabilities = [float(prediction[f"prob_{label}"]) for label in labels]
    bar_axes.barh(range(len(labels)), [1] * len(labels), height=0.72, color="#eef0f4")
    bar_axes.barh(range(len(labels)), probabilities, height=0.72, color=[colours[label] for label in labels])
    for position, (label, probability) in enumerate(zip(labels, probabilities, strict=True)):
        weight = "bold" if label == prediction["label"] else "normal"
        ink = INK if label == prediction["label"] else MUTED
        percent = f"{100 * probability:.0f} %"
        bar_axes.text(1.04, position, percent, va="center", fontsize=7.8, fontweight=weight, color=ink)
    bar_axes.set_xlim(0, 1.45)
    bar_axes.set_ylim(len(labels) - 0.5, -0.5)
