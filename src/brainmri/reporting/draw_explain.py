"""The panel of explanations: test images, with where the model looks laid over them."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from brainmri.artefacts import read_parquet
from brainmri.errors import BrainmriError
from brainmri.images.enlarge import enlarged
from brainmri.images.store import lie_within, open_images
from brainmri.reporting.names import MAP_TITLES, class_title, run_title
from brainmri.reporting.style import (
    add_title,
    blank_axes,
    empty_figure,
    figure_style,
    new_figure,
    save_figure,
)
from brainmri.sources.synthetic.masks import lesion_mask

SHOWN = 8  # images; the table has them all
COLOURS = "plasma"  # lightness rises evenly, so that colour-blind people and gray printers see the order
OPACITY = 0.65


def draw_explain(
    dataset: str, split: str, model: str, seed: int, table: Path, images: Path, output: Path
) -> None:
    """Draw where a model looks: test images with Grad-CAM and occlusion laid over them.

    Parameters
    ----------
    dataset
        The run's data set, for the title.
    split
        Its split, for the title.
    model
        Its model, for the title.
    seed
        The run's seed, for the title.
    table
        ``explain.parquet``.
    images
        ``images_{size}.npy``, the packed array.
    output
        Where to write the panel (PNG).

    Raises
    ------
    BrainmriError
        If a file is missing, or the two do not belong together.
    """
    rows = read_parquet(table, needed=["row", "image_id", "method"], unique=["image_id", "method"])
    packed = open_images(images)
    if not lie_within(rows["row"], len(packed)):
        raise BrainmriError(f"{table} names images beyond those of {images}: run `explain` again.")
    title = run_title(dataset, split, model, seed)
    with figure_style():
        save_figure(explain_figure(title, rows, packed), output)


def explain_figure(title: str, rows: pd.DataFrame, packed: np.ndarray) -> Figure:
    """Return the first images of the table, each beside itself with its maps.

    Parameters
    ----------
    title
        The run, for the title.
    rows
        Of ``explain.parquet``; none where nothing was to be explained.
    packed
        Images of shape (N, size, size), uint8.
    """
    shown = list(dict.fromkeys(rows["image_id"]))[:SHOWN]
    if not shown:
        return empty_figure(f"{title}\nwhere it looks", "Nothing is explained: explain.images is 0.")
    figure = new_figure(1.5 + 1.62 * len(shown))
    explained = rows["image_id"].nunique()
    add_title(figure, f"{title}\nwhere it looks: {len(shown)} of the {explained} images explained")
    grid = figure.subplots(len(shown), 3, squeeze=False)
    for line, image_id in zip(grid, shown, strict=True):
        draw_line(line, rows[rows["image_id"] == image_id].set_index("method"), packed)
    scale = ScalarMappable(mpl.colors.Normalize(0, 100), COLOURS)
    bar = figure.colorbar(
        scale, ax=grid, location="bottom", aspect=40, pad=0.01, label="share of the map's own maximum (%)"
    )
    bar.outline.set_visible(False)
    return figure


def draw_line(line: np.ndarray, methods: pd.DataFrame, packed: np.ndarray) -> None:
    """Draw one image, and its maps beside it.

    Parameters
    ----------
    line : (3,) array of Axes
    methods
        The image's rows by method.
    packed
        Images of shape (N, size, size), uint8.
    """
    facts = methods.iloc[0]
    image = packed[int(facts["row"])]
    for axes in line:
        axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
        blank_axes(axes)
        if facts["lesion_mask"]:
            outline = lesion_mask(facts["lesion_mask"]).astype(float)
            axes.contour(outline, levels=[0.5], colors="white", linewidths=1, linestyles="--")
    line[0].set_title(words_of(facts), fontsize=8.2, fontweight="normal", pad=3, linespacing=1.15)
    for axes, (method, name) in zip(line[1:], MAP_TITLES.items(), strict=True):
        values = map_of(methods, method, len(image))
        if values is None:
            axes.set_title(f"\n{name}: no map", fontsize=8.2, fontweight="normal", pad=3)
            continue
        lay_over(axes, values)
        most = f", up to {100 * values.max():.0f} points" if method == "occlusion" else ""
        axes.set_title(f"\n{name}{most}", fontsize=8.2, fontweight="normal", pad=3, linespacing=1.15)


def words_of(facts: pd.Series) -> str:
    """Return an image's class, and what the model says of it with which confidence."""
    truth, said = class_title(facts["label"]), class_title(facts["predicted"])
    sure = f"{100 * facts['confidence']:.0f} %"
    right = facts["label"] == facts["predicted"]
    refer = " (uncertain)" if facts["kind"] == "uncertain" else ""
    return f"✓ {truth}\n{sure}{refer}" if right else f"✗ said {said}, {sure}{refer}\ntrue: {truth}"


def map_of(methods: pd.DataFrame, method: str, size: int) -> np.ndarray | None:
    """Return a method's map of an image; None where it has none or one that says nothing for the class."""
    if method not in methods.index:
        return None
    row = methods.loc[method]
    grid = np.reshape(row["grid"], (int(row["grid_rows"]), int(row["grid_columns"])))
    values = np.clip(enlarged(grid, size), 0, None)
    return values if values.max() > 0 else None


def lay_over(axes: Axes, values: np.ndarray) -> None:
    """Lay a map over an image: the more, the less of the image is seen through."""
    share = values / values.max()
    axes.imshow(share, cmap=COLOURS, vmin=0, vmax=1, alpha=OPACITY * share, interpolation="bilinear")
