"""Parts that several pictures share: slices, matrices of numbers, arrows between them."""

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes

from brainmri.reporting.style import INK, text_colour_on

TITLE = {"fontsize": 9, "fontweight": "normal", "pad": 4}


def show_slice(axes: Axes, image: np.ndarray, title: str = "") -> None:
    """Draw a gray image (height, width) uint8, black at 0 and white at 255, without ticks and frame."""
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
    blank(axes)
    if title:
        axes.set_title(title, **TITLE)


def blank(axes: Axes) -> None:
    """Take ticks and frame away."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def show_numbers(
    axes: Axes, values: np.ndarray, title: str, palette: str = "gray", low: float = 0, high: float = 255
) -> None:
    """Draw a matrix as squares with a number in each.

    Parameters
    ----------
    axes
        Where to draw.
    values
        Shape (rows, columns).
    title
        What the matrix is.
    palette
        Matplotlib's name of the colours.
    low, high
        The values of the first and the last colour.
    """
    colours = colormaps[palette]
    axes.imshow(values, cmap=palette, vmin=low, vmax=high)
    for (row, column), value in np.ndenumerate(values):
        ink = text_colour_on(colours((value - low) / (high - low)))
        axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=7.5, color=ink)
    rows, columns = values.shape
    axes.set_xticks(np.arange(columns + 1) - 0.5, [])
    axes.set_yticks(np.arange(rows + 1) - 0.5, [])
    axes.grid(color="white", linewidth=0.6)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(title, **TITLE)


def say(axes: Axes, words: str, size: float = 16) -> None:
    """Write a word or a sign alone in an otherwise empty place."""
    blank(axes)
    axes.text(0.5, 0.5, words, ha="center", va="center", fontsize=size, color=INK, transform=axes.transAxes)
