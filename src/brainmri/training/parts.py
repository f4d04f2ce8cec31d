"""The images and labels that training may see: the train and val parts of a manifest, and nothing else."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from brainmri.errors import BrainmriError
from brainmri.images.store import open_images
from brainmri.splits.manifest import read_manifest

# Enough for four digits of a mean; a larger part need not be read as a whole.
MEASURED_IMAGES = 10_000


@dataclass(frozen=True)
class Part:
    """One part of a split.

    Parameters
    ----------
    rows : array of int64, shape (n,)
        Where its images lie in the packed array.
    labels : array of int64, shape (n,)
        Their classes, from 0.
    """

    rows: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class TrainingData:
    """What a training sees.

    Parameters
    ----------
    images : array of uint8, shape (N, S, S)
        The packed images, memory-mapped; only rows of `train` and `val` are read.
    train, val
        The two parts.
    classes
        Class names in the order of the labels.
    """

    images: np.ndarray
    train: Part
    val: Part
    classes: list[str]


def load_data(manifest: Path, images: Path, image_size: int) -> TrainingData:
    """Read a manifest and open its images.

    Raises
    ------
    BrainmriError
        If a part is empty, a class has no training image, there are fewer than two classes, a row lies
        outside the array, or the images have another size than the recipe's.
    """
    table = read_manifest(manifest, ["row", "label", "label_index"])
    table = table[table["split"] != "excluded"]
    packed = open_images(images)
    if len(packed) and packed.shape[1] != image_size:
        raise BrainmriError(
            f"{images} holds images of {packed.shape[1]} pixels; the recipe wants image_size {image_size}: "
            f"run the stage crop with size {image_size}, or change the recipe."
        )
    rows = table["row"]
    if table.isna().any(axis=None) or (rows < 0).any() or (rows >= len(packed)).any():
        raise BrainmriError(
            f"{manifest} names images or labels that {images} does not hold: they come from different runs. "
            "Run the stages crop and split again."
        )
    # A study's class that the data set lacks leaves a gap in label_index; logits have none.
    pairs = table[["label_index", "label"]].drop_duplicates().sort_values("label_index")
    classes = [str(name) for name in pairs["label"]]
    if len(set(classes)) != len(classes) or pairs["label_index"].duplicated().any():
        raise BrainmriError(f"{manifest} has labels that do not match label_index one to one: split again.")
    position = {int(index): place for place, index in enumerate(pairs["label_index"])}
    parts = {
        name: part_of(table[table["split"] == name], position, name, manifest) for name in ("train", "val")
    }
    counts = np.bincount(parts["train"].labels, minlength=len(classes))
    if len(classes) < 2 or (counts == 0).any():
        absent = [name for name, count in zip(classes, counts, strict=True) if count == 0]
        problem = f"no training image of {', '.join(absent)}" if absent else f"one class only, {classes}"
        raise BrainmriError(f"{manifest} has {problem}: use another split, or check the classes.")
    return TrainingData(packed, parts["train"], parts["val"], classes)


def part_of(table: pd.DataFrame, position: dict[int, int], name: str, manifest: Path) -> Part:
    """Return one part of the manifest, or raise where it is empty."""
    if table.empty:
        raise BrainmriError(
            f"{manifest} has no image in its part '{name}': training needs one to learn from and one to "
            f"choose by. Raise the share of {name} in the split's settings."
        )
    # Copies: what pandas gives is read only, which torch does not take.
    labels = np.array(table["label_index"].map(position), np.int64)
    return Part(np.array(table["row"], np.int64), labels)


def measure_normalisation(data: TrainingData) -> tuple[float, float]:
    """Return the mean and standard deviation of the gray values in [0, 1] over the train part.

    Exact over at most 10 000 images, evenly spaced. For bodies that have no normalisation of their own.

    Raises
    ------
    BrainmriError
        If all pixels are alike.
    """
    step = -(-len(data.train) // MEASURED_IMAGES)
    rows = data.train.rows[::step]
    histogram = np.zeros(256, np.int64)
    for start in range(0, len(rows), 64):
        histogram += np.bincount(data.images[rows[start : start + 64]].ravel(), minlength=256)
    values = np.arange(256) / 255
    share = histogram / histogram.sum()
    mean = float(share @ values)
    std = float(np.sqrt(share @ (values - mean) ** 2))
    if std == 0:
        raise BrainmriError("All pixels of the training images are alike: there is nothing to learn from.")
    return mean, std


def class_weights(labels: np.ndarray, class_count: int) -> np.ndarray:
    """Return n / (C × n_c) for each class c, float32: rare classes weigh more, the mean over images is 1."""
    counts = np.bincount(labels, minlength=class_count)
    return (len(labels) / (class_count * counts)).astype(np.float32)
