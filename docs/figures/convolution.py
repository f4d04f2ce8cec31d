"""What a convolution is, what kernels find, and what a network of them passes on."""

import numpy as np
import torch
from figures.canvas import TITLE, blank, say, show_numbers, show_slice
from figures.images import PATCH, tumour_patch
from figures.study import SIZE, PhantomStudy
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import nn

from brainmri.evaluation.probabilities import softmax
from brainmri.images.box import CropSettings
from brainmri.images.prepare import prepare_image
from brainmri.models.saved import load_model
from brainmri.reporting.names import class_title
from brainmri.reporting.style import OKABE_ITO, add_title, class_colour, new_figure

LEFT_TO_RIGHT = np.array([[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]])
TOP_TO_BOTTOM = LEFT_TO_RIGHT.T
BLUR = np.full((3, 3), 1 / 9)
MAPS_SHOWN = 4


def convolve(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Slide a kernel over an image, and return the sum of products at each place.

    What networks call a convolution: the kernel is not turned round first.

    Parameters
    ----------
    image
        Shape (rows, columns).
    kernel
        Shape (K, K).

    Returns
    -------
    numpy.ndarray
        Shape (rows - K + 1, columns - K + 1), float.
    """
    windows = np.lib.stride_tricks.sliding_window_view(image.astype(float), kernel.shape)
    return np.einsum("rckl,kl->rc", windows, kernel)


def convolution_figure(study: PhantomStudy) -> Figure:
    """Return a patch, a kernel and the result, as numbers."""
    image, left, top = tumour_patch(study)
    patch = image[top : top + PATCH, left : left + PATCH]
    result = convolve(patch, LEFT_TO_RIGHT)
    figure = new_figure(2.5, width=6.4)
    add_title(figure, "A convolution: a kernel slides over the image", width=70)
    axes = figure.subplots(1, 5, width_ratios=[8, 1, 3, 1, 6])
    show_numbers(axes[0], patch, "image: the patch from above")
    say(axes[1], "∗")
    show_numbers(axes[2], LEFT_TO_RIGHT, "kernel", "cividis", -1, 1)
    say(axes[3], "=")
    reach = np.abs(result).max()
    show_numbers(axes[4], result, "result: right minus left", "cividis", -reach, reach)
    # The first place of the kernel, and the number that it gives.
    for place, side in ((axes[0], 3), (axes[4], 1)):
        frame = Rectangle((-0.5, -0.5), side, side, fill=False, edgecolor=OKABE_ITO[0], linewidth=2)
        frame.set_clip_on(False)
        place.add_patch(frame)
    return figure


def edges_figure(study: PhantomStudy) -> Figure:
    """Return a slice and what three kernels make of it."""
    image, _, _ = tumour_patch(study)
    figure = new_figure(1.75, width=5.6)
    add_title(figure, "Each kernel shows something else", width=70)
    axes = figure.subplots(1, 4)
    show_slice(axes[0], image, "image")
    kernels = {"blur": BLUR, "edges, left to right": LEFT_TO_RIGHT, "edges, top to bottom": TOP_TO_BOTTOM}
    for place, (name, kernel) in zip(axes[1:], kernels.items(), strict=True):
        result = convolve(image, kernel)
        if name == "blur":
            show_slice(place, result, name)
            continue
        reach = np.percentile(np.abs(result), 99.5)
        place.imshow(result, cmap="cividis", vmin=-reach, vmax=reach, interpolation="antialiased")
        blank(place)
        place.set_title(name, **TITLE)
    return figure


def layers_of(study: PhantomStudy, image: np.ndarray) -> tuple[list[np.ndarray], np.ndarray, list[str]]:
    """Return what the trained network makes of an image, layer by layer.

    Returns
    -------
    maps : list of arrays, shape (channels, side, side)
        After each convolution, ReLU and pooling.
    probabilities : array, shape (classes,)
    classes : list of str
    """
    network, document = load_model(study.folder / "model.safetensors")
    maps = []
    with torch.inference_mode():
        gray = torch.from_numpy(image).float().div(255)[None]
        features = network.normalised(gray)
        for layer in network.body:
            features = layer(features)
            if isinstance(layer, nn.MaxPool2d):
                maps.append(features[0].numpy())
        logits = network.head(features).numpy()
    return maps, softmax(logits)[0], document["classes"]


def network_figure(study: PhantomStudy) -> Figure:
    """Return an image, the maps that the trained network makes of it, and its answer."""
    row = study.well_predicted("glioma")
    image, _, _ = prepare_image(study.gray(row["image_id"]), SIZE, CropSettings())
    maps, probabilities, classes = layers_of(study, image)
    figure = new_figure(3.7, width=6.4)
    add_title(figure, "A network: convolutions and pooling, then a dense layer", width=70)
    columns = figure.subfigures(1, len(maps) + 2, width_ratios=[1.4, *[1] * len(maps), 2.8])
    show_slice(columns[0].subplots(), image, f"image\n{SIZE}×{SIZE}")
    for number, (column, layer) in enumerate(zip(columns[1:-1], maps, strict=True), 1):
        # Those that vary most say most.
        order = np.argsort(-layer.std(axis=(1, 2)))[:MAPS_SHOWN]
        grid = column.subplots(MAPS_SHOWN, 1)
        for place, index in zip(grid, order, strict=True):
            place.imshow(layer[index], cmap="cividis", interpolation="nearest")
            blank(place)
        side = layer.shape[1]
        grid[0].set_title(f"layer {number}\n{len(layer)} maps\n{side}×{side}", **TITLE)
    bars = columns[-1].subplots()
    places = np.arange(len(classes))
    bars.barh(places, 100 * probabilities, color=[class_colour(index) for index in places])
    bars.set_yticks(places, [class_title(name) for name in classes])
    bars.invert_yaxis()
    bars.set(xlim=(0, 100), xlabel="probability (%)")
    bars.set_title(f"the answer\n(truth: {class_title(row['label'])})", **TITLE)
    return figure
