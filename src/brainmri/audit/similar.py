"""Copies that are not equal: re-encoded, resized, changed in brightness or contrast, mirrored, turned."""

import numpy as np

from brainmri.audit.descriptors import coarse_descriptors, fine_descriptors
from brainmri.audit.turns import TURNS, turned
from brainmri.progress import progress

# Correlation of the coarse descriptors from which a pair is looked at, and of the fine ones from which it
# counts as a copy. Measured: docs/design.md, "Copies".
CANDIDATE_CORRELATION = 0.9
COPY_CORRELATION = 0.98
# Rows and columns of the block of correlations that is held at a time: 64 MiB.
BLOCK_ROWS, BLOCK_COLUMNS = 2048, 8192
PAIRS_AT_A_TIME = 2048


def confirmed_pairs(
    images: np.ndarray, sets: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the pairs of distinct images that show one picture but are not equal by pixels.

    Candidates are the pairs whose thumbnails correlate under one of the eight turns and mirrors; a pair is
    confirmed by the correlation of its pixels after local contrast normalisation, under the best of these.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, 64, 64)
        The whole images, no border cut off: a crop differs with brightness and so loses copies.
    sets : ndarray of int, shape (N,), optional
        The data set of each image; only pairs across two sets are sought.

    Returns
    -------
    a, b : ndarray of int, shape (P,)
        Rows, a < b.
    turn : ndarray of int, shape (P,)
        Index in `TURNS` of what turns `a` into `b`.
    similarity : ndarray of float32, shape (P,)
    """
    coarse = coarse_descriptors(images)
    found = []
    for number, transform in enumerate(progress(list(TURNS), description="copies", unit="turn")):
        a, b = candidates(coarse, transform)
        if sets is not None:
            is_across = sets[a] != sets[b]
            a, b = a[is_across], b[is_across]
        # Only images with a partner are described finely; the others, most of a clean set, are not.
        rows, places = np.unique(np.concatenate([a, b]), return_inverse=True)
        fine = fine_descriptors(images[rows])
        similarity = correlations(fine, *np.split(places, 2), transform)
        copies = similarity >= COPY_CORRELATION
        found.append((a[copies], b[copies], np.full(copies.sum(), number), similarity[copies]))
    a, b, turn, similarity = (np.concatenate(parts) for parts in zip(*found, strict=True))
    # A symmetric picture matches under several turns: the best one counts, the plainest where they tie.
    order = np.lexsort((turn, -similarity, b, a))
    a, b, turn, similarity = a[order], b[order], turn[order], similarity[order]
    best = np.ones(len(a), bool)
    best[1:] = (a[1:] != a[:-1]) | (b[1:] != b[:-1])
    return a[best], b[best], turn[best], np.minimum(similarity[best], 1.0)


def candidates(coarse: np.ndarray, transform: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs a < b of which a, turned, looks like b: all pairs, in blocks of bounded memory."""
    count, pixels = len(coarse), coarse[0].size if len(coarse) else 0
    left = turned(coarse, transform).reshape(count, pixels)
    right = coarse.reshape(count, pixels)
    first, second = [np.empty(0, int)], [np.empty(0, int)]
    for top in range(0, count, BLOCK_ROWS):
        for start in range(top, count, BLOCK_COLUMNS):
            block = left[top : top + BLOCK_ROWS] @ right[start : start + BLOCK_COLUMNS].T
            row, column = np.divmod(np.flatnonzero(block >= CANDIDATE_CORRELATION), block.shape[1])
            above = column + start > row + top
            first.append(row[above] + top)
            second.append(column[above] + start)
    return np.concatenate(first), np.concatenate(second)


def correlations(fine: np.ndarray, a: np.ndarray, b: np.ndarray, transform: str) -> np.ndarray:
    """Return the correlation of each image `a`, turned, with image `b`."""
    left = turned(fine, transform)
    similarity = np.empty(len(a), np.float32)
    for start in range(0, len(a), PAIRS_AT_A_TIME):
        part = slice(start, start + PAIRS_AT_A_TIME)
        similarity[part] = np.einsum("pij,pij->p", left[a[part]], fine[b[part]])
    return similarity
