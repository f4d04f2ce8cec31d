"""The configurations of the repository in the workflow: each can be planned, and one is run to its end."""

import json
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
import yaml
from helpers import ROOT

from brainmri.jobs import jobs_of
from brainmri.status import configured

pytestmark = pytest.mark.slow

REFERENCES = sorted((ROOT / "config/reference").glob("*.yaml"))
STUDIES = [*REFERENCES, ROOT / "config/kaggle.yaml"]
# What each study trains: models times splits times seeds, over its data sets.
TRAININGS = {
    "masoud-cnn": 2,
    "orvile-cnn-resnet50": 6,
    "sartaj-baseline-efficientnet": 6,
    "sartaj-efficientnet": 2,
    "sartaj-vgg16-resnet50": 4,
    "kaggle": 90,
}


def stand_in(path: Path) -> dict:
    """Return a configuration with a small phantom in the place of each Kaggle set, in the same folders."""
    config = yaml.safe_load(path.read_text())
    for seed, (name, dataset) in enumerate(config["datasets"].items()):
        drawn = {"patients": 32, "slices": 3, "size": 96, "seed": seed, "layout": name}
        dataset["source"] = {"phantom": drawn}
    return config


def planned(told: str) -> dict[str, int]:
    """Return how often each rule would run, as a dry run tells it."""
    rows = [line.split() for line in told.splitlines()]
    return {words[0]: int(words[1]) for words in rows if len(words) == 2 and words[1].isdigit()}


def test_every_configuration_of_a_reference_is_known_here():
    assert {path.stem for path in STUDIES} == set(TRAININGS)


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_each_study_can_be_planned(workflow, path):
    plan = workflow(stand_in(path)).run("--dry-run", "--quiet", "rules", "--", "all")
    told = plan.stdout + plan.stderr
    assert plan.returncode == 0, told
    assert planned(told)["train"] == planned(told)["evaluate"] == TRAININGS[path.stem]
    rules = Counter(job.rule for job in jobs_of(configured(path)))
    # A rule that is not listed there is told only once it ran: add it.
    assert planned(told) == rules | {"all": 1, "total": rules.total() + 1}


@pytest.mark.parametrize("path", REFERENCES, ids=lambda path: path.stem)
def test_each_reference_stands_beside_a_leak_free_split_and_splits_the_folders_of_its_set(workflow, path):
    study = workflow(stand_in(path))
    name = study.config["study"]
    (dataset,) = study.config["datasets"]
    splits = list(study.config["splits"])
    targets = [f"results/{name}/{dataset}/{split}/manifest.parquet" for split in splits]
    done = study.run("--", *targets)
    assert done.returncode == 0, done.stdout + done.stderr
    for split, target in zip(splits, targets, strict=True):
        manifest = pd.read_parquet(study.folder / target)
        used = manifest[manifest["split"] != "excluded"]
        assert set(used["split"]) == {"train", "val", "test"}
        assert used["label"].nunique() == (3 if dataset == "orvile" else 4)
        if split == "grouped":
            assert used.groupby("group_id")["split"].nunique().max() == 1
        if study.config["splits"][split].get("source_split") == "train":
            assert used["image_id"].str.startswith("Training/").all()


def test_a_part_of_a_reference_is_run_to_its_page(workflow):
    study = workflow(stand_in(ROOT / "config/reference/masoud-cnn.yaml"))
    done = study.run("--config", "models={cnn: {epochs: 1}}", "resamples=200", "probes={epochs: 0}")
    assert done.returncode == 0, done.stdout + done.stderr
    runs = study.results("masoud/*/cnn/seed0/model.json")
    assert set(runs) == {f"masoud/{split}/cnn/seed0/model.json" for split in ("published", "grouped")}
    for path in runs.values():
        document = json.loads(path.read_text())
        assert document["epochs"] == 1
        assert (document["mean"], document["std"]) == (0.5, 0.5)
    page = (study.folder / "results/masoud-cnn/report/index.html").read_text()
    assert "Reference systems" in page
    for claim in study.config["claims"]:
        assert claim["system"] in page and claim["remark"] in page
    part = study.run("--dry-run", "--quiet", "rules", "--config", "only={splits: [grouped]}", "seeds=[1]")
    assert planned(part.stdout + part.stderr)["train"] == 1
