"""What an image is to a computer, and what the black-border crop does."""

import numpy as np
from figures.canvas import say, show_numbers, show_slice
from figures.study import SIZE, PhantomStudy
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch, Rectangle

from brainmri.images.box import CropSettings
from brainmri.images.prepare import prepare_image
from brainmri.reporting.style import OKABE_ITO, add_title, new_figure

PATCH = 8


def tumour_patch(study: PhantomStudy) -> tuple[np.ndarray, int, int]:
    """Return the slice that the walk-through explains, and where its patch of numbers begins.

    Returns
    -------
    image : array of uint8, shape (height, width)
        The axial glioma slice with the largest tumour.
    left, top : int
        The first column and row of a patch at the tumour's left edge.
    """
    row = study.largest("glioma", "axial")
    left = int(row["lesion_left"]) - PATCH // 2
    top = int(row["lesion_top"] + row["lesion_bottom"]) // 2 - PATCH // 2
    return study.gray(row["image_id"]), left, top


def numbers_figure(study: PhantomStudy) -> Figure:
    """Return a slice beside a small patch of it, as squares with their gray values."""
    image, left, top = tumour_patch(study)
    figure = new_figure(2.75)
    add_title(figure, "An image is a table of numbers")
    whole, zoomed = figure.subplots(1, 2)
    height, width = image.shape
    show_slice(whole, image, f"a slice: {height} rows of {width} numbers")
    frame = Rectangle(
        (left - 0.5, top - 0.5), PATCH, PATCH, fill=False, edgecolor=OKABE_ITO[4], linewidth=1.5
    )
    whole.add_patch(frame)
    patch = image[top : top + PATCH, left : left + PATCH]
    show_numbers(zoomed, patch, f"the {PATCH}×{PATCH} pixels in the frame")
    for corner in (0, PATCH):
        line = ConnectionPatch(
            xyA=(left + PATCH - 0.5, top + corner - 0.5),
            coordsA=whole.transData,
            xyB=(-0.5, corner - 0.5),
            coordsB=zoomed.transData,
            color=OKABE_ITO[4],
            linewidth=1,
        )
        figure.add_artist(line)
    return figure


def crop_figure(study: PhantomStudy) -> Figure:
    """Return two slices with the box that the crop finds, and what is stored of them."""
    settings = CropSettings()
    figure = new_figure(3.8, width=4.0)
    add_title(figure, "The black border is cut off")
    # One head that fills little of its picture, and one that fills much.
    crops = study.table(f"crops_{SIZE}")
    crops = crops[~crops["fallback"]]
    share = crops["area_fraction"]
    chosen = [crops.loc[place, "image_id"] for place in (share.idxmin(), share.idxmax())]
    grid = figure.subplots(2, 3, width_ratios=[1, 0.2, 1])
    for (before, arrow, after), image_id in zip(grid, chosen, strict=True):
        image = study.gray(image_id)
        stored, box, _ = prepare_image(image, 150, settings)
        show_slice(before, image, f"original: {image.shape[1]}×{image.shape[0]}")
        corner = (box.left - 0.5, box.top - 0.5)
        frame = Rectangle(corner, box.width, box.height, fill=False, edgecolor=OKABE_ITO[4], linewidth=1.8)
        before.add_patch(frame)
        say(arrow, "→")
        kept = 100 * box.area / image.size
        show_slice(after, stored, f"{kept:.0f} % kept: 150×150")
    return figure
