"""The command `export`: a trained model as one file for other programs, checked against the original."""

import sys
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import numpy as np

from brainmri import __version__
from brainmri.artefacts import written_atomically
from brainmri.errors import BrainmriError
from brainmri.evaluation.model_inputs import Calibration, calibration_beside
from brainmri.evaluation.probabilities import refuse_infinite, softmax
from brainmri.export_evidence import Evidence, at_hand, from_files, from_predictions
from brainmri.images.box import CropSettings
from brainmri.mapping import settings_from
from brainmri.models.exported import (
    OPSET,
    Runner,
    onnx_runner,
    program_runner,
    traced,
    write_onnx,
    write_program,
)
from brainmri.models.saved import load_model, predict_logits, weights_path
from brainmri.progress import progress

BATCH = 64
# Times 1 + the largest logit: what single precision loses in a deep network is a hundredth of that.
TOLERANCE = 1e-4
# The same for predictions.parquet, of single precision too, whose sums a GPU takes in another order. Another
# model or another image is off by whole units.
PREDICTIONS_TOLERANCE = 1e-3
PROBABILITY_TOLERANCE = 1e-5
ADVICE = "Nothing was written: leave that format out."
NOTE = "For research; no medical device, no diagnosis."

# option: (extension, writer, reader, words)
FORMATS = {
    "onnx": (".onnx", write_onnx, onnx_runner, f"ONNX, opset {OPSET}"),
    "exported_program": (".pt2", write_program, program_runner, "torch.export"),
}


def export(
    model: Path,
    onnx: Path | None = None,
    exported_program: Path | None = None,
    metadata: Path | None = None,
    images: list[Path] | None = None,
    predictions: Path | None = None,
    packed: Path | None = None,
    manifest: Path | None = None,
) -> None:
    """Write a trained model as ONNX or torch.export, for research: no medical device, no diagnosis.

    The graph takes gray images of uint8, shape (batch, size, size), cropped and resized, and gives logits
    and probabilities: normalisation and temperature lie inside. Each file is run on images before it gets
    its name. Where its logits are not the model's, nothing is written.

    Parameters
    ----------
    model
        A trained model: `model.safetensors`, its folder, or its path without the suffix. A
        `calibration.json` beside it makes the probabilities calibrated ones.
    onnx
        Where to write the ONNX file (`.onnx`).
    exported_program
        Where to write the torch.export archive (`.pt2`).
    metadata
        The model's description; `model.json` beside the weights where not given.
    images
        Image files and folders to compare the outputs on.
    predictions
        Instead, the `predictions.parquet` of the model: compare on its validation and test images, with
        its logits too. Wants `packed` and `manifest`. Where no images are given at all, all three are taken
        from where the workflow puts them; where they are not there, noise is drawn.
    packed
        The packed images of those predictions (`images_{size}.npy`).
    manifest
        The `manifest.parquet` that the model was trained on.

    Raises
    ------
    BrainmriError
        If the model cannot be read or exported, or an exported file does not agree with it.
    """
    targets = checked_targets(onnx=onnx, exported_program=exported_program)
    network, document = load_model(model, metadata)
    calibration = calibration_beside(weights_path(model), document)
    crop = settings_from(CropSettings, document.get("crop") or {})
    if any(path is not None for path in (predictions, packed, manifest)):
        if None in (predictions, packed, manifest) or images:
            raise BrainmriError(
                "--predictions, --packed and --manifest belong together: give all three, and no --images."
            )
        evidence = from_predictions(predictions, packed, manifest, document, weights_path(model))
    elif images:
        evidence = from_files(images, document["image_size"], crop)
    else:
        evidence = at_hand(weights_path(model), document)
    logits, _ = outputs(
        lambda batch: (predict_logits(network, batch, "cpu", BATCH), np.empty(0)), evidence, "The model"
    )
    lines = [] if evidence.logits is None else [compared_with_predictions(logits, evidence)]
    description = described(document, calibration, crop)
    program = traced(network, document["image_size"], calibration.temperature)
    with ExitStack() as stack:
        for option, path in targets.items():
            _, write, runner, words = FORMATS[option]
            temporary = stack.enter_context(written_atomically(path))
            write(program, temporary, description)
            name = f"The {words} file"
            exported = outputs(runner(temporary), evidence, name)
            agreement = compared(*exported, logits, calibration.temperature, name)
            size = temporary.stat().st_size / 2**20
            lines.append(f"{path} ({words}, {size:.1f} MiB): on {evidence.words}, {agreement}.")
    print("\n".join(lines))
    print(calibration.note, file=sys.stderr)


def checked_targets(**paths: Path | None) -> dict[str, Path]:
    """Return the files to write, by option, after refusing those that could not be written."""
    targets = {option: path for option, path in paths.items() if path is not None}
    if not targets:
        raise BrainmriError("Nothing to write: give --onnx FILE.onnx, --exported_program FILE.pt2, or both.")
    for option, path in targets.items():
        extension = FORMATS[option][0]
        if path.suffix.lower() != extension:
            raise BrainmriError(f"--{option} {path}: the extension must be {extension}.")
        if path.is_dir():
            raise BrainmriError(f"--{option} {path} is a folder: name a file.")
    return targets


def described(document: dict, calibration: Calibration, crop: CropSettings) -> dict:
    """Return what the user of an exported file must know, in words and JSON values.

    Parameters
    ----------
    document
        The model's `model.json`.
    calibration
        What lies inside the graph.
    crop
        What does not lie inside it, and must be done before.
    """
    referral = calibration.referral
    size = document["image_size"]
    return {
        "note": NOTE,
        "brainmri_version": __version__,
        "architecture": document["architecture"],
        "classes": document["classes"],
        "image_size": size,
        "input": f"images: uint8, (batch, {size}, {size}), gray 0 to 255, cropped, resized; not normalised",
        "outputs": "logits, probabilities: float32, (batch, classes); the temperature is applied inside",
        "crop": asdict(crop),
        "mean": document["mean"],
        "std": document["std"],
        "temperature": calibration.temperature,
        "calibrated": referral is not None,
        "refer_all": referral == np.inf,
        "refer_below": referral if referral is not None and np.isfinite(referral) else None,
        "manifest_sha256": document.get("manifest_sha256"),
        "weights_sha256": document.get("weights_sha256"),
    }


def outputs(run: Runner, evidence: Evidence, words: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the logits and probabilities (N, C) that a runner gives of all images."""
    parts = []
    with progress(total=len(evidence.rows), description=f"export: {words}", unit="image") as bar:
        # One batch of a single image first: a graph could have taken the batch for a constant.
        for rows in np.split(evidence.rows, [1, *range(1 + BATCH, len(evidence.rows), BATCH)]):
            if len(rows):
                parts.append(run(evidence.images[rows]))
                bar.update(len(rows))
    logits, probabilities = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    refuse_infinite(logits, words, "nothing was written")
    return logits, probabilities


def compared(
    logits: np.ndarray, probabilities: np.ndarray, wanted: np.ndarray, temperature: float, words: str
) -> str:
    """Return in words how far an exported file agrees with the model.

    Parameters
    ----------
    logits, probabilities : (N, C) float arrays
        What the file gives.
    wanted : (N, C) float array
        The model's logits.
    temperature
        By which logits become calibrated.
    words
        The file, for messages.

    Raises
    ------
    BrainmriError
        If a logit is further off than `TOLERANCE` allows, an image gets another class, or the
        probabilities do not follow from the logits.
    """
    allowed = TOLERANCE * (1 + np.abs(wanted).max())
    difference = np.abs(logits - wanted).max()
    changed = int((logits.argmax(axis=1) != wanted.argmax(axis=1)).sum())
    if difference > allowed or changed:
        raise BrainmriError(
            f"{words} does not agree with the model: logits differ by up to {difference:.2g} (allowed: "
            f"{allowed:.2g}), the class of {changed} of {len(wanted)} images. {ADVICE}"
        )
    if np.abs(probabilities - softmax(logits.astype(np.float64) / temperature)).max() > PROBABILITY_TOLERANCE:
        raise BrainmriError(
            f"{words} gives probabilities that do not follow from its logits and the temperature. {ADVICE}"
        )
    return f"logits differ by at most {difference:.2g} (allowed: {allowed:.2g}), and no class differs"


def compared_with_predictions(logits: np.ndarray, evidence: Evidence) -> str:
    """Return in words how far the model, run here, agrees with its `predictions.parquet`, or raise."""
    unit = 1 + np.abs(evidence.logits).max()
    allowed, tie = PREDICTIONS_TOLERANCE * unit, TOLERANCE * unit
    difference = np.abs(logits - evidence.logits).max()
    chosen = np.take_along_axis(evidence.logits, logits.argmax(axis=1, keepdims=True), axis=1)[:, 0]
    behind = evidence.logits.max(axis=1) - chosen
    changed = int((behind > tie).sum())
    if difference > allowed or changed:
        raise BrainmriError(
            f"The model does not give the logits of the predictions: they differ by up to {difference:.2g} "
            f"(allowed: {allowed:.2g}), the class of {changed} of {len(logits)} images. Nothing was written; "
            "run predict_split again."
        )
    return (
        f"The model against its predictions: logits differ by at most {difference:.2g} (allowed: "
        f"{allowed:.2g}), and no class differs but in {(behind > 0).sum()} ties."
    )
