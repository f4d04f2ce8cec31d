"""Figure of the odd files of a data set: what was rejected or remarked, as far as it can be shown."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from brainmri.artefacts import read_parquet
from brainmri.errors import BrainmriError
from brainmri.images.decoder_messages import decoder_messages
from brainmri.images.folders import is_named_image
from brainmri.images.remarks import SEPARATOR
from brainmri.images.salvage import salvaged
from brainmri.reporting.choice import evenly
from brainmri.reporting.names import shortened
from brainmri.reporting.odd_files import odd_files
from brainmri.reporting.style import (
    GRID,
    INK,
    MUTED,
    OKABE_ITO,
    add_title,
    blank_axes,
    figure_style,
    new_figure,
    save_figure,
)

COLUMNS = 4
PER_KIND = 4
# So many files of a kind are opened to find some of which there is something to see.
OPENED = 12
# A larger file is not read for a thumbnail.
MAXIMUM_BYTES = 1 << 26
LETTERS = 19  # of a file's name


def draw_quality(dataset: str, raw: Path, inventory: Path, output: Path) -> None:
    """Draw thumbnails of the odd files of a data set.

    Parameters
    ----------
    dataset
        The data set's name, for the title.
    raw
        Folder of the original files.
    inventory
        ``inventory.parquet``.
    output
        Where to write the figure (PNG).
    """
    table = read_parquet(
        inventory, needed=["image_id", "path", "status", "remarks", "width", "height", "bytes"]
    )
    tiles, names = [], set()
    with decoder_messages():
        for kind, files in odd_files(table).items():
            # A file with several remarks is shown once.
            tiles += tiles_of(kind, files[~files["image_id"].isin(names)], Path(raw))
            names |= {row["image_id"] for row, _ in tiles}
    with figure_style():
        save_figure(quality_figure(dataset, tiles, len(table)), output, colours=128)


def tiles_of(kind: str, files: pd.DataFrame, raw: Path) -> list[tuple[pd.Series, np.ndarray | None]]:
    """Return a few files of one kind, those with something to see first, each with its picture or None."""
    if kind == "foreign":
        files = files.loc[[is_named_image(path) for path in files["path"]]]
    if files.empty:
        return []
    # Spread over all of them, so that not all are neighbours.
    chosen = files.iloc[evenly(len(files), OPENED)]
    tiles = [
        # Text that is burnt in may name a patient.
        (row, None if "burned_in" in str(row["remarks"]) else picture_of(raw / row["path"]))
        for _, row in chosen.iterrows()
    ]
    seen = [tile for tile in tiles if tile[1] is not None]
    # Of foreign files only pictures are shown: that a text is no image is no news.
    blank = [tile for tile in tiles if tile[1] is None and kind != "foreign"]
    return (seen + blank)[:PER_KIND]


def picture_of(path: Path) -> np.ndarray | None:
    """Return what can be shown of a file."""
    try:
        if not 0 < path.stat().st_size <= MAXIMUM_BYTES:
            return None
        return salvaged(path.read_bytes())
    except OSError as error:
        raise BrainmriError(f"Cannot read {path} ({error.strerror}): fetch the data set again.") from error


def quality_figure(dataset: str, tiles: list[tuple[pd.Series, np.ndarray | None]], total: int) -> Figure:
    """Return a grid of thumbnails, or a figure that says that there is none.

    Parameters
    ----------
    dataset
        The data set's name.
    tiles
        The rows of the files to show, each with its picture or None.
    total
        How many files the data set has.
    """
    if not tiles:
        figure = new_figure(0.45)
        add_title(figure, f"{dataset}: no odd files to show among {total}")
        return figure
    lines = -(-len(tiles) // COLUMNS)
    figure = new_figure(0.4 + 1.63 * lines)
    add_title(figure, f"{dataset}: odd files, a few of each kind")
    grid = figure.subplots(lines, COLUMNS, squeeze=False).ravel()
    for axes in grid:
        blank_axes(axes).set_box_aspect(1)
    for axes, (row, picture) in zip(grid, tiles, strict=False):
        draw_tile(axes, row, picture)
    return figure


def draw_tile(axes, row: pd.Series, picture: np.ndarray | None) -> None:
    """Draw one file with its status or remarks above and name and size below it; gray where it is blank."""
    is_used = row["status"] == "ok"
    words = row["remarks"].replace("_", " ").split(SEPARATOR) if is_used else [row["status"]]
    # More than two remarks are cut short: the name leads to the table.
    words = [*words[:1], f"+ {len(words) - 1} more"] if len(words) > 2 else words
    axes.set_title("\n".join(words), fontsize=8.5, pad=3, color=INK if is_used else OKABE_ITO[0])
    if picture is None:
        axes.set_facecolor(GRID)
        place = {"transform": axes.transAxes, "ha": "center", "va": "center"}
        axes.text(0.5, 0.5, row["status"], color=MUTED, fontsize=9, **place)
    else:
        axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
    name = shortened(row["path"].rsplit("/", 1)[-1], LETTERS, LETTERS // 2)
    axes.set_xlabel(f"{name}\n{size_of(row)}", fontsize=7.5, color=MUTED, labelpad=3, linespacing=1.15)


def size_of(row: pd.Series) -> str:
    """Return an image's size in pixels, or a file's in bytes where the pixels are not known."""
    if pd.notna(row["width"]):
        return f"{int(row['width'])}×{int(row['height'])} px"
    size = int(row["bytes"])
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"
