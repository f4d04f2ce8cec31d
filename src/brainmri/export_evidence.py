"""The images on which an exported model is compared with its original."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from brainmri.artefacts import read_parquet
from brainmri.errors import BrainmriError
from brainmri.evaluation.model_inputs import check_manifest, images_for
from brainmri.images.box import CropSettings
from brainmri.images.decoder_messages import decoder_messages
from brainmri.images.store import checked_rows
from brainmri.predict import listed_files, read_image
from brainmri.splits.manifest import read_manifest

SYNTHETIC_IMAGES = 32


@dataclass(frozen=True)
class Evidence:
    """Images, and where known what the model said of them before.

    Parameters
    ----------
    images : array of uint8, shape (M, S, S)
        Gray images of the model's size; a memmap is read batch by batch.
    rows : array of int64, shape (N,)
        Which of them to look at.
    words
        What they are.
    logits : (N, C) float array, or None
        Of `predictions.parquet`.
    """

    images: np.ndarray
    rows: np.ndarray
    words: str
    logits: np.ndarray | None = None


def from_predictions(
    predictions: Path, packed: Path, manifest: Path, document: dict, model: Path
) -> Evidence:
    """Return the validation and test images of a model, with its predictions.

    Parameters
    ----------
    predictions
        A `predictions.parquet`.
    packed
        The packed images.
    manifest
        The `manifest.parquet`, which knows where each image lies in them.
    document
        The model's `model.json`.
    model
        Its weights, for messages.

    Raises
    ------
    BrainmriError
        If the files do not belong to each other or to the model.
    """
    check_manifest(manifest, document, model)
    images = images_for(model, document, packed)
    table = read_parquet(predictions, ["image_id", *(f"logit_{name}" for name in document["classes"])])
    if table.empty:
        raise BrainmriError(f"{predictions} holds no prediction: run predict_split again.")
    rows = table["image_id"].map(read_manifest(manifest, ["row"]).set_index("image_id")["row"])
    rows = checked_rows(rows, len(images), predictions, "predict_split")
    logits = table.drop(columns="image_id").to_numpy(dtype=np.float64)
    return Evidence(images, rows, f"{len(rows)} validation and test images of {predictions}", logits)


def at_hand(weights: Path, document: dict) -> Evidence:
    """Return a model's validation and test images from where the workflow puts them, else drawn ones.

    The model's folder is then `results/{study}/{dataset}/{split}/{model}/seed{seed}`, and `data` lies beside
    `results`.

    Parameters
    ----------
    weights
        The model's weights.
    document
        Its `model.json`.
    """
    # Links are not followed: `results` may be one. Not every model lies so deep.
    above = [*weights.absolute().parents, *[Path("/")] * 7]
    split, dataset, root = above[2], above[3].name, above[6]
    packed = root / "data" / dataset / f"images_{document['image_size']}.npy"
    places = weights.with_name("predictions.parquet"), packed, split / "manifest.parquet"
    missing = [path for path in places if not path.is_file()]
    if missing:
        return synthetic(document["image_size"], f"there is no {missing[0]}")
    return from_predictions(*places, document, weights)


def from_files(paths: list[Path], size: int, crop: CropSettings) -> Evidence:
    """Return image files and the images of folders, as the model was trained on them.

    Raises
    ------
    BrainmriError
        If one of them is no image: what could not be compared must not be passed over.
    """
    files, errors = listed_files(paths)
    with decoder_messages() as messages:
        read = [read_image(file, size, crop, messages) for file in files]
    errors += [image for image in read if isinstance(image, str)]
    if errors:
        raise BrainmriError(f"{errors[0]} Give images alone; {len(errors)} of the paths are none.")
    return Evidence(np.stack(read), np.arange(len(read)), f"{len(read)} images")


def synthetic(size: int, reason: str) -> Evidence:
    """Return drawn images: noise, from fine to coarse and from faint to strong, on black.

    Parameters
    ----------
    size
        Pixels of a side.
    reason
        Why no real ones are looked at.
    """
    generator = np.random.default_rng(0)
    images = np.empty((SYNTHETIC_IMAGES, size, size), np.uint8)
    for index, image in enumerate(images):
        grain = max(2, size >> (index % 6))
        noise = generator.random((grain, grain), np.float32) * (1 + index) / SYNTHETIC_IMAGES
        image[:] = cv2.resize(255 * noise, (size, size), interpolation=cv2.INTER_LINEAR)
    return Evidence(images, np.arange(len(images)), f"{len(images)} drawn images ({reason})")
