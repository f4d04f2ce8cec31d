"""A tiny data set on which a network can be trained in a second."""

from pathlib import Path

import numpy as np
import pandas as pd

SIZE = 32
PARTS = {"train": 48, "val": 15, "test": 15}


def blobs(labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return noisy images (n, 32, 32) of uint8: a disc, whose radius grows with the label, somewhere."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE, :SIZE]
    images = generator.integers(0, 60, (len(labels), SIZE, SIZE))
    for image, label in zip(images, labels, strict=True):
        left, top = generator.integers(12, 20, 2)
        image[(x - left) ** 2 + (y - top) ** 2 <= (2 + 4 * label) ** 2] += 150
    return images.astype(np.uint8)


def write_blobs(folder: Path) -> tuple[Path, Path]:
    """Write a manifest and packed images of three classes; return their paths."""
    split = np.repeat(list(PARTS), list(PARTS.values()))
    labels = np.arange(len(split)) % 3
    manifest = pd.DataFrame(
        {
            "image_id": [f"{row:03}.jpg" for row in range(len(split))],
            "row": np.arange(len(split)),
            "label": np.array(["glioma", "meningioma", "pituitary"])[labels],
            "label_index": labels,
            "split": split,
            "reason": None,
            "group_id": [f"{row:03}" for row in range(len(split))],
            "sha256": "",
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    manifest.to_parquet(folder / "manifest.parquet")
    np.save(folder / "images_32.npy", blobs(labels))
    return folder / "manifest.parquet", folder / "images_32.npy"
