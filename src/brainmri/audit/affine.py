"""Copies that were rotated, zoomed and shifted: proposed by head crops, confirmed after alignment."""

from dataclasses import dataclass

import cv2
import numpy as np

from brainmri.audit.descriptors import fine_descriptors
from brainmri.audit.turns import TURNS, turned
from brainmri.images.box import head_box
from brainmri.progress import progress

# Degrees by which one of the two images is turned back before its head is cut out.
ANGLES = tuple(range(-15, 16, 3))
THUMBNAIL = 32
THUMBNAIL_BLUR = 3.0
# How many partners of each image are aligned, and the correlation of thumbnails that is worth it.
PARTNERS = 8
CANDIDATE_CORRELATION = 0.3
# Correlation after alignment, of images after local contrast normalisation, from which a pair is a copy.
COPY_CORRELATION = 0.983
# What is compared must cover this share of the image.
COMPARED_SHARE = 0.05
BLOCK_ROWS = 512
ALIGNMENT = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 1e-5)


@dataclass(frozen=True)
class Heads:
    """The heads of N images, turned by one angle.

    Attributes
    ----------
    thumbnails : ndarray of float32, shape (N, 32, 32)
        High-passed, of zero mean and unit norm.
    matrices : ndarray of float64, shape (N, 3, 3)
        From pixels of the image to pixels of a thumbnail as large as the image.
    """

    thumbnails: np.ndarray
    matrices: np.ndarray


@dataclass(frozen=True)
class AffinePairs:
    """Copies found by alignment: P pairs of rows.

    Attributes
    ----------
    a, b : ndarray of int, shape (P,)
        Rows, a < b.
    matrices : ndarray of float64, shape (P, 2, 3)
        From pixels of image `a` to pixels of image `b`.
    similarity : ndarray of float64, shape (P,)
        Correlation where both images show something, after alignment.
    """

    a: np.ndarray
    b: np.ndarray
    matrices: np.ndarray
    similarity: np.ndarray


def affine_copies(images: np.ndarray, aspects: np.ndarray) -> AffinePairs:
    """Return the pairs of images of which one is the other, rotated, zoomed and shifted, or turned besides.

    A copy that is rotated back by the right angle is cut to the same head as its original, whatever the zoom
    along each axis and the shift; so thumbnails of the heads under a few angles rank the partners of each
    image. The best ones are aligned on pixels by maximising the enhanced correlation coefficient (G. D.
    Evangelidis and E. Z. Psarakis, "Parametric image alignment using enhanced correlation coefficient
    maximization", IEEE TPAMI 30, 2008), and compared where they overlap.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, size, size)
        Whole images, 128 pixels a side, no two of them copies of a plainer kind: those would take the
        places of the partners.
    aspects : ndarray of float, shape (N,)
        Width over height of each original, which is squeezed to a square here.
    """
    thresholds = np.array([head_threshold(image) for image in images])
    found = {}
    for (a, b), (start, _) in progress(
        candidates(images, aspects, thresholds).items(), description="alignments", unit="pair"
    ):
        matrix, similarity = aligned(images[a], images[b], start)
        low, high = min(a, b), max(a, b)
        if similarity >= max(COPY_CORRELATION, found.get((low, high), (None, 0.0))[1]):
            found[low, high] = (matrix if a < b else cv2.invertAffineTransform(matrix), similarity)
    keys = sorted(found)
    rows = np.array(keys, int).reshape(-1, 2)
    matrices = np.array([found[key][0] for key in keys], float).reshape(-1, 2, 3)
    return AffinePairs(rows[:, 0], rows[:, 1], matrices, np.array([found[key][1] for key in keys]))


def candidates(images: np.ndarray, aspects: np.ndarray, thresholds: np.ndarray) -> dict:
    """Return the pairs (a, b) worth aligning, each with the matrix from a to b to start at, and its score.

    Each image is compared with all others under 8 turns and mirrors and all `ANGLES`, in blocks of rows.
    """
    heads = {angle: cut_heads(images, aspects, thresholds, angle) for angle in ANGLES}
    count, side = len(images), images.shape[1]
    partners = min(PARTNERS, count - 1)
    found = {}
    for top in range(0, count if partners > 0 else 0, BLOCK_ROWS):
        rows = np.arange(top, min(top + BLOCK_ROWS, count))
        best = np.full((len(rows), count), -1, np.float32)
        way = np.zeros((len(rows), count), np.uint8)
        ways = [(name, angle) for name in TURNS for angle in ANGLES]
        for number, (name, angle) in enumerate(ways):
            left = turned(heads[0].thumbnails[rows], name).reshape(len(rows), -1)
            score = left @ heads[angle].thumbnails.reshape(count, -1).T
            better = score > best
            np.copyto(best, score, where=better)
            way[better] = number
        best[np.arange(len(rows)), rows] = -1
        nearest = np.argpartition(-best, partners - 1, axis=1)[:, :partners]
        for place, row in enumerate(rows):
            for other in nearest[place]:
                score, key = best[place, other], (int(row), int(other))
                mirrored = found.get(key[::-1])
                if score < CANDIDATE_CORRELATION or (mirrored and mirrored[1] >= score):
                    continue
                found.pop(key[::-1], None)
                name, angle = ways[way[place, other]]
                to_thumbnail = turn_matrix(name, side) @ heads[0].matrices[row]
                start = np.linalg.inv(heads[angle].matrices[other]) @ to_thumbnail
                found[key] = (start[:2], score)
    return found


def head_threshold(image: np.ndarray) -> int:
    """Return the gray value above which a pixel is head: of the image's own brightness, unlike the crop's."""
    return int(np.clip(np.percentile(image, 98) / 4, 15, 45))


def cut_heads(images: np.ndarray, aspects: np.ndarray, thresholds: np.ndarray, angle: float) -> Heads:
    """Rotate all images by an angle (degrees, anticlockwise), and cut out their heads."""
    side = images.shape[1]
    thumbnails = np.zeros((len(images), THUMBNAIL, THUMBNAIL), np.float32)
    matrices = np.zeros((len(images), 3, 3))
    for row, (image, aspect, threshold) in enumerate(zip(images, aspects, thresholds, strict=True)):
        rotation = rotation_matrix(angle, aspect, side)
        rotated = cv2.warpAffine(image, rotation[:2], (side, side)) if angle else np.asarray(image)
        box = head_box(rotated, int(threshold))
        left, top, width, height = (box.left, box.top, box.width, box.height) if box else (0, 0, side, side)
        head = rotated[top : top + height, left : left + width].astype(np.float32)
        small = cv2.resize(head, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
        detail = small - cv2.GaussianBlur(small, (0, 0), THUMBNAIL_BLUR)
        detail -= detail.mean()
        norm = np.linalg.norm(detail)
        thumbnails[row] = detail / norm if norm > 0 else 0
        zoom = np.array([[side / width, 0, -left * side / width], [0, side / height, -top * side / height]])
        matrices[row] = np.vstack([zoom, [0, 0, 1]]) @ rotation
    return Heads(thumbnails, matrices)


def rotation_matrix(angle: float, aspect: float, side: int) -> np.ndarray:
    """Return the matrix (3, 3) that rotates an image about its centre as if it were not squeezed."""
    cosine, sine = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    linear = np.array([[cosine, sine / aspect], [-sine * aspect, cosine]])
    centre = np.full(2, (side - 1) / 2)
    return np.vstack([np.column_stack([linear, centre - linear @ centre]), [0, 0, 1]])


def turn_matrix(transform: str, side: int) -> np.ndarray:
    """Return the matrix (3, 3) of pixels that `turned` means."""
    mirror, quarters = TURNS[transform]
    last = side - 1
    matrix = np.array([[-1.0, 0, last], [0, 1, 0], [0, 0, 1]]) if mirror else np.eye(3)
    quarter = np.array([[0.0, 1, 0], [-1, 0, last], [0, 0, 1]])
    return np.linalg.matrix_power(quarter, quarters) @ matrix


def aligned(a: np.ndarray, b: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, float]:
    """Align two images, and return the matrix (2, 3) from `a` to `b` and their correlation after it.

    The correlation is 0 where the alignment fails or too little is left to compare.
    """
    size = a.shape[::-1]
    smooth = [cv2.GaussianBlur(image, (0, 0), 1.0) for image in (a, b)]
    try:
        _, matrix = cv2.findTransformECC(
            *smooth, start.astype(np.float32), cv2.MOTION_AFFINE, ALIGNMENT, None, 1
        )
    except cv2.error:  # It did not converge: the two have nothing in common.
        return start, 0.0
    flags = cv2.WARP_INVERSE_MAP
    brought = cv2.warpAffine(smooth[1], matrix, size, flags=flags | cv2.INTER_LINEAR)
    seen = cv2.warpAffine(np.ones_like(b), matrix, size, flags=flags | cv2.INTER_NEAREST)
    # What lies beyond the other's edge, or next to it, is not compared; nor is the black border.
    seen = (cv2.erode(seen, np.ones((9, 9), np.uint8)) > 0) & (cv2.blur(a, (5, 5)) > 8)
    if seen.mean() < COMPARED_SHARE:
        return matrix, 0.0
    first, second = (image[seen] for image in fine_descriptors(np.stack([smooth[0], brought])))
    if not (first.any() and second.any()):
        return matrix, 0.0
    return matrix.astype(float), float(np.corrcoef(first, second)[0, 1])
