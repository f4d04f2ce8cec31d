"""The eight ways to lay a square on itself: quarter turns, with or without a mirror."""

import numpy as np

# The `transform` names of `duplicates.parquet`: mirrored left-right or not, then turned so many quarters.
TURNS = {
    "identity": (False, 0),
    "mirror": (True, 0),
    "turn90": (False, 1),
    "turn180": (False, 2),
    "turn270": (False, 3),
    "mirror+turn90": (True, 1),
    "mirror+turn180": (True, 2),
    "mirror+turn270": (True, 3),
}


def turned(images: np.ndarray, transform: str) -> np.ndarray:
    """Return square images after one of the eight transforms, as a view.

    Parameters
    ----------
    images : ndarray, shape (..., size, size)
    transform
        A key of `TURNS`: ``mirror`` is left-right, ``turn90`` a quarter anticlockwise.
    """
    mirror, quarters = TURNS[transform]
    return np.rot90(images[..., ::-1] if mirror else images, quarters, axes=(-2, -1))


def kind_of(transform: str) -> str:
    """Return the kind of copy that a transform makes: ``near``, ``mirrored`` or ``rotated``."""
    return {"identity": "near", "mirror": "mirrored"}.get(transform, "rotated")
