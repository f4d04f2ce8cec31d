"""Copies that were rotated, zoomed and shifted, and neighbouring slices of one head, told by alignment."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brainmri.audit.alignment import GRAIN_SIZE, Alignment, align, grain
from brainmri.audit.copies import NEIGHBOUR
from brainmri.audit.keypoints import FEATURE_SIZE, Keypoints, find_keypoints
from brainmri.audit.partners import partner_pairs
from brainmri.audit.signatures import signatures
from brainmri.audit.turns import kind_of
from brainmri.audit.warps import distance_to_turn, taken_apart
from brainmri.sources.parallel import in_parallel, one_thread_each

# A copy: correlation of the detail, and of the grain, after alignment. Measured: docs/design.md, "Copies".
COPY_DETAIL, COPY_GRAIN = 0.95, 0.78
# Where one of the originals is so much smaller than 256 pixels, anatomy enters the grain: it must agree more.
COARSE, COARSE_GRAIN = 1.25, 0.85
# An alignment that moves no corner farther than this (pixels of 128) is a mere turn.
TURN_REACH = 1.5
# A neighbour: correlation of the gray values, and how little the head may be rotated (degrees), zoomed,
# zoomed unevenly, and shifted (pixels of 128): slices of one series lie on each other as they are.
NEIGHBOUR_BRIGHTNESS = 0.97
NEIGHBOUR_ANGLE, NEIGHBOUR_ZOOM, NEIGHBOUR_UNEVEN, NEIGHBOUR_SHIFT = 3.0, 0.06, 0.025, 6.0
# A pair that is no copy is worth telling from this correlation of the detail.
TOLD_DETAIL = 0.9


@dataclass(frozen=True)
class AlignedPair:
    """A pair of images that were aligned, and what was made of it.

    Attributes
    ----------
    a, b : int
        Rows, a < b.
    kind : str
        ``near``, ``mirrored``, ``rotated``, ``affine``, ``neighbour``, or ``rejected``.
    turn : str
        The nearest turn, a key of `TURNS`.
    similarity : float
        Correlation of the gray values for a neighbour, of the detail for any other.
    grain : float
        Correlation of the finest texture, 0 where the detail differs too much to look at it.
    matrix : ndarray of float64, shape (2, 3)
        From pixels of `a` to pixels of `b`, of 128 pixels a side.
    """

    a: int
    b: int
    kind: str
    turn: str
    similarity: float
    grain: float
    matrix: np.ndarray


def aligned_pairs(
    images: Sequence[np.ndarray],
    sizes: np.ndarray,
    known: set[tuple[int, int]],
    sets: np.ndarray | None = None,
    workers: int = 0,
    folder: Path | None = None,
) -> list[AlignedPair]:
    """Return the pairs of images that are copies or neighbours, and those that were nearly taken for it.

    Local features make a signature of each image that no turn, rotation, zoom or shift changes much; images
    of like signatures are aligned and compared. Two slices of one head can be as alike as two copies of one
    picture; the noise of the recording, which only copies share, tells them apart.

    Parameters
    ----------
    images
        N whole images, uint8, 256 pixels a side.
    sizes : ndarray of int, shape (N, 2)
        Width and height of the originals.
    known
        Pairs (a < b) known as copies already.
    sets : ndarray of int, shape (N,), optional
        The data set of each image; only pairs across two sets are sought.
    workers
        Threads; 0 for all cores.
    folder
        Where the features lie while they are needed.
    """
    if len(images) < 2:
        return []
    keypoints = Keypoints(len(images), folder)
    with one_thread_each():
        find_keypoints(images, keypoints, workers)
    pairs = partner_pairs(*signatures(keypoints, len(images), workers), known, sets)

    def judge(chunk: list[tuple[int, int, bool]]) -> list[AlignedPair | None]:
        judged = []
        for a, b, is_mirrored in chunk:
            both = (images[a], images[b])
            alignment = align(both, (a, b), keypoints, is_mirrored)
            # An enlarged image holds no finer texture than it had before.
            coarseness = float(np.clip(max(GRAIN_SIZE / sizes[row].min() for row in (a, b)), 1, 2))
            judged.append(alignment and judged_pair(a, b, both, alignment, coarseness))
        return judged

    with one_thread_each():
        found = in_parallel(judge, pairs, workers=workers, description="alignments", unit="pair")
    return [pair for pair in found if pair is not None]


def judged_pair(
    a: int, b: int, images: tuple[np.ndarray, np.ndarray], alignment: Alignment, coarseness: float
) -> AlignedPair | None:
    """Say what an aligned pair is; None where it is not worth telling."""
    matrix = alignment.matrix
    middle = (FEATURE_SIZE, FEATURE_SIZE)
    warp = taken_apart(matrix, middle, middle)
    shared = 0.0
    if alignment.detail >= COPY_DETAIL:
        shared = grain(*images, matrix, coarseness)
        if shared >= (COARSE_GRAIN if coarseness > COARSE else COPY_GRAIN):
            is_turn = distance_to_turn(matrix, warp.turn, FEATURE_SIZE) <= TURN_REACH
            kind = kind_of(warp.turn) if is_turn else "affine"
            return AlignedPair(a, b, kind, warp.turn, alignment.detail, shared, matrix)
    if (
        alignment.brightness >= NEIGHBOUR_BRIGHTNESS
        and abs(warp.angle) <= NEIGHBOUR_ANGLE
        and max(abs(zoom - 1) for zoom in warp.zoom) <= NEIGHBOUR_ZOOM
        and abs(warp.zoom[0] / warp.zoom[1] - 1) <= NEIGHBOUR_UNEVEN
        and np.hypot(*warp.shift) <= NEIGHBOUR_SHIFT
    ):
        return AlignedPair(a, b, NEIGHBOUR, warp.turn, alignment.brightness, shared, matrix)
    if alignment.detail >= TOLD_DETAIL:
        return AlignedPair(a, b, "rejected", warp.turn, alignment.detail, shared, matrix)
    return None
