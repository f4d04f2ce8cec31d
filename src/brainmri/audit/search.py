"""The search for copies that are not equal by pixels: plain ones by comparison, others by alignment."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from brainmri.audit.affine import AlignedPair, aligned_pairs
from brainmri.audit.copies import ALL_PAIRS_UP_TO, NEIGHBOUR, pairs_by_value
from brainmri.audit.keypoints import FEATURE_SIZE, resized
from brainmri.audit.similar import confirmed_pairs
from brainmri.audit.turns import TURNS, kind_of
from brainmri.audit.warps import between_originals, taken_apart

COLUMNS = ["image_id_a", "image_id_b", "kind", "transform", "similarity", "grain", "matrix"]
PLAIN_SIZE = 64
# So many rejected pairs are kept, the most similar ones.
REJECTED_KEPT = 200
# Turned back, a quarter is three quarters; mirrored turns are their own inverse.
INVERSE = {"turn90": "turn270", "turn270": "turn90"}


def search_copies(
    images: Sequence[np.ndarray],
    table: pd.DataFrame,
    sets: np.ndarray | None = None,
    workers: int = 0,
    folder: Path | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return every pair of images that show one picture, or two slices of one head, but are not equal.

    Parameters
    ----------
    images
        N whole images, uint8, 256 pixels a side, no border cut off: a crop differs with brightness.
    table
        N rows: `image_id`, `pixel_sha256`, `width`, `height`. Images of equal `pixel_sha256` are searched
        once; a pair found counts for all of them.
    sets : ndarray of int, shape (N,), optional
        The data set of each image; only pairs across two sets are sought.
    workers
        Threads; 0 for all cores.
    folder
        Where features lie while they are needed, 33 KB an image.

    Returns
    -------
    pairs : pandas.DataFrame
        `image_id_a` < `image_id_b` (of the lower set first, where there are sets), `kind` (``near``,
        ``mirrored``, ``rotated``, ``affine``, ``neighbour``), `transform` (what turns `a` into `b`),
        `similarity`, `grain` (null where it was not looked at), `matrix` (JSON, from pixels of the original
        of `a` to those of `b`; null where the transform is a mere turn).
    rejected : pandas.DataFrame
        The most similar pairs that were taken for neither.
    """
    key = table["pixel_sha256"].astype(str)
    if sets is not None:
        key += "-" + pd.Series(sets, table.index).astype(str)
    _, first, member_of = np.unique(key.to_numpy(str), return_index=True, return_inverse=True)
    first_of_rank, rank = np.unique(first, return_inverse=True)
    distinct = [images[row] for row in first_of_rank]
    set_of = None if sets is None else sets[first_of_rank]
    plain = plain_pairs(distinct, set_of, workers)
    sizes = table[["width", "height"]].to_numpy()[first_of_rank]
    known = set(zip(plain["a"].tolist(), plain["b"].tolist(), strict=True))
    # One picture in two sets is a pair of equal images: known, and told elsewhere.
    digests = table["pixel_sha256"].to_numpy(str)[first_of_rank]
    known |= set(zip(*(rows.tolist() for rows in pairs_by_value(pd.Series(digests))), strict=True))
    plain = plain[digests[plain["a"]] != digests[plain["b"]]]
    aligned = as_table(aligned_pairs(distinct, sizes, known, set_of, workers, folder))
    is_told = aligned["kind"] != "rejected"
    rejected = aligned[~is_told].nlargest(REJECTED_KEPT, "similarity", keep="all")
    found = pd.concat([plain.assign(grain=np.nan, matrix=None), aligned[is_told]], ignore_index=True)
    return tuple(named(expanded(pairs, rank[member_of]), table, sets) for pairs in (found, rejected))


def plain_pairs(
    distinct: Sequence[np.ndarray], sets: np.ndarray | None = None, workers: int = 0
) -> pd.DataFrame:
    """Return the pairs of distinct pictures that are copies up to coding, tone, size, mirror and turn.

    Returns
    -------
    pandas.DataFrame
        `a` < `b` (rows), `kind`, `turn` (a key of `TURNS`), `similarity`.
    """
    small = np.empty((len(distinct), PLAIN_SIZE, PLAIN_SIZE), np.uint8)
    for place, image in zip(small, distinct, strict=True):
        place[:] = resized(image, PLAIN_SIZE)
    a, b, turn, similarity = confirmed_pairs(small, sets, workers)
    names = np.array(list(TURNS))[turn]
    kinds = [kind_of(name) for name in names]
    return pd.DataFrame({"a": a, "b": b, "kind": kinds, "turn": names, "similarity": similarity})


def as_table(pairs: list[AlignedPair]) -> pd.DataFrame:
    """Return aligned pairs as a table; a mere turn needs no matrix."""
    rows = [
        (p.a, p.b, p.kind, p.turn, p.similarity, p.grain, p.matrix if has_matrix(p) else None) for p in pairs
    ]
    table = pd.DataFrame(rows, columns=["a", "b", "kind", "turn", "similarity", "grain", "matrix"])
    return table.astype({"a": int, "b": int, "similarity": float, "grain": float})


def has_matrix(pair: AlignedPair) -> bool:
    """Tell whether the transform of a pair is more than a turn."""
    return pair.kind in ("affine", NEIGHBOUR, "rejected")


def expanded(pairs: pd.DataFrame, rank: np.ndarray) -> pd.DataFrame:
    """Return the pairs of images for pairs of pictures.

    Parameters
    ----------
    pairs
        `a` and `b`: distinct pictures; other columns are repeated.
    rank : ndarray of int, shape (N,)
        The picture of each image.
    """
    order = np.argsort(rank, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(rank))[:-1])
    first, second, source = [np.empty(0, int)], [np.empty(0, int)], [np.empty(0, int)]
    for pair, (one, other) in enumerate(zip(pairs["a"], pairs["b"], strict=True)):
        x, y = members[one], members[other]
        if len(x) * len(y) > ALL_PAIRS_UP_TO:  # As with equal images: a star, not all pairs.
            left = np.concatenate([x, np.full(len(y) - 1, x[0])])
            right = np.concatenate([np.full(len(x), y[0]), y[1:]])
        else:
            left, right = np.repeat(x, len(y)), np.tile(y, len(x))
        first.append(left)
        second.append(right)
        source.append(np.full(len(left), pair))
    repeated = pairs.iloc[np.concatenate(source)].reset_index(drop=True)
    return repeated.assign(a=np.concatenate(first), b=np.concatenate(second))


def named(pairs: pd.DataFrame, table: pd.DataFrame, sets: np.ndarray | None) -> pd.DataFrame:
    """Return pairs of rows with the names of their images, in order, and the transform in words."""
    image_ids, sizes = table["image_id"].to_numpy(), table[["width", "height"]].to_numpy()
    rows = []
    for pair in pairs.itertuples():
        a, b, turn, matrix = pair.a, pair.b, pair.turn, pair.matrix
        order = [(image_ids[row] if sets is None else (sets[row], image_ids[row])) for row in (a, b)]
        is_swapped = order[0] > order[1]
        if is_swapped:
            a, b, turn = b, a, INVERSE.get(turn, turn)
        words = text = None
        if matrix is not None:
            matrix = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2] if is_swapped else matrix
            originals = between_originals(matrix, FEATURE_SIZE, sizes[a], sizes[b])
            words = taken_apart(originals, sizes[a], sizes[b]).words()
            text = json.dumps(np.round(originals, 6).tolist())
        rows.append((image_ids[a], image_ids[b], pair.kind, words or turn, pair.similarity, pair.grain, text))
    told = pd.DataFrame(rows, columns=COLUMNS)
    return told.astype({"similarity": float, "grain": float}).sort_values(COLUMNS[:2], ignore_index=True)
