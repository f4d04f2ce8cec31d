"""The stage `probes`: what a model could have learnt without looking at the lesion.

The same training as ever, recipe, split and seed, for a few epochs, on input that was altered
(`images.probed` and `splits.shuffle` say how): from the border alone, without the centre, with labels that
mean nothing; and unaltered, for as few epochs, which is what the others are compared with. Test images are
altered as the training images were.
"""

import shutil
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pyarrow as pa

from brainmri.artefacts import write_json, write_parquet
from brainmri.errors import BrainmriError
from brainmri.evaluation.bootstrap import check_resamples
from brainmri.evaluation.evaluate import METHOD
from brainmri.evaluation.probe_scores import judged_probes
from brainmri.evaluation.probe_training import shortened, trained_probes, work_folder
from brainmri.images.box import CropSettings
from brainmri.images.probed import CONTROL
from brainmri.intervals import LEVEL
from brainmri.seeds import check_seed
from brainmri.splits.manifest import read_manifest
from brainmri.splits.settings import check_protocol
from brainmri.training.order import TrainingOrder
from brainmri.training.recipe import Recipe

PROBES_SCHEMA = pa.schema(
    [
        (name, pa.string())
        for name in (
            *("dataset", "split", "model", "probe"),
            *("image_id", "group_id", "label", "target", "predicted"),
        )
    ]
)


def probes(
    manifest: Path,
    images: Path,
    output: Path,
    predictions: Path,
    recipe: Recipe,
    dataset: str,
    split: str,
    protocol: str,
    model: str,
    epochs: int = 4,
    seed: int = 0,
    resamples: int = 2000,
    crop: CropSettings = CropSettings(),  # noqa: B008 (frozen)
    weights_dir: Path = Path("data/weights"),
    work_dir: Path = Path(".brainmri/probes"),
    cache_dir: Path | None = None,
    device: str = "auto",
    threads: int = 0,
) -> None:
    """Write what a model scores on a split from the border alone, without the centre, on shuffled labels.

    A stage that was killed, or asked to stop, goes on with the training at hand when it is called again.

    Parameters
    ----------
    manifest
        The split's ``manifest.parquet``.
    images
        The packed images, of the recipe's `image_size`.
    output
        Where to write ``probes.json``: the metrics of each probe with intervals.
    predictions
        Where to write ``probes.parquet``: what each said of each test image.
    recipe
        The network and how it is trained: an entry under `models:` of the configuration.
    dataset
        The data set's name.
    split
        The split's name.
    protocol
        The split's protocol, such as ``grouped``.
    model
        The model's name.
    epochs
        Passes over the training part for each probe, at most; the recipe's schedule is shortened alike.
    seed
        Of the trainings, of the shuffled labels and of the resampling.
    resamples
        Number of bootstrap resamples, at least 100.
    crop
        How the images were cropped.
    weights_dir
        Where `pretrained: true` finds `{architecture}.safetensors`.
    work_dir
        Where altered images and models are kept until the stage ends.
    cache_dir
        Where it is kept which arithmetic is fastest; where not given, in the user's cache, so that all
        studies on a machine agree.
    device
        `auto` (CUDA where there is one), `cpu`, `cuda` or `cuda:1`.
    threads
        Threads of the CPU's arithmetic; 0: torch's choice.

    Raises
    ------
    BrainmriError
        If the inputs do not fit each other or the recipe, there is no test image, or an end was asked for.
    """
    check_resamples(resamples)
    if epochs < 1:
        raise BrainmriError(f"epochs is {epochs}; allowed: 1 or more.")
    check_seed(seed)
    check_protocol(protocol)
    order = TrainingOrder(
        manifest=manifest,
        images=images,
        # Each probe has files of these names in a folder of its own.
        model=Path("model.safetensors"),
        metadata=Path("model.json"),
        history=Path("history.parquet"),
        checkpoint_dir=Path("checkpoints"),
        recipe=shortened(recipe, epochs),
        seed=seed,
        crop=crop,
        weights_dir=weights_dir,
        cache_dir=cache_dir,
        device=device,
        devices=1,
        threads=threads,
        events=None,
    )
    folder = work_folder(order, work_dir, output)
    said, facts, omitted = trained_probes(order, folder)
    said = said.assign(dataset=dataset, split=split, model=model)[PROBES_SCHEMA.names]
    listed = read_manifest(manifest, ["label", "label_index"])
    used = listed[listed["split"] != "excluded"].sort_values("label_index", kind="stable")
    identity = {"dataset": dataset, "split": split, "protocol": protocol, "model": model, "seed": seed}
    document = {
        "identity": identity,
        "epochs": order.recipe.epochs,
        "intervals": {"level": LEVEL, "resamples": resamples, "method": METHOD},
        "test": entries_of_test(said, facts, list(used["label"].unique()), resamples, seed),
        "omitted": omitted,
    }
    config = {**identity, "recipe": asdict(order.recipe)}
    write_parquet(said, predictions, config=config, inputs=[manifest, images], schema=PROBES_SCHEMA)
    write_json(document, output, inputs=[manifest, predictions])
    shutil.rmtree(folder, ignore_errors=True)


def entries_of_test(
    said: pd.DataFrame, facts: dict[str, dict], class_names: list[str], resamples: int, seed: int
) -> dict:
    """Return what ``probes.json`` says of the test part.

    Parameters
    ----------
    said, facts
        What `trained_probes` returned.
    class_names
        The classes in the order of their index.
    resamples
        Number of bootstrap resamples.
    seed
        Of the resampling.
    """
    chance = {probe: own["most_frequent"] for probe, own in facts.items()}
    scores = judged_probes(said, class_names, chance, resamples, seed)
    control = said[said["probe"] == CONTROL]
    return {
        "n_images": len(control),
        "n_groups": int(control["group_id"].nunique()),
        **{probe: facts[probe] | scores[probe] for probe in facts},
    }
