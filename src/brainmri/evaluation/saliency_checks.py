"""Checks that a saliency map must stand before anyone looks at it.

Weights: a map that hardly changes when the network's weights are drawn anew shows the image, not the network
(J. Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018). Deletion and insertion: the answer must
fall soon when the map's first pixels are blurred, and rise soon when they alone are sharp (V. Petsiuk et al.,
"RISE", BMVC 2018). Place: mass on the border or outside of the head explains nothing; where the lesion is
known, the map should lie on it (J. Zhang et al., "Top-down neural attention by excitation backprop", IJCV
2018, the pointing game). All eight methods that N. Arun et al. tried on radiographs failed at least one
such check ("Assessing the trustworthiness of saliency maps for localizing abnormalities in medical
imaging", Radiol. Artif. Intell. 2021).
"""

import cv2
import numpy as np
from scipy.stats import rankdata

STEPS = 10  # of the deletion and insertion curves
BLUR = 1 / 16  # standard deviation of the blurred baseline, as a share of the image's side
BRIDGED = 1 / 12  # gaps in the head's outline that are closed, as a share of the image's side


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    """Return Spearman's rank correlation of two maps; NaN where one is the same everywhere."""
    if is_constant(one) or is_constant(other):
        return float("nan")
    return float(np.corrcoef(rankdata(one), rankdata(other))[0, 1])


def is_constant(values: np.ndarray) -> bool:
    """Tell whether a map is the same everywhere: nothing can be ranked by it."""
    return bool(np.ptp(values) <= 1e-9 * max(1e-30, float(np.abs(values).max())))


def ranking(values: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return the pixels (flat indices) by falling value; equal ones in random order."""
    return np.lexsort((generator.random(values.size), -values.ravel()))


def blurred(image: np.ndarray) -> np.ndarray:
    """Return an image in which shapes are lost and brightness is kept."""
    return cv2.GaussianBlur(image, (0, 0), BLUR * len(image), borderType=cv2.BORDER_REPLICATE)


def masked_images(image: np.ndarray, orders: list[np.ndarray]) -> np.ndarray:
    """Return all images that the curves of some orders of pixels need.

    Parameters
    ----------
    image : (S, S) uint8 array
    orders : list of (S²,) int arrays
        Each of `ranking`.

    Returns
    -------
    (2 + 2 (STEPS - 1) len(orders), S, S) uint8 array
        The image, the blurred image, and for each order those with its first pixels blurred, then those
        with its first pixels alone sharp.
    """
    flat, soft = image.ravel(), blurred(image).ravel()
    found = [flat, soft]
    counts = [round(step * flat.size / STEPS) for step in range(1, STEPS)]
    for order in orders:
        for start, other in ((flat, soft), (soft, flat)):
            for count in counts:
                changed = start.copy()
                changed[order[:count]] = other[order[:count]]
                found.append(changed)
    return np.stack(found).reshape(-1, *image.shape)


def curve_areas(scores: np.ndarray) -> list[tuple[float, float]]:
    """Return the areas under the deletion and the insertion curve of each order.

    Parameters
    ----------
    scores : array
        Of the images that `masked_images` returned.

    Returns
    -------
    list of (deletion, insertion)
        Low deletion and high insertion are good.
    """
    sharp, soft = scores[:2]
    areas = []
    for deletion, insertion in scores[2:].reshape(-1, 2, STEPS - 1):
        ends = (np.r_[sharp, deletion, soft], np.r_[soft, insertion, sharp])
        areas.append(tuple(float(np.trapezoid(curve, dx=1 / STEPS)) for curve in ends))
    return areas


def mass_share(values: np.ndarray, mask: np.ndarray) -> float:
    """Return the share of a map's positive mass that lies in a mask; NaN where it has none."""
    positive = np.clip(values, 0, None).astype(np.float64)
    total = positive.sum()
    return float(positive[mask].sum() / total) if total > 0 else float("nan")


def head_mask(image: np.ndarray, threshold: int) -> np.ndarray:
    """Return where the head is: all that bright outlines enclose, so that dark ventricles are within.

    Parameters
    ----------
    image : (S, S) uint8 array
    threshold
        Gray value above which a blurred pixel is bright, as for the crop.
    """
    bright = (cv2.GaussianBlur(image, (5, 5), 0) > threshold).astype(np.uint8)
    # A dark scan has gaps in its skull; what is narrower than this is bridged.
    side = max(3, round(BRIDGED * len(image)))
    bright = cv2.morphologyEx(
        bright, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    )
    outlines, _ = cv2.findContours(bright, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return cv2.drawContours(np.zeros_like(bright), outlines, -1, 1, cv2.FILLED) > 0


def overlap(order: np.ndarray, mask: np.ndarray) -> tuple[bool, float]:
    """Return whether a map's first pixel lies in a mask, and the overlap of its first pixels with it.

    Parameters
    ----------
    order : (S²,) int array
        Of `ranking`.
    mask : (S, S) bool array
        Not empty.

    Returns
    -------
    hit : bool
    iou : float
        Intersection over union of the mask and as many of the map's first pixels as it has.
    """
    inside = mask.ravel()[order[: int(mask.sum())]]
    common = int(inside.sum())
    return bool(inside[0]), common / (2 * inside.size - common)
