"""A coarse grid of values laid over an image."""

import cv2
import numpy as np


def enlarged(grid: np.ndarray, size: int) -> np.ndarray:
    """Return a grid as a map of an image's size, linear between the centres of its cells.

    Parameters
    ----------
    grid : (h, w) float array
        Values of the cells that the image is divided into.
    size
        Pixels a side of the image.

    Returns
    -------
    (size, size) float32 array
    """
    return cv2.resize(np.asarray(grid, np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
