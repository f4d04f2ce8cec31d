"""Figures of a data set: random images of each class, and images before and after the crop."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from brainmri.artefacts import read_parquet
from brainmri.errors import BrainmriError
from brainmri.images.crop import read_gray
from brainmri.images.decoder_messages import decoder_messages
from brainmri.images.store import lie_within, open_images
from brainmri.labels import CLASS_NAMES
from brainmri.reporting.names import class_title
from brainmri.reporting.style import OKABE_ITO, add_title, blank_axes, figure_style, new_figure, save_figure
from brainmri.seeds import check_seed

SAMPLES_PER_CLASS = 6
CROPS_PER_CLASS = 2
FALLBACKS = 4


def draw_dataset(
    dataset: str,
    raw: Path,
    inventory: Path,
    images: Path,
    crops: Path,
    samples: Path,
    before_after: Path,
    seed: int = 0,
) -> None:
    """Draw random images of each class, and images before and after the crop.

    Parameters
    ----------
    dataset
        The data set's name, for the titles.
    raw
        Folder of the original files.
    inventory
        ``inventory.parquet``.
    images
        ``images_{size}.npy``, the packed array.
    crops
        ``crops_{size}.parquet``, the crop box of each image.
    samples
        Where to write the grid of random images (PNG).
    before_after
        Where to write the figure of the crops (PNG).
    seed
        Seed of the random choice.

    Raises
    ------
    BrainmriError
        If the tables do not belong together, or hold no image.
    """
    check_seed(seed)
    boxes = ["row", "left", "top", "right", "bottom", "area_fraction", "fallback"]
    kept = read_parquet(crops, needed=["image_id", *boxes], unique="image_id")
    known = read_parquet(inventory, needed=["image_id", "path", "label"], unique="image_id")
    table = kept.merge(known, on="image_id", how="left")
    packed = open_images(images)
    if table.empty:
        raise BrainmriError(f"{crops} holds no image: see the reasons in {inventory}.")
    if table[["path", *boxes]].isna().any(axis=None) or not lie_within(table["row"], len(packed)):
        raise BrainmriError(f"{crops} and {images} do not belong together: run the stage `crop` again.")
    table["label"] = table["label"].astype(object).where(table["label"].notna(), None)
    generator = np.random.default_rng(seed)
    with figure_style(), decoder_messages():
        chosen = chosen_of_each_class(table, SAMPLES_PER_CLASS, generator)
        save_figure(samples_figure(dataset, chosen, packed), samples, colours=128)
        kept = chosen_of_each_class(table[~table["fallback"]], CROPS_PER_CLASS, generator)
        rejected = table[table["fallback"]]
        rejected = rejected.loc[_drawn(rejected.index, FALLBACKS, generator)]
        figure = crops_figure(dataset, kept, rejected, int(table["fallback"].sum()), len(table), raw, packed)
        save_figure(figure, before_after, colours=128)


def _drawn(index: pd.Index, count: int, generator: np.random.Generator) -> list:
    """Return `count` entries of an index (or all, where fewer), drawn at random, in their order."""
    positions = generator.choice(len(index), size=min(count, len(index)), replace=False)
    return [index[position] for position in sorted(positions)]


def chosen_of_each_class(
    table: pd.DataFrame, count: int, generator: np.random.Generator
) -> dict[str | None, pd.DataFrame]:
    """Return `count` random rows of each class (fewer where it has fewer), classes in canonical order."""
    order = {name: index for index, name in enumerate(CLASS_NAMES)}
    names = sorted(table["label"].dropna().unique(), key=lambda name: (order.get(name, len(order)), name))
    names += [None] if table["label"].isna().any() else []
    chosen = {}
    for name in names:
        members = table[table["label"].isna() if name is None else table["label"] == name]
        chosen[name] = members.loc[_drawn(members.index, count, generator)]
    return chosen


def samples_figure(dataset: str, chosen: dict[str | None, pd.DataFrame], packed: np.ndarray) -> Figure:
    """Return a grid of images, one row a class.

    Parameters
    ----------
    dataset
        The data set's name.
    chosen
        The rows (`row` into `packed`) to show of each class.
    packed
        Images of shape (N, size, size), uint8.
    """
    figure = new_figure(0.45 + 1.04 * len(chosen))
    add_title(figure, f"{dataset}: random images of each class")
    grid = figure.subplots(len(chosen), SAMPLES_PER_CLASS, squeeze=False)
    for axes_row, (name, members) in zip(grid, chosen.items(), strict=True):
        for axes in axes_row:
            blank_axes(axes)
        axes_row[0].set_title(class_title(name), fontsize=10, fontweight="normal", pad=3)
        for axes, row in zip(axes_row, members["row"], strict=False):
            axes.imshow(packed[row], cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
    return figure


def crops_figure(
    dataset: str,
    kept: dict[str | None, pd.DataFrame],
    rejected: pd.DataFrame,
    fallbacks: int,
    total: int,
    raw: Path,
    packed: np.ndarray,
) -> Figure:
    """Return pairs of an original with its crop box and the image as stored.

    Parameters
    ----------
    dataset
        The data set's name.
    kept
        Rows of inventory and crops to show of each class, whose crop was used.
    rejected
        Rows to show whose crop was rejected (the whole image is kept).
    fallbacks, total
        How many of the data set's images are so, and how many it has.
    raw
        Folder of the original files.
    packed
        Images of shape (N, size, size), uint8.
    """
    pairs = [(class_title(name), row) for name, rows in kept.items() for _, row in rows.iterrows()]
    pairs += [("whole image kept", row) for _, row in rejected.iterrows()]
    lines = max(1, -(-len(pairs) // 2))
    figure = new_figure(0.75 + 1.42 * lines)
    share = 100 * fallbacks / total
    words = f"{dataset}: original with its crop box, and as stored.\n"
    words += f"Crop rejected: {fallbacks} of {total} ({share:.1f} %)."
    add_title(figure, words)
    grid = figure.subplots(lines, 4, squeeze=False).reshape(-1, 2)
    for axes in grid.ravel():
        blank_axes(axes)
    for (original_axes, stored_axes), (title, row) in zip(grid, pairs, strict=False):
        _draw_pair(original_axes, stored_axes, title, row, raw, packed)
    return figure


def _draw_pair(original_axes, stored_axes, title: str, row: pd.Series, raw: Path, packed: np.ndarray) -> None:
    """Draw one original with its box, and beside it the stored image."""
    gray = read_gray(f"{raw}/{row['path']}")
    original_axes.imshow(gray, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
    colour = OKABE_ITO[0] if row["fallback"] else OKABE_ITO[5]
    box = (row["left"] - 0.5, row["top"] - 0.5)
    size = (row["right"] - row["left"], row["bottom"] - row["top"])
    original_axes.add_patch(Rectangle(box, *size, fill=False, edgecolor=colour, linewidth=2.2, clip_on=False))
    original_axes.set_title(
        f"{title}\n{gray.shape[1]}×{gray.shape[0]} px", fontsize=8.5, fontweight="normal", pad=3
    )
    stored_axes.imshow(packed[row["row"]], cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
    stored = packed.shape[1]
    stored_axes.set_title(
        f"{100 * row['area_fraction']:.0f} % of area\n{stored}×{stored} px",
        fontsize=8.5,
        fontweight="normal",
        pad=3,
    )
