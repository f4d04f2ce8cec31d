"""Which of many things are shown."""

import numpy as np


def evenly(count: int, most: int) -> np.ndarray:
    """Return the places of at most `most` of `count` things, spread evenly from the first to the last."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))
