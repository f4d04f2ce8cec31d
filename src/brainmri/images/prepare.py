"""From a decoded image to the square that the models see: one path for training and prediction."""

import cv2
import numpy as np

from brainmri.images.box import Box, CropSettings, find_box


def prepare_image(gray: np.ndarray, size: int, settings: CropSettings) -> tuple[np.ndarray, Box, bool]:
    """Cut off the black border and resize to a square, as the stage `crop` and `predict` both do.

    The aspect ratio is not kept, as in the reference systems. Shrinking does not alias; enlarging is cubic.

    Parameters
    ----------
    gray : ndarray of uint8, shape (height, width)
    size
        Pixels a side of the result.
    settings
        How the border is cut off.

    Returns
    -------
    image : ndarray of uint8, shape (size, size)
    box : Box
        What was kept of `gray`.
    fallback : bool
        Whether a crop was rejected, and the whole image kept.
    """
    box, fallback = find_box(gray, settings)
    kept = gray[box.top : box.bottom, box.left : box.right]
    return resize_to_square(kept, size), box, fallback


def resize_to_square(gray: np.ndarray, size: int) -> np.ndarray:
    """Resize an image to a square, without aliasing where it shrinks.

    Shrinking goes to the nearest whole multiple of `size` by linear interpolation, which skips no pixel down
    to half the side, and from there by averaging whole blocks. That is as close to an antialiased bicubic
    reference as OpenCV's INTER_AREA with a broken factor, and two to three times faster. Enlarging is cubic.
    The long side of a strip (under `size` by over twice `size`) is averaged before the short one is enlarged.

    Parameters
    ----------
    gray : ndarray of uint8, shape (height, width)
    size
        Pixels a side of the result.

    Returns
    -------
    ndarray of uint8, shape (size, size)
        Never a view of `gray`.
    """
    height, width = gray.shape
    if min(height, width) < size and max(height, width) > 2 * size:
        # A strip: OpenCV averages only where no side grows.
        height, width = min(height, size), min(width, size)
        gray = cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA)
    if height * width < size * size:
        return cv2.resize(gray, (size, size), interpolation=cv2.INTER_CUBIC)
    if min(height, width) < size:  # One side grows: linear, which skips no pixel of the other.
        return cv2.resize(gray, (size, size), interpolation=cv2.INTER_AREA)
    multiple = (width // size * size, height // size * size)
    if multiple != (width, height):
        gray = cv2.resize(gray, multiple, interpolation=cv2.INTER_LINEAR)
    elif multiple == (size, size):
        return gray.copy()
    if multiple != (size, size):
        gray = cv2.resize(gray, (size, size), interpolation=cv2.INTER_AREA)
    return gray
