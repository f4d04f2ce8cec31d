"""Figure of the odd files of a data set: what was rejected or remarked, as far as it can be shown."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from brainmri.artefacts import read_parquet
from brainmri.errors import BrainmriError
from brainmri.images.folders import is_named_image
from brainmri.images.remarks import REMARKS, SEPARATOR
from brainmri.images.salvage import salvaged
from brainmri.reporting.style import GRID, MUTED, add_title, figure_style, new_figure, save_figure

PER_KIND = 4
# Of foreign files only pictures are shown, and no more are opened to find some.
FOREIGN_OPENED = 12
# A larger file is not read for a thumbnail.
MAXIMUM_BYTES = 1 << 26
STATUSES = ("corrupt", "oversized", "unsupported", "empty", "foreign")
LETTERS = 19


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
    table = read_parquet(inventory)
    kinds = {kind: files for kind, files in odd_files(table).items() if len(files)}
    shown = {kind: tiles_of(kind, files, Path(raw)) for kind, files in kinds.items()}
    counts = {kind: len(files) for kind, files in kinds.items()}
    shown = {kind: tiles for kind, tiles in shown.items() if tiles}
    with figure_style():
        save_figure(quality_figure(dataset, shown, counts, len(table)), output, colours=128)


def odd_files(inventory: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the rows of the rejected files by status, then of the usable ones by remark.

    Parameters
    ----------
    inventory
        ``inventory.parquet``. A file with several remarks stands under each.
    """
    by_status = {status: inventory[inventory["status"] == status] for status in STATUSES}
    usable = inventory[inventory["status"] == "ok"]
    remarks = usable["remarks"].fillna("").astype(str).str.split(SEPARATOR)
    return by_status | {
        word: usable[[word in words for words in remarks]] for word in REMARKS if word not in by_status
    }


def tiles_of(kind: str, files: pd.DataFrame, raw: Path) -> list[tuple[pd.Series, np.ndarray | None]]:
    """Return a few files of one kind, spread over all of them, each with its picture or None."""
    is_foreign = kind == "foreign"
    if is_foreign:
        files = files[[is_named_image(path) for path in files["path"]]]
    wanted = min(len(files), FOREIGN_OPENED if is_foreign else PER_KIND)
    places = np.unique(np.linspace(0, len(files) - 1, wanted).round().astype(int)) if wanted else []
    tiles = [(row, picture_of(raw / row["path"])) for _, row in files.iloc[places].iterrows()]
    if is_foreign:
        tiles = [(row, picture) for row, picture in tiles if picture is not None]
    return tiles[:PER_KIND]


def picture_of(path: Path) -> np.ndarray | None:
    """Return what can be shown of a file."""
    try:
        if not 0 < path.stat().st_size <= MAXIMUM_BYTES:
            return None
        return salvaged(path.read_bytes())
    except OSError as error:
        raise BrainmriError(f"Cannot read {path} ({error.strerror}): fetch the data set again.") from error


def quality_figure(
    dataset: str,
    shown: dict[str, list[tuple[pd.Series, np.ndarray | None]]],
    counts: dict[str, int],
    total: int,
) -> Figure:
    """Return a grid of thumbnails, one row a kind, or a figure that says that there is none.

    Parameters
    ----------
    dataset
        The data set's name.
    shown
        For each kind the files to show, each with its picture or None.
    counts
        How many files of each kind there are.
    total
        How many files the data set has.
    """
    if not shown:
        figure = new_figure(0.75)
        add_title(figure, f"{dataset}: no odd files to show among {total}")
        return figure
    figure = new_figure(0.5 + 1.72 * len(shown))
    add_title(figure, f"{dataset}: odd files, a few of each kind")
    grid = figure.subplots(len(shown), PER_KIND, squeeze=False)
    for axes_row, (kind, tiles) in zip(grid, shown.items(), strict=True):
        for axes in axes_row:
            axes.set(xticks=[], yticks=[], box_aspect=1)
            axes.spines[:].set_visible(False)
        used = "used" if kind in REMARKS else "not used"
        words = f"{kind.replace('_', ' ')}: {counts[kind]} ({used})"
        axes_row[0].set_title(words, fontsize=10, fontweight="normal", pad=4)
        for axes, (row, picture) in zip(axes_row, tiles, strict=False):
            draw_tile(axes, row, picture)
    return figure


def draw_tile(axes, row: pd.Series, picture: np.ndarray | None) -> None:
    """Draw one file: its picture, or a gray tile with its status, and below it name, kind and size."""
    if picture is None:
        axes.set_facecolor(GRID)
        place = {"transform": axes.transAxes, "ha": "center", "va": "center"}
        axes.text(0.5, 0.5, row["status"], color=MUTED, fontsize=9, **place)
    else:
        axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
    kinds = row["status"] if row["status"] != "ok" else row["remarks"].replace("_", " ")
    lines = [shortened(row["path"].rsplit("/", 1)[-1]), *kinds.split(SEPARATOR), size_of(row)]
    axes.set_xlabel("\n".join(lines), fontsize=7, color=MUTED, labelpad=3, linespacing=1.15)


def shortened(name: str) -> str:
    """Return a file's name with its middle left out where it is too long for a tile."""
    if len(name) <= LETTERS:
        return name
    return f"{name[: LETTERS // 2]}…{name[-(LETTERS - LETTERS // 2 - 1) :]}"


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
