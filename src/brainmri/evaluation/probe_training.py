"""The trainings of the probes: each on its altered files, in a folder of its own, as `train` does it."""

import shutil
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd

from brainmri.artefacts import read_json, read_parquet, write_json, write_parquet
from brainmri.code import code_of
from brainmri.digests import digest_of, file_digest, inputs_digest
from brainmri.errors import BrainmriError, unwritable
from brainmri.evaluation.entries import number
from brainmri.evaluation.predict_split import logits_of
from brainmri.evaluation.probabilities import refuse_infinite
from brainmri.images.probed import PROBES, SHUFFLED, kept_pixels, write_blanked
from brainmri.images.store import checked_rows, open_images
from brainmri.models.build import weights_digest
from brainmri.models.device import resolve_device
from brainmri.models.saved import load_model
from brainmri.splits.manifest import read_manifest
from brainmri.splits.shuffle import shuffled_labels
from brainmri.training.conduct import conduct
from brainmri.training.order import TrainingOrder
from brainmri.training.recipe import Recipe

# Of an order, what each probe has in a folder of its own.
PLACED = ("model", "metadata", "history", "checkpoint_dir")


def shortened(recipe: Recipe, epochs: int) -> Recipe:
    """Return a recipe of fewer epochs, the warm-up and steps of its schedule as much shorter."""
    epochs = min(epochs, recipe.epochs)
    share, schedule, probe = epochs / recipe.epochs, recipe.schedule, recipe.linear_probe
    return replace(
        recipe,
        epochs=epochs,
        schedule=replace(
            schedule,
            warmup_epochs=schedule.warmup_epochs * share,
            step_epochs=max(1, round(schedule.step_epochs * share)),
        ),
        linear_probe=replace(probe, epochs=min(probe.epochs, epochs)),
    )


def work_folder(order: TrainingOrder, work_dir: Path, output: Path) -> Path:
    """Return the folder where the trainings lie, without what other inputs, settings or code left there."""
    folder = Path(work_dir) / digest_of(str(Path(output).resolve()))[:32]
    mark = digest_of(
        {
            "manifest": file_digest(order.manifest) if order.manifest.is_file() else None,
            "images": file_digest(order.images) if order.images.is_file() else None,
            "initial_weights": weights_digest(order.recipe, order.weights_dir),
            "recipe": asdict(order.recipe),
            "seed": order.seed,
            "code": inputs_digest(code_of("brainmri.evaluation.probe_training")),
        }
    )
    try:
        if folder.is_dir() and not (folder / mark).is_file():
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / mark).touch()
    except OSError as error:
        raise unwritable(folder, error) from error
    return folder


def trained_probes(
    order: TrainingOrder, folder: Path
) -> tuple[pd.DataFrame, dict[str, dict], dict[str, str]]:
    """Train each probe that is not yet trained, and ask each about the test images.

    Parameters
    ----------
    order
        What to train on, and how; where its files lie is each probe's own.
    folder
        What `work_folder` returned.

    Returns
    -------
    said : DataFrame
        `probe`, `image_id`, `group_id`, `label` (the true one), `target` (by which the probe is judged) and
        `predicted`, a row for each probe and test image.
    facts : dict of dict
        By probe: `pixels_kept`, `best_epoch`, `train_accuracy`, and the `most_frequent` training label.
    omitted : dict of str
        By probe that is left out: why.

    Raises
    ------
    BrainmriError
        As the stage `probes` does.
    """
    listed = read_manifest(order.manifest, ["row", "label", "label_index", "group_id"])
    packed = open_images(order.images)
    if not (listed["split"] == "test").any():
        raise BrainmriError(f"{order.manifest} has no test image: nothing can be said of a probe.")
    used = listed.loc[listed["split"] != "excluded", "row"]
    checked_rows(used, len(packed), order.manifest, "crop and split")
    tables, facts, omitted = [], {}, {}
    for probe in PROBES:
        table, document = folder / f"{probe}.parquet", folder / f"{probe}.json"
        if not document.is_file():
            print(f"probe: {probe.replace('_', ' ')}", file=sys.stderr)
            try:
                labelled = shuffled_labels(listed, order.seed) if probe == SHUFFLED else listed
            except BrainmriError as error:
                omitted[probe] = str(error)
                continue
            said, found = trained_probe(probe, order, listed, labelled, folder / probe)
            write_parquet(said.assign(probe=probe), table, config={})
            write_json(found, document)
            shutil.rmtree(folder / probe)
        tables.append(read_parquet(table))
        facts[probe] = read_json(document)
    return pd.concat(tables, ignore_index=True), facts, omitted


def trained_probe(
    probe: str, order: TrainingOrder, listed: pd.DataFrame, labelled: pd.DataFrame, place: Path
) -> tuple[pd.DataFrame, dict]:
    """Train one probe, and return what it says of the test images, and what is known of its training.

    Parameters
    ----------
    probe
        Which.
    order
        What to train on, and how.
    listed, labelled
        The manifest, and the same with the labels of the probe.
    place
        A folder for its files.
    """
    manifest, images = order.manifest, order.images
    packed = open_images(images)
    kept = kept_pixels(probe, packed.shape[1])
    if labelled is not listed:
        manifest = place / "manifest.parquet"
        write_parquet(labelled, manifest, config={"seed": order.seed}, inputs=[order.manifest])
    if not kept.all():
        images = place / "images.npy"
        used = listed.loc[listed["split"] != "excluded", "row"].to_numpy(np.int64)
        write_blanked(packed, used, kept, images)
    files = {key: place / getattr(order, key).name for key in PLACED}
    own = replace(order, manifest=manifest, images=images, **files)
    conduct(own)
    best = int(read_json(own.metadata)["best_epoch"])
    rows = read_parquet(own.history, ["epoch", "phase", "train_accuracy"])
    learnt = rows.loc[(rows["phase"] == "train") & (rows["epoch"] == best), "train_accuracy"].iloc[0]
    most_frequent = labelled.loc[labelled["split"] == "train", "label"].value_counts().sort_index().idxmax()
    facts = {"pixels_kept": float(kept.mean()), "best_epoch": best, "train_accuracy": number(float(learnt))}
    test = (listed["split"] == "test").to_numpy()
    said = listed.loc[test, ["image_id", "group_id", "label"]].assign(
        target=labelled.loc[test, "label"].to_numpy(),
        predicted=named(listed.loc[test, "row"].to_numpy(np.int64), own, probe),
    )
    return said, facts | {"most_frequent": str(most_frequent)}


def named(rows: np.ndarray, order: TrainingOrder, probe: str) -> np.ndarray:
    """Return the classes that a trained probe names for some rows of its packed images."""
    network, document = load_model(order.model, order.metadata)
    logits = logits_of(network, open_images(order.images), rows, resolve_device(order.device, order.threads))
    remark = "its training diverged. Lower the learning rate, or give the probes another model"
    refuse_infinite(logits, f"The probe '{probe}'", remark)
    return np.array(document["classes"])[logits.argmax(axis=1)]
