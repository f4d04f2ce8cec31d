"""What two pictures are compared by: a coarse descriptor to find candidates, a fine one to confirm them."""

from collections.abc import Callable

import cv2
import numpy as np

COARSE_SIZE = 16
# Standard deviation of the Gaussian whose blur is taken off the coarse image: a tenth of its side. What is
# left are structures, so that two heads of one outline do not look alike for the outline's sake.
COARSE_BLUR = 1.6
# The window of the local contrast, in pixels of 64 a side.
FINE_WINDOW = 11
# Gray values of standard deviation that every image is brought to, and the contrast taken for noise there.
FINE_SPREAD, FINE_NOISE = 64.0, 5.0
# An image of less spread than this (gray values) shows nothing that could be recognised.
BLANK_SPREAD = 2.0


def coarse_descriptors(images: np.ndarray) -> np.ndarray:
    """Return high-passed thumbnails; the dot product of two is their correlation.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, size, size)

    Returns
    -------
    ndarray of float32, shape (N, 16, 16)
        Of zero mean and unit norm; all zero for a blank image, which is then similar to none.
    """

    def coarse(image: np.ndarray) -> np.ndarray:
        small = cv2.resize(image.astype(np.float32), (COARSE_SIZE, COARSE_SIZE), interpolation=cv2.INTER_AREA)
        return small - cv2.GaussianBlur(small, (0, 0), COARSE_BLUR, borderType=cv2.BORDER_REFLECT)

    return _described(images, COARSE_SIZE, coarse)


def fine_descriptors(images: np.ndarray) -> np.ndarray:
    """Return images after local contrast normalisation; the dot product of two is their correlation.

    Each pixel is measured against mean and standard deviation of its surroundings (K. Jarrett et al., "What
    is the best multi-stage architecture for object recognition?", ICCV 2009). So a change of brightness,
    contrast or tone curve costs little, while the texture of a neighbouring slice costs much.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, size, size)

    Returns
    -------
    ndarray of float32, shape (N, size, size)
        Of zero mean and unit norm; all zero for a blank image.
    """
    side = images.shape[1]
    window = 2 * (FINE_WINDOW * side // 128) + 1
    window = (window, window)

    def fine(image: np.ndarray) -> np.ndarray:
        scaled = image.astype(np.float32) * np.float32(FINE_SPREAD / spread(image))
        detail = scaled - cv2.blur(scaled, window, borderType=cv2.BORDER_REFLECT)
        power = cv2.blur(detail * detail, window, borderType=cv2.BORDER_REFLECT)
        return detail / (np.sqrt(np.maximum(power, 0)) + FINE_NOISE)

    return _described(images, side, fine)


def _described(images: np.ndarray, side: int, describe: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Apply `describe` to each image that is not blank, and normalise."""
    described = np.zeros((len(images), side, side), np.float32)
    for place, image in zip(described, images, strict=True):
        if spread(image) >= BLANK_SPREAD:
            detail = describe(image)
            detail -= detail.mean()
            norm = np.sqrt(np.vdot(detail, detail))
            if norm > 0:
                place[:] = detail / norm
    return described


def spread(image: np.ndarray) -> float:
    """Return the standard deviation of an image's gray values; `image.std()` takes five times as long."""
    return float(cv2.meanStdDev(image)[1][0, 0])
