"""What a probe alters before a model is trained: pixels that are blanked, labels that are shuffled.

- ``border`` keeps a frame, a tenth of the side wide, 36 % of the pixels: skull, skin and background, and of
  the phantom's lesions 2 % of the pixels.
- ``centre_masked`` blanks a disc of four fifths of the side, 50 % of the pixels: it covers 90 % of the pixels
  of the phantom's lesions, and at least half of 94 % of them.
- ``shuffled_labels`` keeps the images. All images of a group that share a label go on sharing one, and which
  one it is, is drawn, in all parts alike (Yagis et al., Sci. Rep. 11, 2021). Nothing can be learnt then but
  which patient or copy an image is of. Labels drawn image by image would hide that: the copy of a test image
  in training would carry a label that says nothing of the test image's.

What is blanked is zero, the ground of every MRI, and it is blanked in the packed array: whoever reads it, on
a CPU or a GPU, to train or to test, sees the same, and no rotation can pull anything back in.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from brainmri.artefacts import written_atomically
from brainmri.errors import BrainmriError

# The first one alters nothing: what the others are compared with.
PROBES = ("unaltered", "border", "centre_masked", "shuffled_labels")
CONTROL, SHUFFLED = "unaltered", "shuffled_labels"

FRAME = 0.1  # width of the frame on each side, as a share of the image's side
DISC = 0.8  # diameter of the disc, as a share of the image's side
# Draws of labels before it is given up that each class trains.
DRAWS = 100
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
        # In whole numbers of half pixels' squares, the same on every machine.
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
        Which of them are wanted; the others stay empty, which costs no room on disk.
    kept : array of bool, shape (S, S)
        The pixels that are left.
    path
        Where to write, an `.npy` file.
    """
    with written_atomically(path) as temporary:
        altered = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=images.shape)
        ordered = np.sort(rows)
        for start in range(0, len(ordered), CHUNK):
            chunk = ordered[start : start + CHUNK]
            altered[chunk] = blanked(images[chunk], kept)
        altered.flush()


def shuffled_labels(manifest: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return a manifest whose labels are drawn anew, and say nothing any more.

    Images of a group that share a label still do. Of each label there are as many such shares of groups as
    before; excluded images keep theirs.

    Parameters
    ----------
    manifest
        The rows of a ``manifest.parquet``.
    seed
        Same seed, same labels.

    Raises
    ------
    BrainmriError
        If a class has so few groups that in none of 100 draws each class trains.
    """
    altered, generator = manifest.copy(), np.random.default_rng(seed)
    used = manifest["split"] != "excluded"
    shares = manifest.loc[used, ["group_id", "label", "label_index"]].drop_duplicates(["group_id", "label"])
    # The order of the rows must not matter.
    shares = shares.sort_values(["group_id", "label"], ignore_index=True)
    place = pd.MultiIndex.from_frame(shares[["group_id", "label"]])
    own = place.get_indexer(pd.MultiIndex.from_frame(manifest.loc[used, ["group_id", "label"]]))
    for _ in range(DRAWS):
        drawn = shares.iloc[generator.permutation(len(shares))].reset_index(drop=True).iloc[own]
        for column in ("label", "label_index"):
            altered.loc[used, column] = drawn[column].to_numpy()
        if set(altered.loc[altered["split"] == "train", "label"]) == set(shares["label"]):
            return altered
    raise BrainmriError(
        "Labels cannot be shuffled: a class has so few groups that it is left without a training image. Add "
        "images of it, or leave shuffled labels out."
    )
