"""The stage `predict_split`: what a trained model says of the validation and the test images."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from brainmri.artefacts import write_json, write_parquet
from brainmri.digests import file_digest
from brainmri.errors import BrainmriError
from brainmri.evaluation.calibration import check_wished_error, fit_referral, fit_temperature
from brainmri.evaluation.model_inputs import check_manifest, images_for
from brainmri.evaluation.predictions import PARTS, predictions_schema
from brainmri.evaluation.probabilities import judgements, refuse_infinite, softmax
from brainmri.images.store import checked_rows
from brainmri.models.device import resolve_device
from brainmri.models.saved import load_model, predict_logits
from brainmri.progress import progress
from brainmri.splits.manifest import read_manifest

BATCH = 128


def predict_split(
    manifest: Path,
    images: Path,
    model: Path,
    metadata: Path,
    predictions: Path,
    calibration: Path,
    device: str = "auto",
    threads: int = 0,
    wished_error: float = 0.05,
) -> None:
    """Write the calibrated probabilities of all validation and test images.

    The temperature and the referral threshold are fitted on the validation images alone.

    Parameters
    ----------
    manifest
        The ``manifest.parquet`` that the model was trained on.
    images
        The packed images, of the model's size.
    model
        The trained weights, ``model.safetensors``.
    metadata
        Their description, ``model.json``.
    predictions
        Where to write ``predictions.parquet``.
    calibration
        Where to write ``calibration.json``; beside the model, `predict` finds it.
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    threads
        Threads of the CPU's arithmetic; 0 leaves torch's choice.
    wished_error
        The share of errors wished for among the cases that are not referred, from 0 to under 1.

    Raises
    ------
    BrainmriError
        If there is no test image, or manifest, images and model do not belong together.
    """
    check_wished_error(wished_error)
    place = resolve_device(device, threads)
    network, document = load_model(model, metadata)
    class_names = document["classes"]
    check_manifest(manifest, document, model)
    packed = images_for(model, document, images)
    rows = judged_rows(manifest, class_names, len(packed))
    logits = logits_of(network, packed, rows["row"].to_numpy(), place)
    refuse_infinite(logits, model)
    fitted = fitted_calibration(rows, logits, class_names, wished_error)
    write_parquet(
        predictions_table(rows, logits, class_names, fitted["temperature"]),
        predictions,
        # Of the metadata only what shapes the logits: it also tells durations, which no two runs share.
        config={key: document[key] for key in ("classes", "mean", "std")},
        inputs=[manifest, images, model],
        schema=predictions_schema(class_names),
    )
    write_json({**fitted, "weights_sha256": file_digest(model)}, calibration, inputs=[manifest])


def judged_rows(manifest: Path, class_names: list[str], stored: int) -> pd.DataFrame:
    """Return the manifest's validation and test rows, in its order.

    Parameters
    ----------
    manifest
        A ``manifest.parquet``.
    class_names
        The model's classes.
    stored
        Number of images in the packed array.
    """
    table = read_manifest(manifest, ["row", "label", "group_id"])
    rows = table[table["split"].isin(PARTS)].reset_index(drop=True)
    if not (rows["split"] == "test").any():
        raise BrainmriError(f"{manifest} has no test image: nothing can be said of the model.")
    unknown = set(rows["label"]) - set(class_names)
    if unknown:
        raise BrainmriError(
            f"{manifest} has the label '{min(map(str, unknown))}', and the model knows "
            f"{', '.join(class_names)}. Run train again."
        )
    return rows.assign(row=checked_rows(rows["row"], stored, manifest, "crop and split"))


def logits_of(network, packed: np.ndarray, rows: np.ndarray, place) -> np.ndarray:
    """Return the logits (N, C), float32, of some rows of the packed images, read batch by batch."""
    batches = []
    with progress(total=len(rows), description="predict", unit="image") as bar:
        for start in range(0, len(rows), BATCH):
            chosen = rows[start : start + BATCH]
            batches.append(predict_logits(network, packed[chosen], place, BATCH))
            bar.update(len(chosen))
    return np.concatenate(batches)


def fitted_calibration(
    rows: pd.DataFrame, logits: np.ndarray, class_names: list[str], wished_error: float
) -> dict:
    """Return the content of ``calibration.json``, fitted on the validation rows."""
    on_validation = (rows["split"] == "val").to_numpy()
    truth = pd.Index(class_names).get_indexer(rows["label"])[on_validation]
    judged = logits[on_validation].astype(np.float64)
    temperature = fit_temperature(judged, truth)
    confidence = softmax(judged / temperature.value).max(axis=1)
    referral = fit_referral(confidence, judged.argmax(axis=1) == truth, wished_error)
    return {
        "temperature": temperature.value,
        "temperature_note": temperature.note,
        **{f"referral_{key}": value for key, value in asdict(referral).items()},
        "n_images": len(truth),
        "n_groups": int(rows["group_id"][on_validation].nunique()),
        "fitted_on": "val",
    }


def predictions_table(
    rows: pd.DataFrame, logits: np.ndarray, class_names: list[str], temperature: float
) -> pd.DataFrame:
    """Return the rows of ``predictions.parquet``."""
    told = rows[["image_id", "split", "group_id", "label"]].assign(
        **{f"logit_{name}": logits[:, index] for index, name in enumerate(class_names)},
        **judgements(logits, class_names, temperature),
    )
    return told[predictions_schema(class_names).names]
