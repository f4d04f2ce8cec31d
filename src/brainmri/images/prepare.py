"""From a decoded image to the square that the models see: one path for training and prediction."""

import cv2
import numpy as np

from brainmri.images.box import Box, CropSettings, find_box


def prepare_image(gray: np.ndarray, size: int, settings: CropSettings) -> tuple[np.ndarray, Box, bool]:
    """Cut off the black border and resize to a square, as the stage `crop` and `predict` both do.

    The aspect ratio is not kept, as in the reference systems. Shrinking averages over areas, which does
    not alias; enlarging is cubic.

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
    if box.width == size and box.height == size:
        return kept.copy(), box, fallback
    shrinks = box.width * box.height >= size * size
    image = cv2.resize(kept, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return image, box, fallback
