"""Lays one image of a pair on the other, and shows where they differ."""

import json

import cv2
import numpy as np
import pandas as pd

from brainmri.audit.turns import TURNS
from brainmri.audit.warps import squeeze_matrix, turn_matrix
from brainmri.errors import BrainmriError, shown

# Gray levels of difference that are drawn brightest: copies differ by a few.
FULL_DIFFERENCE = 64


def brought_onto(pair: pd.Series, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return image b of a pair as it lies on image a, and where it shows something.

    Parameters
    ----------
    pair
        A row of ``duplicates.parquet`` with `transform` and perhaps `matrix`, and for both images `row`,
        `width` and `height` (``row_a``, ...).
    images : ndarray of uint8, shape (N, size, size)
        The packed whole images, squeezed to squares.

    Returns
    -------
    image : ndarray of uint8, shape (size, size)
    seen : ndarray of bool, shape (size, size)
        False beyond the edge of b.
    """
    size = images.shape[1]
    matrix = packed_matrix(pair, size)
    b = np.asarray(images[int(pair["row_b"])])
    inverse = cv2.WARP_INVERSE_MAP
    image = cv2.warpAffine(b, matrix, (size, size), flags=inverse | cv2.INTER_LINEAR)
    seen = cv2.warpAffine(np.full_like(b, 255), matrix, (size, size), flags=inverse | cv2.INTER_NEAREST)
    return image, seen > 0


def packed_matrix(pair: pd.Series, size: int) -> np.ndarray:
    """Return the matrix (2, 3) from packed pixels of image a to packed pixels of image b."""
    text, ends = pair.get("matrix"), f"{pair['image_id_a']} and {pair['image_id_b']}"
    if not isinstance(text, str):
        # What a turn does to the original, it does to the square.
        if pair["transform"] not in TURNS:
            raise BrainmriError(
                f"The pair {ends} has no matrix, and its transform '{pair['transform']}' is no turn: "
                "run the stage audit again."
            )
        return turn_matrix(pair["transform"], size, size)[:2]
    try:
        original = np.vstack([np.array(json.loads(text), float).reshape(2, 3), [0, 0, 1]])
    except (ValueError, TypeError, RecursionError):
        raise BrainmriError(
            f"The matrix of the pair {ends} is {shown(text)}, which is none: run the stage audit again."
        ) from None
    to_a, to_b = (squeeze_matrix(pair[f"width_{side}"], pair[f"height_{side}"], size) for side in "ab")
    return (to_b @ original @ np.linalg.inv(to_a))[:2]


def difference(a: np.ndarray, b: np.ndarray, seen: np.ndarray) -> np.ma.MaskedArray:
    """Return how far two images differ, after the brightness of b was fitted to that of a.

    A change of brightness or contrast makes no other picture, so gain and offset are taken out first.

    Returns
    -------
    masked array of float, shape (size, size)
        Absolute gray levels; masked where b shows nothing.
    """
    a, b = a.astype(float), b.astype(float)
    if seen.any():
        spread = b[seen].var()
        gain = max(0, np.cov(a[seen], b[seen], bias=True)[0, 1] / spread) if spread > 0 else 1
        b = a[seen].mean() + gain * (b - b[seen].mean())
    return np.ma.masked_array(np.abs(a - b), ~seen)
