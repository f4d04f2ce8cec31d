"""Copies that are not equal: re-encoded, resized, changed in brightness or contrast, mirrored, turned."""

import numpy as np

from brainmri.audit.descriptors import coarse_descriptors, fine_descriptors
from brainmri.audit.turns import TURNS, turned
from brainmri.sources.parallel import in_parallel, one_thread_each

# Correlation of the coarse descriptors from which a pair is looked at, and of the fine ones from which it
# counts as a copy. Measured: docs/design.md, "Copies".
CANDIDATE_CORRELATION = 0.9
COPY_CORRELATION = 0.98
# Rows and columns of the block of pairs that is looked at: tables of 2 MiB, which stay in cache.
BLOCK_ROWS, BLOCK_COLUMNS = 256, 2048
PAIRS_AT_A_TIME = 2048
# What becomes of a turn by no mirror, left to right, top to bottom, and both.
REFLECTED = {
    "identity": ("identity", "mirror", "mirror+turn180", "turn180"),
    "turn90": ("turn90", "mirror+turn270", "mirror+turn90", "turn270"),
}


def confirmed_pairs(
    images: np.ndarray, sets: np.ndarray | None = None, workers: int = 0
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
    workers
        Threads; 0 for all cores.

    Returns
    -------
    a, b : ndarray of int, shape (P,)
        Rows, a < b.
    turn : ndarray of int, shape (P,)
        Index in `TURNS` of what turns `a` into `b`.
    similarity : ndarray of float32, shape (P,)
    """
    a, b, turn = candidates(coarse_descriptors(images), workers)
    if sets is not None:
        is_across = sets[a] != sets[b]
        a, b, turn = a[is_across], b[is_across], turn[is_across]
    # Only images with a partner are described finely; the others, most of a clean set, are not.
    rows, places = np.unique(np.concatenate([a, b]), return_inverse=True)
    fine = fine_descriptors(images[rows])
    first, second = np.split(places, 2)
    similarity = np.empty(len(a), np.float32)
    for number, transform in enumerate(TURNS):
        pairs = np.flatnonzero(turn == number)
        similarity[pairs] = correlations(fine, first[pairs], second[pairs], transform)
    copies = similarity >= COPY_CORRELATION
    a, b, turn, similarity = a[copies], b[copies], turn[copies], similarity[copies]
    # A symmetric picture matches under several turns: the best one counts, the plainest where they tie.
    order = np.lexsort((turn, -similarity, b, a))
    a, b, turn, similarity = a[order], b[order], turn[order], similarity[order]
    best = np.ones(len(a), bool)
    best[1:] = (a[1:] != a[:-1]) | (b[1:] != b[:-1])
    return a[best], b[best], turn[best], np.minimum(similarity[best], 1.0)


def candidates(coarse: np.ndarray, workers: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pairs a < b of which a looks like b under a turn, and the turn, for each turn.

    All pairs, in blocks of bounded memory. A mirror changes the sign of an image's odd part alone, so that
    the products of even and odd parts give four turns at the price of one.

    Parameters
    ----------
    coarse : ndarray of float32, shape (N, side, side)
        Of unit norm, or all zero; the side is even.
    workers
        Threads; 0 for all cores.

    Returns
    -------
    a, b, turn : ndarray of int, shape (P,)
        `turn` is an index in `TURNS`.
    """
    names = list(TURNS)
    right = parts(coarse)
    left = {base: parts(turned(coarse, base)) for base in REFLECTED}

    def look(blocks: list[tuple[int, int]]) -> list[np.ndarray]:
        found = []
        for top, start in blocks:
            columns = right[:, start : start + BLOCK_COLUMNS].transpose(0, 2, 1)
            for base, mirrored in REFLECTED.items():
                products = left[base][:, top : top + BLOCK_ROWS] @ columns
                for reflection, (row, column) in zip(mirrored, alike(products), strict=True):
                    above = column + start > row + top
                    a, b = row[above] + top, column[above] + start
                    found.append(np.stack([a, b, np.full(len(a), names.index(reflection))]))
        return found

    blocks = [
        (top, start)
        for top in range(0, len(coarse), BLOCK_ROWS)
        for start in range(top, len(coarse), BLOCK_COLUMNS)
    ]
    with one_thread_each():
        found = in_parallel(look, blocks, workers=workers, description="copies", unit="block", chunk=4)
    return tuple(np.concatenate([np.empty((3, 0), int), *found], axis=1))


def parts(images: np.ndarray) -> np.ndarray:
    """Return the parts of images that are even or odd from left to right and from top to bottom.

    Returns
    -------
    ndarray of float32, shape (4, N, side * side / 4)
        Even in both directions, odd from left to right, odd from top to bottom, odd in both. The products of
        two images' parts add up to the product of the images.
    """
    half = images.shape[-1] // 2
    upper, lower = images[:, :half], images[:, : -half - 1 : -1]
    found = []
    for rows in (upper + lower, upper - lower):
        left, right = rows[:, :, :half], rows[:, :, : -half - 1 : -1]
        found += [left + right, left - right]
    return np.stack(found).reshape(4, len(images), half * half) / 2


def alike(products: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return rows and columns of the pairs that correlate, for each of the four mirrors in `REFLECTED`.

    Parameters
    ----------
    products : ndarray of float32, shape (4, rows, columns)
        Of the parts of two images each; see `parts`.
    """
    even, odd = products[0] + products[1], products[2] + products[3]
    mirrored_even, mirrored_odd = products[0] - products[1], products[2] - products[3]
    best = np.maximum(even + np.abs(odd), mirrored_even + np.abs(mirrored_odd))
    place = np.flatnonzero(best >= CANDIDATE_CORRELATION)
    even, odd, mirrored_even, mirrored_odd = (
        table.ravel()[place] for table in (even, odd, mirrored_even, mirrored_odd)
    )
    correlation = (even + odd, mirrored_even + mirrored_odd, even - odd, mirrored_even - mirrored_odd)
    return [np.divmod(place[one >= CANDIDATE_CORRELATION], best.shape[1]) for one in correlation]


def correlations(fine: np.ndarray, a: np.ndarray, b: np.ndarray, transform: str) -> np.ndarray:
    """Return the correlation of each image `a`, turned, with image `b`."""
    left = turned(fine, transform)
    similarity = np.empty(len(a), np.float32)
    for start in range(0, len(a), PAIRS_AT_A_TIME):
        part = slice(start, start + PAIRS_AT_A_TIME)
        similarity[part] = np.einsum("pij,pij->p", left[a[part]], fine[b[part]])
    return similarity
