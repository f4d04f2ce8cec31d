"""The probes of a synthetic study: answers out of thin air, judged as the stage judges them."""

from pathlib import Path

import numpy as np
import pandas as pd

from brainmri.artefacts import read_parquet, write_json, write_parquet
from brainmri.evaluation.probes import PROBES_SCHEMA, entries_of_test
from brainmri.images.probed import PROBES, SHUFFLED, kept_pixels
from brainmri.reporting.draw_probes import draw_probes
from brainmri.splits.shuffle import shuffled_labels
from brainmri.study import Study

# The share of images that each probe is right on; the others are guessed.
KNOWN = {"unaltered": 0.7, "border": 0.6, "centre_masked": 0.2, "shuffled_labels": 0.0}


def write_probes(study: Study, dataset: str, split: str, images: Path) -> None:
    """Write probes.json, probes.parquet and their figure; a leaking split is known again by its labels."""
    known = KNOWN | ({"shuffled_labels": 0.5} if split == "random" else {})
    manifest = study.split_folder(dataset, split) / "manifest.parquet"
    listed, generator = read_parquet(manifest), np.random.default_rng(0)
    test, tables, facts = (listed["split"] == "test").to_numpy(), [], {}
    for probe in PROBES:
        labelled = shuffled_labels(listed, 0) if probe == SHUFFLED else listed
        target = labelled.loc[test, "label"].to_numpy()
        guess = generator.choice(study.class_names, len(target))
        table = listed.loc[test, ["image_id", "group_id", "label"]].assign(
            target=target, predicted=np.where(generator.random(len(target)) < known[probe], target, guess)
        )
        tables.append(table.assign(probe=probe, dataset=dataset, split=split, model=study.probed_model()))
        facts[probe] = {"pixels_kept": float(kept_pixels(probe, 80).mean()), "best_epoch": 4}
        facts[probe] |= {"train_accuracy": 0.4, "most_frequent": study.class_names[0]}
    said, folder = pd.concat(tables)[PROBES_SCHEMA.names], study.probes_folder(dataset, split)
    identity = {"dataset": dataset, "split": split, "protocol": split, "model": study.probed_model()}
    document = {
        "identity": identity | {"seed": 0},
        "epochs": 4,
        "test": entries_of_test(said, facts, study.class_names, 100, 0),
        "omitted": {},
    }
    table = folder / "probes.parquet"
    write_parquet(said, table, config={}, inputs=[manifest], schema=PROBES_SCHEMA)
    write_json(document, folder / "probes.json", inputs=[manifest, table])
    draw_probes(dataset, split, table, manifest, images, study.probes_figure(dataset, split))
