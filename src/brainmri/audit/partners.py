"""Which images are worth aligning: the nearest signatures."""

import faiss
import numpy as np

# How many partners of each image are aligned at most, beside those that are known as copies already.
PARTNERS = 8
# Neighbours asked for: known copies take places too.
NEAREST = 24
# Likeness of signatures from which a pair is looked at. Measured: docs/design.md, "Copies".
LIKENESS = 0.30
# With fewer images no pair is left out for its likeness.
SMALL_SET = 200
# Beyond so many images an inverted file is searched in place of all; so many cells and visits.
EXACT_UP_TO = 20_000
CELLS_PER_ROOT, VISITS = 4, 24


def partner_pairs(
    plain: np.ndarray, mirror: np.ndarray, known: set[tuple[int, int]], sets: np.ndarray | None = None
) -> list[tuple[int, int, bool]]:
    """Return the pairs of images whose signatures are alike.

    Parameters
    ----------
    plain, mirror : ndarray of float32, shape (N, S)
        The signatures of the images, and of their mirror images.
    known
        Pairs (a < b) that need no alignment.
    sets : ndarray of int, shape (N,), optional
        The data set of each image; only pairs across two sets are sought.

    Returns
    -------
    list of (a, b, is_mirrored)
        a < b, sorted; whether the mirrored `a` is more like `b` than `a` itself.
    """
    count = len(plain)
    best: dict[tuple[int, int], tuple[float, bool]] = {}
    everything = np.arange(count)
    parts = [(everything, everything)]
    if sets is not None:
        parts = [(np.flatnonzero(sets == one), np.flatnonzero(sets != one)) for one in np.unique(sets)]
    least = LIKENESS if count > SMALL_SET else -1.0
    for asking, searched in parts:
        if not (len(asking) and len(searched)):
            continue
        index = nearest_index(plain[searched])
        nearest = min(NEAREST + 1, len(searched))
        found = [index.search(signatures[asking], nearest) for signatures in (plain, mirror)]
        for place, row in enumerate(asking.tolist()):
            likeness = {}
            for is_mirrored, (scores, columns) in enumerate(found):
                for score, column in zip(scores[place].tolist(), columns[place].tolist(), strict=True):
                    other = int(searched[column]) if column >= 0 else row
                    pair = (min(row, other), max(row, other))
                    if other != row and score >= least and pair not in known:
                        likeness[pair] = max(likeness.get(pair, (-1.0, False)), (score, bool(is_mirrored)))
            for pair in sorted(likeness, key=lambda pair: (-likeness[pair][0], pair))[:PARTNERS]:
                best[pair] = max(best.get(pair, (-1.0, False)), likeness[pair])
    return [(a, b, best[a, b][1]) for a, b in sorted(best)]


def nearest_index(vectors: np.ndarray) -> faiss.Index:
    """Return an index of vectors (N, S) by their dot product: exact for thousands, by cells for more."""
    vectors = np.ascontiguousarray(vectors)
    count, size = vectors.shape
    index = faiss.IndexFlatIP(size)
    if count > EXACT_UP_TO:
        cells = int(CELLS_PER_ROOT * count**0.5)
        index = faiss.IndexIVFFlat(index, size, cells, faiss.METRIC_INNER_PRODUCT)
        index.cp.seed, index.cp.max_points_per_centroid = 0, 64
        index.nprobe = VISITS
        index.train(vectors)
    index.add(vectors)
    return index
