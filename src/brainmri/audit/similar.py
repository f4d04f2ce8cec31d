"""Copies that are not equal: re-encoded, resized, changed in brightness or contrast, mirrored, turned."""

import numpy as np
import pandas as pd

from brainmri.audit.copies import ALL_PAIRS_UP_TO
from brainmri.audit.descriptors import coarse_descriptors, fine_descriptors
from brainmri.audit.turns import TURNS, kind_of, turned
from brainmri.progress import progress

# Correlation of the coarse descriptors from which a pair is looked at, and of the fine ones from which it
# counts as a copy. Measured: docs/design.md, "Copies".
CANDIDATE_CORRELATION = 0.9
COPY_CORRELATION = 0.98
# Rows and columns of the block of correlations that is held at a time: 64 MiB.
BLOCK_ROWS, BLOCK_COLUMNS = 2048, 8192
PAIRS_AT_A_TIME = 2048


def similar_copies(images: np.ndarray, image_ids: np.ndarray, pixel_sha256: np.ndarray) -> pd.DataFrame:
    """Return every pair of images that show one picture but are not equal by pixels.

    Candidates are the pairs whose thumbnails correlate under one of the eight turns and mirrors; a pair is
    confirmed by the correlation of its pixels after local contrast normalisation, under the best of these.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, size, size)
        The whole images, no border cut off: a crop differs with brightness and so loses copies.
    image_ids, pixel_sha256 : ndarray of str, shape (N,)
        Images of equal `pixel_sha256` are searched once; a pair found counts for all of them.

    Returns
    -------
    pandas.DataFrame
        `image_id_a` < `image_id_b`, `kind` (``near``, ``mirrored``, ``rotated``), `transform` (turns
        `image_id_a` into `image_id_b`), `similarity`: the correlation after alignment.
    """
    _, first, member_of = np.unique(pixel_sha256, return_index=True, return_inverse=True)
    first_of_rank, rank = np.unique(first, return_inverse=True)
    distinct = images[first_of_rank]
    a, b, turn, similarity = confirmed_pairs(distinct)
    a, b, source = expanded(a, b, rank[member_of])
    swapped = image_ids[a] > image_ids[b]
    names = np.array(list(TURNS))
    transform = names[turn[source]]
    # Turned back, a quarter is three quarters; mirrored turns are their own inverse.
    inverse = {"turn90": "turn270", "turn270": "turn90"}
    transform = [
        inverse.get(name, name) if swap else name for name, swap in zip(transform, swapped, strict=True)
    ]
    pairs = pd.DataFrame(
        {
            "image_id_a": np.where(swapped, image_ids[b], image_ids[a]),
            "image_id_b": np.where(swapped, image_ids[a], image_ids[b]),
            "kind": [kind_of(name) for name in transform],
            "transform": transform,
            "similarity": similarity[source].astype(float),
        }
    )
    return pairs.sort_values(["image_id_a", "image_id_b"], ignore_index=True)


def confirmed_pairs(images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the copies among distinct images: rows a < b, index of the turn in `TURNS`, similarity."""
    coarse = coarse_descriptors(images)
    found = []
    for number, transform in enumerate(progress(list(TURNS), description="copies", unit="turn")):
        a, b = candidates(coarse, transform)
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


def expanded(a: np.ndarray, b: np.ndarray, rank: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pairs of images for pairs of pictures, and which of these each comes from.

    Parameters
    ----------
    a, b : ndarray of int, shape (P,)
        Pairs of distinct pictures.
    rank : ndarray of int, shape (N,)
        The picture of each image.
    """
    order = np.argsort(rank, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(rank))[:-1])
    first, second, source = [np.empty(0, int)], [np.empty(0, int)], [np.empty(0, int)]
    for pair, (one, other) in enumerate(zip(a, b, strict=True)):
        x, y = members[one], members[other]
        if len(x) * len(y) > ALL_PAIRS_UP_TO:  # As with equal images: a star, not all pairs.
            left = np.concatenate([x, np.full(len(y) - 1, x[0])])
            right = np.concatenate([np.full(len(x), y[0]), y[1:]])
        else:
            left, right = np.repeat(x, len(y)), np.tile(y, len(x))
        first.append(left)
        second.append(right)
        source.append(np.full(len(left), pair))
    return np.concatenate(first), np.concatenate(second), np.concatenate(source)
