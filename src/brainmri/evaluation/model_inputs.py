"""What a trained model is asked with: its calibration, and images of its size, each checked to be its own."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brainmri.artefacts import existing, read_json
from brainmri.digests import file_digest
from brainmri.errors import BrainmriError
from brainmri.evaluation.calibration import HIGHEST_TEMPERATURE, LOWEST_TEMPERATURE
from brainmri.images.store import open_images
from brainmri.mapping import is_number


@dataclass(frozen=True)
class Calibration:
    """What ``calibration.json`` says of a model.

    Parameters
    ----------
    temperature
        By which logits are divided.
    referral
        A case under this confidence is referred; infinite where every case is; None where unknown.
    note
        A sentence for the user: what was used, or why nothing was.
    """

    temperature: float
    referral: float | None
    note: str


def read_calibration(path: Path) -> dict:
    """Return the content of a ``calibration.json``.

    Raises
    ------
    BrainmriError
        If its temperature, or its threshold of referral, is none that is ever fitted: it could switch
        referral off unnoticed.
    """
    fitted = read_json(path)
    wanted = {"temperature": (LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE), "referral_confidence": (0, 1)}
    for key, (lowest, highest) in wanted.items():
        value = fitted.get(key)
        if value is None and key == "referral_confidence":
            continue
        if not is_number(value) or not lowest <= value <= highest:
            raise BrainmriError(
                f"{path}: {key} is no number from {lowest} to {highest}: run predict_split again."
            )
    return fitted


def calibration_of(path: Path, weights_sha256: str | None) -> dict:
    """Return the content of a ``calibration.json`` that is of the weights with this digest.

    Raises
    ------
    BrainmriError
        If it is of others, or `read_calibration` refuses it.
    """
    fitted = read_calibration(path)
    if fitted.get("weights_sha256") not in (None, weights_sha256):
        raise BrainmriError(f"{path} belongs to another model, of other weights: run predict_split again.")
    return fitted


def calibration_beside(weights: Path, document: dict) -> Calibration:
    """Return the calibration that lies beside a model, where there is one, and it is of this model.

    Parameters
    ----------
    weights
        The model's weights; ``calibration.json`` is looked for in their folder.
    document
        Its ``model.json``.

    Raises
    ------
    BrainmriError
        If `read_calibration` refuses what lies there.
    """
    path = weights.with_name("calibration.json")
    nothing = "Confidences are not calibrated, and no case is marked for referral"
    if not path.is_file():
        return Calibration(1.0, None, f"{nothing}: there is no {path}.")
    fitted = read_calibration(path)
    if fitted.get("weights_sha256") != document.get("weights_sha256"):
        return Calibration(1.0, None, f"{nothing}: {path} belongs to another model.")
    temperature, referral = fitted["temperature"], fitted.get("referral_confidence")
    note = "every case is referred, because no confidence was high enough on validation"
    if referral is not None:
        note = f"a case under {referral:.1%} is referred"
    note = f"Calibrated by {path}: temperature {temperature:.3g}; {note}."
    return Calibration(float(temperature), np.inf if referral is None else float(referral), note)


def check_manifest(manifest: Path, document: dict, model: Path) -> None:
    """Raise where a model was trained on another manifest.

    Parameters
    ----------
    manifest
        A ``manifest.parquet``.
    document
        The ``model.json``; an earlier version's does not say.
    model
        The weights, for messages.

    Raises
    ------
    BrainmriError
        If it was, or there is no such file.
    """
    if document.get("manifest_sha256") not in (None, file_digest(existing(manifest))):
        raise BrainmriError(
            f"{model} was trained on another manifest than {manifest}, so that what it knows cannot be told. "
            "Give that manifest, or run train again."
        )


def images_for(model: Path, document: dict, images: Path) -> np.ndarray:
    """Open packed images, uint8 (N, size, size), of the size that a model wants.

    Parameters
    ----------
    model
        Its weights, for messages.
    document
        Its ``model.json``.
    images
        ``images_{size}.npy``.

    Raises
    ------
    BrainmriError
        If they are of another size, or `open_images` refuses them.
    """
    packed = open_images(images)
    if packed.shape[1] != document["image_size"]:
        raise BrainmriError(
            f"{images} has images of {packed.shape[1]} pixels a side, and {model} wants "
            f"{document['image_size']}. Give the images of that size."
        )
    return packed
