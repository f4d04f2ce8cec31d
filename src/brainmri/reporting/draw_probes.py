"""The figure of the probes: what each of them saw of the same test images."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from brainmri.artefacts import read_parquet
from brainmri.errors import BrainmriError
from brainmri.images.probed import PROBES, SHUFFLED, blanked, kept_pixels
from brainmri.images.store import checked_rows, open_images
from brainmri.reporting.names import class_title
from brainmri.reporting.style import add_title, blank_axes, figure_style, new_figure, save_figure
from brainmri.splits.manifest import read_manifest

SHOWN = 4  # images, of as many classes


def draw_probes(dataset: str, split: str, probes: Path, manifest: Path, images: Path, output: Path) -> None:
    """Draw test images as each probe saw them.

    Parameters
    ----------
    dataset
        The data set, for the title.
    split
        The split, for the title.
    probes
        ``probes.parquet``.
    manifest
        The split's ``manifest.parquet``.
    images
        The packed images that the probes were trained on.
    output
        Where to write the figure (PNG).

    Raises
    ------
    BrainmriError
        If a file is missing, or they do not belong together.
    """
    said = read_parquet(probes, needed=["probe", "image_id", "label", "target"])
    if said.empty:
        raise BrainmriError(f"{probes} holds no image: run `probes` again.")
    packed = open_images(images)
    places = read_manifest(manifest, ["row"]).set_index("image_id")["row"]
    shown = shown_images(said)
    rows = checked_rows(places.reindex(shown["image_id"]), len(packed), probes, "probes")
    with figure_style():
        figure = probes_figure(
            f"{dataset}, split {split}\nwhat each probe saw of the same test images",
            [probe for probe in PROBES if (said["probe"] == probe).any()],
            shown,
            packed[rows],
        )
        save_figure(figure, output)


def shown_images(said: pd.DataFrame) -> pd.DataFrame:
    """Return one test image of each class: `image_id`, `label`, and the `target` that was drawn for it.

    Parameters
    ----------
    said
        The rows of ``probes.parquet``. Where labels were shuffled, one whose label changed is preferred.
    """
    drawn = said[said["probe"] == SHUFFLED] if (said["probe"] == SHUFFLED).any() else said
    drawn = drawn.assign(same=drawn["target"] == drawn["label"]).sort_values(["same", "image_id"])
    return drawn.drop_duplicates("label").sort_values("label", ignore_index=True).head(SHOWN)


def probes_figure(title: str, probes: list[str], shown: pd.DataFrame, images: np.ndarray) -> Figure:
    """Return the figure: a line for each image, a column for each probe.

    Parameters
    ----------
    title
        Of the figure.
    probes
        The probes, by name.
    shown
        What `shown_images` returned.
    images
        Its images, uint8 (N, size, size).
    """
    figure = new_figure(0.75 + 1.28 * len(shown))
    add_title(figure, title)
    grid = figure.subplots(len(shown), len(probes), squeeze=False)
    for line, (facts, image) in zip(grid, zip(shown.itertuples(), images, strict=True), strict=True):
        for axes, probe in zip(line, probes, strict=True):
            axes.imshow(blanked(image, kept_pixels(probe, len(image))), cmap="gray", vmin=0, vmax=255)
            blank_axes(axes)
            said = class_title(facts.target if probe == SHUFFLED else facts.label)
            axes.set_xlabel(f"label: {said}", fontsize=7.6, labelpad=2)
    for axes, probe in zip(grid[0], probes, strict=True):
        axes.set_title(probe.replace("_", " "), fontsize=8.6, loc="center", pad=3)
    return figure
