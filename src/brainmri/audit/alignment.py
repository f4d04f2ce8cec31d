"""Bring one image onto another, and say how alike they are then."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from brainmri.audit.descriptors import fine_descriptors
from brainmri.audit.keypoints import FEATURE_SIZE, Keypoints, mirrored, resized

# Squared distance to the best match over that to the second, up to which a match is believed.
DISTANCE_RATIO = 0.9
# Pixels (of 128) that a match may miss by, and how many must agree.
REACH, INLIERS = 2.5, 6
# Zooms beyond these are no copy but a mistake.
ZOOMS = (0.6, 1.7)
ALIGNMENT = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 50, 1e-5)
SMOOTHING = 1.0
# Gray values from which a pixel shows something.
LIT = 8
# Where the second shows this many times as much as the first, the first is brought onto it, too.
FULLER = 1.25
# What is compared must cover this share of the image.
COMPARED_SHARE = 0.05
# Grain is compared in the calm part of what both show: this share of it, in a band between two Gaussians.
CALM_SHARE, GRAIN_BAND = 0.3, (1.0, 2.5)
GRAIN_SIZE = 256


@dataclass(frozen=True)
class Alignment:
    """How well one image lies on another.

    Attributes
    ----------
    matrix : ndarray of float64, shape (2, 3)
        From pixels of the first to pixels of the second, of 128 pixels a side.
    brightness : float
        Correlation of the gray values: high for one head cut at two levels too.
    detail : float
        Correlation after local contrast normalisation, where both show something: high for copies alone.
    """

    matrix: np.ndarray
    brightness: float
    detail: float


def align(
    images: tuple[np.ndarray, np.ndarray], rows: tuple[int, int], keypoints: Keypoints, is_mirrored: bool
) -> Alignment | None:
    """Align two images: features that match give the first guess, pixels the rest.

    Where the first shows far less, as a copy that a change of brightness left half black, it is brought onto
    the second as well: what is black in it can lead the pixels of the second astray. The better one counts.

    The guess is an affine map on which most matches agree (RANSAC: M. A. Fischler and R. C. Bolles, CACM 24,
    1981). It is refined by maximising the enhanced correlation coefficient (G. D. Evangelidis and E. Z.
    Psarakis, IEEE TPAMI 30, 2008).

    Parameters
    ----------
    images : two ndarrays of uint8, square
    rows
        Their rows in `keypoints`.
    keypoints
        The features of all images.
    is_mirrored
        Whether the first is to be mirrored.

    Returns
    -------
    Alignment or None
        None where the two have nothing in common.
    """
    found = aligned(images, rows, keypoints, is_mirrored)
    lit = [float((image > LIT).mean()) for image in images]
    if lit[1] > FULLER * lit[0]:
        other = aligned(images[::-1], rows[::-1], keypoints, is_mirrored)
        if other and (found is None or other.detail > found.detail):
            return replace(other, matrix=cv2.invertAffineTransform(other.matrix))
    return found


def aligned(
    images: tuple[np.ndarray, np.ndarray], rows: tuple[int, int], keypoints: Keypoints, is_mirrored: bool
) -> Alignment | None:
    """Bring the second image onto the first; see `align`."""
    descriptors = keypoints.descriptors(rows[0])
    start = guess(
        keypoints.places(rows[0]),
        mirrored(descriptors) if is_mirrored else descriptors,
        keypoints.places(rows[1]),
        keypoints.descriptors(rows[1]),
    )
    if start is None:
        return None
    first, second = (cv2.GaussianBlur(resized(image, FEATURE_SIZE), (0, 0), SMOOTHING) for image in images)
    try:
        brightness, matrix = cv2.findTransformECC(
            first, second, start.astype(np.float32), cv2.MOTION_AFFINE, ALIGNMENT, None, 1
        )
    except cv2.error:  # It did not converge.
        return None
    zooms = np.linalg.svd(matrix[:, :2], compute_uv=False)
    if not (np.isfinite(matrix).all() and ZOOMS[0] < zooms[1] and zooms[0] < ZOOMS[1]):
        return None
    brought, seen = bring(second, matrix, margin=4)
    seen &= (cv2.blur(first, (5, 5)) > LIT) & (cv2.blur(brought, (5, 5)) > LIT)
    return Alignment(matrix.astype(float), float(brightness), detail(first, brought, seen))


def guess(
    places_a: np.ndarray, descriptors_a: np.ndarray, places_b: np.ndarray, descriptors_b: np.ndarray
) -> np.ndarray | None:
    """Return the affine map (2, 3) on which the matches of two images agree, or None where too few do."""
    if min(len(places_a), len(places_b)) < INLIERS:
        return None
    likeness = descriptors_a @ descriptors_b.T
    best, back = likeness.argmax(axis=1), likeness.argmax(axis=0)
    rows = np.arange(len(best))
    distance = 1 - likeness[rows, best]
    likeness[rows, best] = -1
    is_match = (back[best] == rows) & (distance < DISTANCE_RATIO * (1 - likeness.max(axis=1)))
    if is_match.sum() < INLIERS:
        return None
    matrix, agrees = cv2.estimateAffine2D(
        np.ascontiguousarray(places_a[is_match]),
        np.ascontiguousarray(places_b[best[is_match]]),
        method=cv2.RANSAC,
        ransacReprojThreshold=REACH,
        maxIters=500,
        confidence=0.995,
        refineIters=10,
    )
    return matrix if matrix is not None and agrees.sum() >= INLIERS else None


def bring(image: np.ndarray, matrix: np.ndarray, margin: int) -> tuple[np.ndarray, np.ndarray]:
    """Return an image seen in the frame of the other, and where it shows pixels of its own.

    Parameters
    ----------
    image : ndarray, shape (size, size)
        The second of a pair.
    matrix : ndarray, shape (2, 3)
        From pixels of the first to pixels of the second.
    margin
        Pixels beside the edge that do not count.
    """
    size = image.shape[::-1]
    brought = cv2.warpAffine(image, matrix, size, flags=cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR)
    inside = np.ones(image.shape, np.uint8)
    inside = cv2.warpAffine(inside, matrix, size, flags=cv2.WARP_INVERSE_MAP | cv2.INTER_NEAREST)
    kernel = np.ones((2 * margin + 1,) * 2, np.uint8)
    return brought, cv2.erode(inside, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0


def detail(first: np.ndarray, second: np.ndarray, seen: np.ndarray) -> float:
    """Return the correlation of two images after local contrast normalisation, where `seen`."""
    if seen.mean() < COMPARED_SHARE:
        return 0.0
    return correlation(*(image[seen] for image in fine_descriptors(np.stack([first, second]))))


def grain(first: np.ndarray, second: np.ndarray, matrix: np.ndarray, coarseness: float = 1.0) -> float:
    """Return the correlation of the finest texture of two aligned images, where they are calm.

    There the texture is the noise of the recording. A copy has the noise of its original; the next slice of
    the same head, which may look the same to the eye, has its own.

    Parameters
    ----------
    first, second : ndarray of uint8, shape (256, 256)
    matrix : ndarray, shape (2, 3)
        From pixels of the first to pixels of the second, of 128 pixels a side.
    coarseness
        How many pixels the smallest structure covers that both can hold: over 1 where one was enlarged.
    """
    fine, coarse = (sigma * coarseness for sigma in GRAIN_BAND)
    matrix = rescaled(matrix, GRAIN_SIZE / FEATURE_SIZE)
    brought, seen = bring(second.astype(np.float32), matrix, margin=7)
    images = (first.astype(np.float32), brought)
    seen &= (cv2.GaussianBlur(images[0], (0, 0), 2) > 15) & (cv2.GaussianBlur(images[1], (0, 0), 2) > 10)
    if seen.mean() < COMPARED_SHARE:
        return 0.0
    textures = [cv2.GaussianBlur(one, (0, 0), fine) - cv2.GaussianBlur(one, (0, 0), coarse) for one in images]
    power = [cv2.GaussianBlur(texture * texture, (0, 0), 4 * coarseness) for texture in textures]
    unrest = sum(one / (one[seen].mean() + 1e-6) for one in power)
    calm = seen & (unrest <= np.quantile(unrest[seen], CALM_SHARE))
    return correlation(textures[0][calm], textures[1][calm])


def rescaled(matrix: np.ndarray, factor: float) -> np.ndarray:
    """Return a map (2, 3) between images as the map between images `factor` times as large."""
    linear, shift = matrix[:, :2], matrix[:, 2]
    middle = (factor - 1) / 2
    return np.column_stack([linear, factor * shift + middle - linear @ np.full(2, middle)])


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Return the correlation of two samples; 0 where one does not vary."""
    first, second = first - first.mean(), second - second.mean()
    norm = np.sqrt(np.vdot(first, first) * np.vdot(second, second))
    return float(np.vdot(first, second) / norm) if norm > 0 else 0.0
