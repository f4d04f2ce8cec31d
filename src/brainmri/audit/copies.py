"""Exact copies: files equal by bytes, or by decoded pixels."""

import numpy as np
import pandas as pd

# Kinds of pairs: equal files or pixels need no comparison, the others are searched for where images are
# compared; neighbouring slices of one head are no copies.
EXACT_KINDS = ("bytes", "pixels")
SEARCHED_KINDS = ("near", "mirrored", "rotated", "affine")
NEIGHBOUR = "neighbour"
# A value shared by more rows than this gives a star of pairs around its first row, not all pairs:
# 10 000 black images are 50 million pairs and tell nothing more.
ALL_PAIRS_UP_TO = 200


def exact_copies(images: pd.DataFrame) -> pd.DataFrame:
    """Return every pair of images that are equal by bytes (`bytes`) or only by pixels (`pixels`).

    Parameters
    ----------
    images
        Rows of the inventory with status ``ok``: `image_id`, `sha256`, `pixel_sha256`.

    Returns
    -------
    pandas.DataFrame
        `image_id_a` < `image_id_b`, `kind`, `transform` (``identity``), `similarity` (1.0), sorted.
    """
    images = images.sort_values("image_id", ignore_index=True)
    a, b = pairs_by_value(images["pixel_sha256"])
    same_bytes = images["sha256"].to_numpy()[a] == images["sha256"].to_numpy()[b]
    pairs = pd.DataFrame(
        {
            "image_id_a": images["image_id"].to_numpy()[a],
            "image_id_b": images["image_id"].to_numpy()[b],
            "kind": np.where(same_bytes, "bytes", "pixels"),
            "transform": "identity",
            "similarity": np.ones(len(a)),
        }
    )
    return pairs.sort_values(["image_id_a", "image_id_b"], ignore_index=True)


def pairs_by_value(values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return the index pairs (a < b) of rows that share a value."""
    first, second = [np.empty(0, int)], [np.empty(0, int)]
    shared = values[values.duplicated(keep=False) & values.notna()]
    for rows in shared.groupby(shared, sort=True).indices.values():
        positions = np.sort(shared.index.to_numpy()[rows])
        if len(positions) > ALL_PAIRS_UP_TO:
            left, right = np.zeros(len(positions) - 1, int), np.arange(1, len(positions))
        else:
            left, right = np.triu_indices(len(positions), k=1)
        first.append(positions[left])
        second.append(positions[right])
    return np.concatenate(first), np.concatenate(second)
