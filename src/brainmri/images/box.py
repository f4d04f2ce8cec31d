"""The box of the head in an image: what is left when the black border is cut off."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from brainmri.mapping import check_settings, limited

# The 5x5 Gaussian of the reference (see `head_box`); as two filters, faster than cv2.GaussianBlur.
BLUR = cv2.getGaussianKernel(5, 0)
# Sums are whole 256ths. GaussianBlur rounds halves up, the two filters to even: this makes them alike.
HALF_UP = 1 / 1024
# Eroding and dilating by 3x3 pixels, twice each.
OPENING = np.ones((5, 5), np.uint8)


@dataclass(frozen=True)
class Box:
    """A rectangle of whole pixels, half open: `left <= x < right`, `top <= y < bottom`.

    Parameters
    ----------
    left, top
        The first column and row inside.
    right, bottom
        The first column and row behind.
    """

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.bottom - self.top

    @property
    def area(self) -> int:
        """Number of pixels."""
        return self.width * self.height


@dataclass(frozen=True)
class CropSettings:
    """How the black border is cut off.

    Parameters
    ----------
    method
        ``contour``: the box of the largest bright region; ``centre``: the middle of the image, as where it
        was enlarged and cropped to the wished size; ``none``: the whole image.
    threshold
        Gray value (0 to 254) above which a blurred pixel is head.
    margin
        Pixels of the original kept around the box on each side, as far as the image goes.
    minimum_area
        The share of the image (0 to 1) that a box must keep; one that keeps less is rejected, and
        the whole image is kept.
    centre
        Of the method ``centre``: which share of each side is kept.
    """

    method: Literal["contour", "centre", "none"] = "contour"
    threshold: int = limited(45, minimum=0, maximum=254)
    margin: int = limited(0, minimum=0)
    minimum_area: float = limited(0.25, minimum=0, maximum=1)
    centre: float = limited(0.875, exclusiveMinimum=0, maximum=1)

    def __post_init__(self):
        check_settings(self, "crop.")


def head_box(gray: np.ndarray, threshold: int) -> Box | None:
    """Return the box of the largest bright region, or None where nothing is bright.

    The method is the one that the reference systems share (A. Rosebrock, "Finding extreme points in
    contours with OpenCV", 2016): blur, threshold, erode, dilate, the contour of the largest area, its
    extreme points. Unlike theirs, the box includes the extreme row and column on the far sides.

    Every step is exact and at full resolution. A shrunk image will not do: where scalp and brain meet in a
    few pixels, which region is largest hangs on each of them (benchmarks/README.md, "The head box").

    Parameters
    ----------
    gray : ndarray of uint8, shape (height, width)
    threshold
        Gray value above which a blurred pixel is head.
    """
    # In one array, which stays in the processor's cache.
    bright = cv2.sepFilter2D(gray, -1, BLUR, BLUR, delta=HALF_UP)
    cv2.threshold(bright, threshold, 255, cv2.THRESH_BINARY, dst=bright)
    cv2.morphologyEx(bright, cv2.MORPH_OPEN, OPENING, dst=bright)
    contours, _ = cv2.findContours(bright, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return None
    left, top, width, height = cv2.boundingRect(max(contours, key=cv2.contourArea))
    return Box(left, top, left + width, top + height)


def centre_box(width: int, height: int, share: float) -> Box:
    """Return the box in the middle of an image that keeps a share of each side, at least one pixel."""
    kept_width, kept_height = max(1, round(share * width)), max(1, round(share * height))
    left, top = (width - kept_width) // 2, (height - kept_height) // 2
    return Box(left, top, left + kept_width, top + kept_height)


def find_box(gray: np.ndarray, settings: CropSettings) -> tuple[Box, bool]:
    """Return the box to keep, and whether it is a fallback to the whole image.

    Parameters
    ----------
    gray : ndarray of uint8, shape (height, width)
    settings
        How the border is cut off.

    Returns
    -------
    box : Box
        Inside the image, never empty.
    fallback : bool
        True where a crop was asked for, and rejected: nothing bright, or less kept than
        `settings.minimum_area`.
    """
    height, width = gray.shape
    whole = Box(0, 0, width, height)
    if settings.method == "none":
        return whole, False
    if settings.method == "centre":
        return centre_box(width, height, settings.centre), False
    head = head_box(gray, settings.threshold)
    if head is None:
        return whole, True
    box = Box(
        max(0, head.left - settings.margin),
        max(0, head.top - settings.margin),
        min(width, head.right + settings.margin),
        min(height, head.bottom + settings.margin),
    )
    if box.area < settings.minimum_area * whole.area:
        return whole, True
    return box, False
