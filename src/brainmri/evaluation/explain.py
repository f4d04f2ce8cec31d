"""The stage `explain`: where a model looks, and whether such maps can be believed."""

from pathlib import Path

import numpy as np
import pandas as pd

from brainmri.artefacts import read_parquet, write_json, write_parquet
from brainmri.errors import BrainmriError
from brainmri.evaluation.bootstrap import check_resamples
from brainmri.evaluation.explain_choice import KINDS, chosen_images
from brainmri.evaluation.explain_images import SCHEMA, explained_rows
from brainmri.evaluation.explain_summary import METHOD, method_entries
from brainmri.evaluation.explained import RANDOM_NETWORKS, Explained, random_networks
from brainmri.evaluation.lesions import packed_lesions
from brainmri.evaluation.model_inputs import calibration_of, images_for
from brainmri.evaluation.predictions import PARTS
from brainmri.evaluation.saliency_checks import head_mask
from brainmri.images.box import CropSettings
from brainmri.images.store import checked_rows
from brainmri.intervals import LEVEL
from brainmri.mapping import settings_from
from brainmri.models.device import resolve_device
from brainmri.models.grad_cam import FeatureLayer, feature_layer
from brainmri.models.saved import load_model, predict_logits
from brainmri.seeds import check_seed
from brainmri.splits.manifest import check_grouped, read_manifest

MOST_IMAGES = 500
METHODS = ("grad_cam", "occlusion", "random", "centre")
NO_FEATURE_MAP = "the network has no last convolutional feature map of more than one place, as transformers"
CHOICE = (
    "right, wrong and uncertain test images of each class in turn, at random within them: no random sample "
    "of the test part"
)


def explain(
    predictions: Path,
    calibration: Path,
    manifest: Path,
    images: Path,
    crops: Path,
    model: Path,
    metadata: Path,
    table: Path,
    summary: Path,
    truth: Path | None = None,
    count: int = 12,
    seed: int = 0,
    resamples: int = 2000,
    device: str = "auto",
    threads: int = 0,
) -> None:
    """Map where a model looks in some test images, and check whether such maps can be believed.

    Parameters
    ----------
    predictions
        ``predictions.parquet`` of the training.
    calibration
        Its ``calibration.json``: the temperature, and the confidence under which a case is uncertain.
    manifest
        The ``manifest.parquet`` that the model was trained on.
    images
        The packed images, of the model's size.
    crops
        ``crops_{size}.parquet``, which tells where in a file's image a packed one lies.
    model
        The trained weights, ``model.safetensors``.
    metadata
        Their description, ``model.json``.
    table
        Where to write ``explain.parquet``: one row an image and method.
    summary
        Where to write ``explain.json``: the means of the checks with their intervals.
    truth
        The truth table of a phantom, which knows where its lesions are.
    count
        How many images to explain at most; 0 explains none.
    seed
        The training's seed; it seeds every choice here too.
    resamples
        Number of bootstrap resamples, at least 100.
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    threads
        Threads of the CPU's arithmetic; 0 leaves torch's choice.

    Raises
    ------
    BrainmriError
        If an argument is out of its range, or the files do not belong together.
    """
    if not 0 <= count <= MOST_IMAGES:
        raise BrainmriError(f"count is {count}: must be from 0 to {MOST_IMAGES} images.")
    check_resamples(resamples)
    check_seed(seed)
    place = resolve_device(device, threads)
    network, document = load_model(model, metadata)
    fitted = calibration_of(calibration, document.get("weights_sha256"))
    packed = images_for(model, document, images)
    tested = tested_rows(predictions, manifest, document["classes"], len(packed))
    chosen = chosen_images(tested, document["classes"], fitted.get("referral_confidence"), count, seed)
    network.to(place)
    explained = Explained(
        network, feature_layer(network, document["image_size"]), float(fitted["temperature"]), place
    )
    pixels = packed[chosen["row"].to_numpy(dtype=np.int64)]
    check_predictions(chosen, explained, pixels, document["classes"], predictions)
    lesions = packed_lesions(truth, crops, list(chosen["image_id"]), len(packed[0])) if truth else {}
    crop = settings_from(CropSettings, document.get("crop") or {})
    heads = [head_mask(image, crop.threshold) for image in pixels]
    anew = random_networks(explained, document, metadata, seed)
    rows = explained_rows(explained, anew, chosen, pixels, heads, lesions, document["classes"], seed)
    settings = {"count": count, "seed": seed, "resamples": resamples}
    inputs = [predictions, calibration, manifest, images, crops, model, *([truth] if truth else [])]
    write_parquet(rows, table, config=settings, inputs=inputs, schema=SCHEMA)
    write_json(summarised(rows, explained.layer, document["classes"], settings), summary, inputs=[table])


def tested_rows(predictions: Path, manifest: Path, class_names: list[str], stored: int) -> pd.DataFrame:
    """Return the predictions of the test part, with the row of each packed image.

    Raises
    ------
    BrainmriError
        If there is no test image, a class is not the model's, or the two files do not belong together.
    """
    columns = ["image_id", "split", "group_id", "label", "predicted", "confidence"]
    logits = [f"logit_{name}" for name in class_names]
    told = read_parquet(predictions, [*columns, *logits], unique="image_id", words={"split": PARTS})
    rows = read_manifest(manifest, ["row"])[["image_id", "row"]]
    told = told[told["split"] == "test"].merge(rows, on="image_id", how="left")
    if not len(told):
        raise BrainmriError(f"{predictions} has no test image: nothing can be explained.")
    check_grouped(told, predictions, "predict_split")
    if not set(told["label"]) | set(told["predicted"]) <= set(class_names):
        raise BrainmriError(f"{predictions} has a class that is not the model's. Run predict_split again.")
    return told.assign(row=checked_rows(told["row"], stored, predictions, "crop, split and predict_split"))


def check_predictions(
    chosen: pd.DataFrame, explained: Explained, pixels: np.ndarray, class_names: list[str], path: Path
) -> None:
    """Refuse predictions that are not this model's of these images."""
    told = chosen[[f"logit_{name}" for name in class_names]].to_numpy(dtype=np.float64)
    found = predict_logits(explained.network, pixels, explained.place)
    # Devices differ in the last digits; another model differs in the first.
    if len(told) and np.abs(found - told).max() > 0.05 * (1 + np.abs(told).max()):
        raise BrainmriError(
            f"{path} has other logits than the model gives these images: run predict_split again."
        )


def summarised(
    rows: pd.DataFrame, layer: FeatureLayer | None, class_names: list[str], settings: dict
) -> dict:
    """Return the content of ``explain.json``.

    Parameters
    ----------
    rows
        Of ``explain.parquet``.
    layer
        The feature map that Grad-CAM reads; None where there is none.
    class_names
        The classes in the order of their index.
    settings
        `count`, `seed` and `resamples`.
    """
    images = rows.drop_duplicates("image_id")
    methods = {}
    for name in METHODS:
        own = rows[rows["method"] == name]
        if len(own):
            constant = int(own["insertion"].isna().sum())
            entries = method_entries(own, class_names, settings["resamples"], settings["seed"])
            methods[name] = {"n_images": len(own), "n_constant": constant, **entries}
    return {
        "n_images": len(images),
        "n_groups": int(images["group_id"].nunique()),
        "n_lesions": int(images["lesion_area"].notna().sum()),
        "kinds": {kind: int((images["kind"] == kind).sum()) for kind in KINDS},
        "choice": CHOICE,
        "layer": None if layer is None else {"name": layer.name, "size": [layer.rows, layer.columns]},
        "omitted": {} if layer is not None else {"grad_cam": NO_FEATURE_MAP},
        "settings": {**settings, "random_networks": RANDOM_NETWORKS},
        "intervals": {"level": LEVEL, "resamples": settings["resamples"], "method": METHOD},
        "methods": methods,
    }
