"""What a probe leaves of an image; the rest is blanked.

- ``border`` keeps a frame, a tenth of the side wide, 36 % of the pixels: skull, skin and background, and of
  the phantom's lesions 2 % of the pixels.
- ``centre_masked`` blanks a disc of four fifths of the side, 50 % of the pixels: it covers 90 % of the pixels
  of the phantom's lesions, and at least half of 94 % of them.
- ``shuffled_labels`` keeps the images (`splits.shuffle` says what becomes of the labels), and ``unaltered``
  everything: the control.

What is blanked is zero, the ground of every MRI, and it is blanked in the packed array: whoever reads it, on
a CPU or a GPU, to train or to test, sees the same, and no rotation can pull anything back in.
"""

import os
from pathlib import Path

import numpy as np

from brainmri.artefacts import written_atomically
from brainmri.errors import BrainmriError

# The first one alters nothing: what the others are compared with.
PROBES = ("unaltered", "border", "centre_masked", "shuffled_labels")
CONTROL, SHUFFLED = "unaltered", "shuffled_labels"

FRAME = 0.1  # width of the frame on each side, as a share of the image's side
DISC = 0.8  # diameter of the disc, as a share of the image's side
CHUNK = 256  # images altered at a time


def kept_pixels(probe: str, size: int) -> np.ndarray:
    """Return which pixels a probe leaves, (size, size), bool.

    Parameters
    ----------
    probe
        One of `PROBES`.
    size
        Pixels a side.

    Raises
    ------
    BrainmriError
        If there is no such probe.
    """
    if probe not in PROBES:
        raise BrainmriError(f"There is no probe '{probe}'; there are {', '.join(PROBES)}.")
    kept = np.ones((size, size), bool)
    if probe == "border":
        width = max(1, round(FRAME * size))
        kept[width : size - width, width : size - width] = False
    if probe == "centre_masked":
        distance = np.arange(size) - (size - 1) / 2
        kept = 4 * (distance[:, None] ** 2 + distance**2) >= (DISC * size) ** 2
    return kept


def blanked(images: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return images (N, S, S), uint8, with zero wherever `kept` (S, S) is false."""
    return images * kept.astype(np.uint8)


def write_blanked(images: np.ndarray, rows: np.ndarray, kept: np.ndarray, path: Path) -> None:
    """Write a packed array with some pixels blanked, the rows in their places.

    Parameters
    ----------
    images : array of uint8, shape (N, S, S)
        The packed images.
    rows : array of int64
        Which of them are wanted; the others stay empty.
    kept : array of bool, shape (S, S)
        The pixels that are left.
    path
        Where to write, an `.npy` file.
    """
    with written_atomically(path) as temporary:
        altered = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=images.shape)
        # Room is taken at once: a write to mapped memory that finds none would end the process.
        with temporary.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, temporary.stat().st_size)
        ordered = np.sort(rows)
        for start in range(0, len(ordered), CHUNK):
            chunk = ordered[start : start + CHUNK]
            altered[chunk] = blanked(images[chunk], kept)
        altered.flush()
