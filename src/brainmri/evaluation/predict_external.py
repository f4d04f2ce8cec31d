"""The stage `predict_external`: what a trained model says of a data set that it is not from.

Tested are all usable images of the other set but those that the model's own set holds a relative of: a copy,
a neighbouring slice, or what shares a group with one. A relative of a training or validation image is known
to the model. One of any other file of its set is not, but is no picture of another source either, and would
make the two sets look more alike than they are. Both are counted apart.

The model chooses among the classes that both sets have left to test on: the logits of the others are taken
away before the softmax, which renormalises its probabilities. The temperature stays the one that was fitted
on its own validation part.
"""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from brainmri.artefacts import read_parquet, table_metadata, write_parquet
from brainmri.digests import digest_of, file_digest
from brainmri.errors import BrainmriError
from brainmri.evaluation.model_inputs import calibration_of, check_manifest, images_for
from brainmri.evaluation.outside import LEARNT, OTHER_CLASS, SHARED, outside_schema
from brainmri.evaluation.predict_split import logits_of
from brainmri.evaluation.predictions import read_predictions
from brainmri.evaluation.probabilities import judgements, refuse_infinite
from brainmri.evaluation.relatives import pairs_between, relatives
from brainmri.images.box import CropSettings
from brainmri.images.store import lie_within
from brainmri.mapping import settings_from
from brainmri.models.device import resolve_device
from brainmri.models.saved import load_model
from brainmri.seeds import check_seed
from brainmri.splits.manifest import read_manifest
from brainmri.splits.reasons import CONFLICT, NO_LABEL, unusable


def predict_external(
    dataset: str,
    split: str,
    name: str,
    seed: int,
    other: str,
    manifest: Path,
    predictions: Path,
    calibration: Path,
    model: Path,
    metadata: Path,
    inventory: Path,
    groups: Path,
    overlap: Path,
    images: Path,
    crops: Path,
    output: Path,
    conflicts: str = "exclude",
    device: str = "auto",
    threads: int = 0,
) -> None:
    """Write the calibrated probabilities of another data set's images, without those that the model knows.

    Parameters
    ----------
    dataset
        The data set that the model was trained on.
    split
        Its split.
    name
        The model's name.
    seed
        The training's seed.
    other
        The data set to test on.
    manifest
        The ``manifest.parquet`` that the model was trained on.
    predictions
        Its own ``predictions.parquet``, which tells the classes of its test part.
    calibration
        Its ``calibration.json``.
    model
        The trained weights, ``model.safetensors``.
    metadata
        Their description, ``model.json``.
    inventory
        The other set's ``inventory.parquet``.
    groups
        The other set's ``groups.parquet``.
    overlap
        The pairs of copies between both sets.
    images
        The other set's packed images, prepared as the model's training images were.
    crops
        The table of boxes beside them.
    output
        Where to write what the model says, and of each image that it is not asked of, why.
    conflicts
        ``exclude``: images whose copies carry another label are left out. ``keep``: they are tested.
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    threads
        Threads of the CPU's arithmetic; 0 leaves torch's choice.

    Raises
    ------
    BrainmriError
        If the files do not belong together, or the images were prepared otherwise.
    """
    if conflicts not in ("exclude", "keep"):
        raise BrainmriError(f"conflicts: '{conflicts}' is not allowed. Known: exclude, keep.")
    check_seed(seed)
    if other == dataset:
        raise BrainmriError(
            f"The other data set is {dataset} itself, which the model is from: name another one. "
            "On its own set predict_split tests it."
        )
    place = resolve_device(device, threads)
    network, document = load_model(model, metadata)
    temperature = float(calibration_of(calibration, file_digest(model))["temperature"])
    check_manifest(manifest, document, model)
    check_prepared(crops, document, metadata)
    packed = images_for(model, document, images)
    own = read_manifest(manifest, ["group_id"])
    foreign = read_parquet(groups, ["image_id", "group_id"], unique="image_id")
    kin = relatives(own, foreign, pairs_between(overlap, dataset, other))
    files = listed_files(inventory, groups, crops, len(packed), kin, conflicts)
    names, parts = read_predictions(predictions)
    if names != document["classes"]:
        raise BrainmriError(
            f"{predictions} is not of {model}: their classes differ. Run predict_split again."
        )
    tested_classes = {names[index] for index in np.unique(parts["test"].truth)}
    classes = leave_other_classes(files, [label for label in names if label in tested_classes])
    rows = files.loc[files["reason"].isna(), "row"].to_numpy(np.int64)
    logits = logits_of(network, packed, rows, place) if len(rows) else np.empty((0, len(names)), np.float32)
    refuse_infinite(logits, model)
    table = judged(files, logits, names, classes, temperature)
    identity = {"trained_on": dataset, "split": split, "model": name, "seed": seed, "tested_on": other}
    write_parquet(
        table.assign(**identity)[outside_schema(names, classes).names],
        output,
        config={"conflicts": conflicts, "temperature": temperature, **identity},
        inputs=[manifest, predictions, calibration, model, inventory, groups, overlap, images, crops],
        schema=outside_schema(names, classes),
    )
    print(
        f"predict_external: {len(logits)} of {len(files)} files of {other} tested, "
        f"{int(files['reason'].isin([LEARNT, SHARED]).sum())} left out as copies or neighbours of {dataset}"
    )


def check_prepared(crops: Path, document: dict, metadata: Path) -> None:
    """Refuse images that were not cropped and resized as the model's training images were."""
    settings = settings_from(CropSettings, document.get("crop") or {})
    made_with = table_metadata(crops).get(b"brainmri.config", b"").decode()
    if made_with != digest_of({"size": document["image_size"], **asdict(settings)}):
        told = ", ".join(f"{key} {value}" for key, value in asdict(settings).items())
        raise BrainmriError(
            f"The images of {crops} were not prepared as those that {metadata} was trained on: run the stage "
            f"crop with size {document['image_size']} and {told}."
        )


def listed_files(
    inventory: Path, groups: Path, crops: Path, stored: int, kin: pd.DataFrame, conflicts: str
) -> pd.DataFrame:
    """Return one row a file of the other set: image, label, group, packed row, and why it is not tested.

    Parameters
    ----------
    inventory, groups, crops
        Its tables.
    stored
        Number of images in its packed array.
    kin
        What `relatives` returned.
    conflicts
        ``exclude`` or ``keep``.
    """
    files = read_parquet(inventory, ["image_id", "label", "status", "reason"], unique="image_id")
    files = files.sort_values("image_id", ignore_index=True)
    usable = (files["status"] == "ok").to_numpy()
    rows = read_parquet(crops, ["image_id", "row"], unique="image_id").set_index("image_id")["row"]
    grouped = read_parquet(groups, ["image_id", "group_id", "label_conflict"]).set_index("image_id")
    files["row"] = files["image_id"].map(rows)
    own = files.loc[usable, "row"]
    if not lie_within(own, stored) or usable.sum() != stored:
        raise BrainmriError(
            f"{crops} and the packed images are not of {inventory}: run the stage crop again."
        )
    files["group_id"] = files["image_id"].map(grouped["group_id"])
    if files.loc[usable, "group_id"].isna().any():
        raise BrainmriError(f"{groups} lacks images of {inventory}: run the stage audit again.")
    files["reason"] = unusable(files).astype(object).where(~usable, None)

    def leave_out(where: pd.Series, reason: str) -> None:
        files.loc[files["reason"].isna() & where.to_numpy(bool, na_value=False), "reason"] = reason

    told = {name: files["image_id"].map(kin[name]).astype("boolean") for name in ("learnt", "shared")}
    leave_out(told["learnt"], LEARNT)
    leave_out(told["shared"], SHARED)
    leave_out(files["label"].isna(), NO_LABEL)
    if conflicts == "exclude":
        leave_out(files["image_id"].map(grouped["label_conflict"]).astype("boolean"), CONFLICT)
    return files[["image_id", "label", "group_id", "row", "reason"]]


def leave_other_classes(files: pd.DataFrame, known: list[str]) -> list[str]:
    """Leave out the images of classes that one of the sets lacks, in place; return the classes of both.

    Fewer than two classes leave nothing to choose from, and then no image is tested.

    Parameters
    ----------
    files
        What `listed_files` returned.
    known
        The classes that the model's own test part has, in the model's order.
    """
    left = set(files.loc[files["reason"].isna(), "label"])
    classes = [name for name in known if name in left]
    classes = classes if len(classes) > 1 else []
    files.loc[files["reason"].isna() & ~files["label"].isin(classes), "reason"] = OTHER_CLASS
    return classes


def judged(
    files: pd.DataFrame, logits: np.ndarray, class_names: list[str], classes: list[str], temperature: float
) -> pd.DataFrame:
    """Return the files with what the model says of those that are tested.

    Parameters
    ----------
    files
        One row a file; those without a reason are tested.
    logits : (N, C) float array
        Of the N tested ones.
    class_names
        The model's classes.
    classes
        Those that it may choose from.
    temperature
        Its own.
    """
    chosen = logits[:, [class_names.index(name) for name in classes]]
    tested = files["reason"].isna()
    told = pd.DataFrame(logits, columns=[f"logit_{name}" for name in class_names], index=files.index[tested])
    nothing = {"predicted": None, "confidence": np.nan}
    said = judgements(chosen, classes, temperature) if len(chosen) else nothing
    return files.join(told.assign(**said))
