"""Pooled data sets and folds in the workflow: a real run on two phantoms, and the plan of the example."""

import json
from copy import deepcopy
from pathlib import Path

import pandas as pd
import pytest
import yaml
from helpers import ROOT
from phantom_study import SMALL_STUDY

from brainmri.sources.phantom import phantom

pytestmark = pytest.mark.slow


def two_sets(folder: Path) -> dict[str, Path]:
    """Draw two phantom sets; the second has a file of the first as well."""
    drawn = {}
    for seed, (name, layout) in enumerate({"north": "masoud", "south": "sartaj"}.items(), start=1):
        drawn[name] = folder / name
        phantom(
            drawn[name],
            truth=folder / f"{name}.parquet",
            patients=24,
            slices=3,
            size=96,
            seed=seed,
            layout=layout,
        )
    original = next(path for path in sorted(drawn["north"].rglob("*.jpg")) if "Training/glioma" in str(path))
    copy = next(path for path in sorted(drawn["south"].rglob("glioma*")) if path.is_dir()) / "copied.jpg"
    copy.write_bytes(original.read_bytes())
    return drawn


def study_of_two(folder: Path) -> dict:
    """Return a study of two phantoms, pooled; one is left out, and the pool is split into two folds."""
    config = deepcopy(SMALL_STUDY)
    config["study"] = "external"
    config["datasets"] = {
        name: {"source": {"directory": str(place)}, "splits": []} for name, place in two_sets(folder).items()
    }
    # The models of north are tested on south too, whose images are then cropped as those of north.
    config["datasets"]["north"] |= {"splits": ["grouped"], "crop": {"margin": 4}}
    config["datasets"]["both"] = {"source": {"datasets": ["north", "south"]}, "splits": ["on_south", "cv"]}
    config["splits"] = {
        "on_south": {"protocol": "leave_one_out", "test_dataset": "south", "val": 0.25},
        "cv": {"protocol": "grouped", "folds": 2, "val": 0.25},
        "grouped": {"protocol": "grouped", "train": 0.5, "val": 0.25, "test": 0.25},
    }
    config["models"] = {"cnn": config["models"]["cnn"]}
    config["probes"] = {"epochs": 0}
    return config


def test_a_pooled_set_goes_through_all_stages_as_a_fetched_one(workflow, tmp_path):
    study = workflow(study_of_two(tmp_path / "sets"))
    done = study.run()
    assert done.returncode == 0, done.stdout + done.stderr

    splits = ("on_south", "cv-fold0", "cv-fold1")
    assert set(study.results("both/*/cnn/seed0/metrics.json")) == {
        f"both/{split}/cnn/seed0/metrics.json" for split in splits
    }
    manifest = pd.read_parquet(study.results("both/on_south/manifest.parquet").popitem()[1])
    used = manifest[manifest["split"] != "excluded"]
    from_south = used["image_id"].str.startswith("south/")
    assert (from_south == (used["split"] == "test")).all()
    copied = manifest[manifest["image_id"].str.endswith("/copied.jpg")]
    assert copied["reason"].tolist() == ["its group reaches into north"]
    tested = [
        set(table.loc[table["split"] == "test", "image_id"])
        for table in map(pd.read_parquet, study.results("both/cv-fold*/manifest.parquet").values())
    ]
    assert len(tested) == 2 and not tested[0] & tested[1]
    told = json.loads((study.folder / "data/both/audit.json").read_text())["between_datasets"]
    assert told[0]["images"]["north"] >= 1
    page = (study.folder / "results/external/report/index.html").read_text()
    assert "leave_one_out" in page and "cv-fold1" in page
    assert_tested_outside(study, page)
    jobs = study.status()
    assert {job["state"] for job in jobs} == {"done"}
    assert {job["log"] for job in jobs} == study.logs()
    again = study.run()
    assert "Nothing to be done" in again.stdout + again.stderr


def assert_tested_outside(study, page: str) -> None:
    """Look whether the model of north was tested on south, without the file that both have, and shown."""
    (told,) = study.results("*/*/*/*/external/*.parquet").items()
    assert told[0] == "north/grouped/cnn/seed0/external/south.parquet"
    table = pd.read_parquet(told[1])
    (reason,) = table.loc[table["image_id"].str.endswith("/copied.jpg"), "reason"]
    assert reason.startswith("a copy or neighbour of it")
    tested = table[table["reason"].isna()]
    assert tested["group_id"].nunique() > 4 and tested["confidence"].between(0.25, 1).all()
    assert (study.folder / "data/south/alike/north/images_32.npy").is_file()
    matrix = pd.read_parquet(study.folder / "results/external/external.parquet")
    of_accuracy = matrix[(matrix["metric"] == "accuracy") & (matrix["seed"] == 0)]
    measured = dict(zip(of_accuracy["tested_on"], of_accuracy["value"], strict=True))
    assert measured.keys() == {"north", "south"}
    assert measured["south"] == pytest.approx((tested["label"] == tested["predicted"]).mean())
    assert '<section id="external"' in page and "north/grouped/cnn/seed0/external/south.parquet" in page


def test_the_example_of_external_validation_can_be_planned(workflow):
    config = yaml.safe_load((ROOT / "config/examples/external.yaml").read_text())
    plan = workflow(config).run("--dry-run", "--quiet", "rules", "--", "all")
    told = plan.stdout + plan.stderr
    assert plan.returncode == 0, told
    counts = {
        words[0]: int(words[1])
        for line in told.splitlines()
        if len(words := line.split()) == 2 and words[1].isdigit()
    }
    assert counts["fetch"] == counts["audit"] == 2
    assert counts["pool"] == counts["overlap"] == 1
    assert counts["split"] == 5
    assert counts["train"] == counts["evaluate"] == 10
    # Two models of each of two sets, on the other one; those of the pooled set have `leave_one_out`.
    assert counts["predict_external"] == 4
    assert counts["draw_external"] == 2
    assert "crop_alike" not in counts
    apart = workflow(config | {"external": False}).run("--dry-run", "--quiet", "rules", "--", "all")
    assert apart.returncode == 0, apart.stdout + apart.stderr
    assert "predict_external" not in apart.stdout + apart.stderr
