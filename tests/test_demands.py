"""What the rules ask of a scheduler: enough, more each time, and by what is known."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml
from helpers import ROOT, SCHEMA
from hypothesis import given
from hypothesis import strategies as st

from brainmri.configuration import checked
from brainmri.jobs import MADE

sys.path.insert(0, str(ROOT / "workflow"))
from demands import DEMANDS, WITH_NETWORK, Demands

# A study in which each rule has a job; no two data sets are of one size.
WHOLE = {
    "study": "whole",
    "datasets": {
        "one": {"source": {"phantom": {"patients": 500, "slices": 5}}, "crop": {"method": "none"}},
        "two": {"source": {"phantom": {"patients": 900, "slices": 5}}},
        "both": {"source": {"datasets": ["one", "two"]}},
    },
    "splits": {"grouped": {"protocol": "grouped"}},
    "models": {"cnn": {"architecture": "cnn", "image_size": 64}},
    "external": True,
    "explain": {"images": 1},
    "probes": {"epochs": 1},
    "devices": 2,
    "resources": {"threads": 3, "train_minutes": 90, "memory_factor": 1.5},
}
# Snakemake, which writes down what each job asks for, as its log tells it.
LISTENING = """
import json
from snakemake.cli import main
from snakemake.logging import logger

def listen(told):
    if hasattr(told, "resources"):
        job = {"rule": told.rule_name, "wildcards": told.wildcards, "threads": told.threads}
        job["resources"] = dict(told.resources.items())
        print(json.dumps(job), file=file, flush=True)
    return True

file = open("asked.jsonl", "w")
logger.addFilter(listen)
main()
"""
RUN = SimpleNamespace(dataset="mine", split="grouped", model="cnn", seed="0")


def demands(tmp_path, **changes):
    """Return the demands of a study of an archive of its own, with some keys changed."""
    config = {
        "study": "small",
        "datasets": {"mine": {"source": {"archive": "mri.zip"}}},
        "splits": {"grouped": {"protocol": "grouped"}},
        "models": {"cnn": {"architecture": "cnn", "image_size": 64}},
    }
    return Demands(checked({**config, **changes}, SCHEMA), tmp_path)


@pytest.mark.slow
def test_every_job_asks_for_what_its_stage_takes(tmp_path):
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(WHOLE))
    command = [sys.executable, "-c", LISTENING, "--snakefile", ROOT / "Snakefile", "--directory", tmp_path]
    command += ["--configfile", tmp_path / "study.yaml", "--cores", "8", "--dry-run"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = [json.loads(line) for line in (tmp_path / "asked.jsonl").read_text().splitlines()]
    assert {job["rule"] for job in jobs} == {*MADE, "all"}
    asked = Demands(checked(WHOLE, SCHEMA), tmp_path / "data")
    for job in (job for job in jobs if job["rule"] != "all"):
        stage = "draw" if job["rule"].startswith("draw_") else job["rule"].removesuffix("_alike")
        place, resources = SimpleNamespace(**job["wildcards"]), job["resources"]
        assert resources["mem_mb"] == asked.memory(stage)(place, attempt=1), job
        assert resources["runtime"] == asked.minutes(stage)(place, attempt=1), job
        assert resources.get("gpu", 0) == (asked.gpus(stage) if stage in WITH_NETWORK else 0), job
        assert job["threads"] in (1, asked.threads), job


@pytest.mark.parametrize("stage", sorted(DEMANDS))
def test_each_attempt_asks_for_twice_as_much(tmp_path, stage):
    asked = demands(tmp_path)
    for ask in (asked.memory(stage), asked.minutes(stage)):
        assert ask(RUN, attempt=1) >= 10
        assert ask(RUN, attempt=3) == 2 * ask(RUN, attempt=2) == 4 * ask(RUN, attempt=1)


def test_an_inventory_is_believed_more_than_the_assumption(tmp_path):
    asked = demands(tmp_path, resources={"images": 50_000})
    before = asked.memory("audit")(RUN, attempt=1)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/inventory.parquet").write_bytes(b"half")
    assert asked.memory("audit")(RUN, attempt=1) == before
    pd.DataFrame({"image_id": range(3000)}).to_parquet(tmp_path / "mine/inventory.parquet")
    assert asked.images_of("mine") == 3000
    assert asked.memory("audit")(RUN, attempt=1) < before / 3


def test_a_pool_has_the_images_of_its_members(tmp_path):
    pool = {
        "one": {"source": {"phantom": {"patients": 10, "slices": 3}}},
        "two": {"source": {"directory": "two"}},
        "both": {"source": {"datasets": ["one", "two"]}},
    }
    asked = demands(tmp_path, datasets=pool, resources={"images": 100})
    assert asked.images_of("both") == 2 * 10 * 3 + 100
    # A pair is compared, and the whole study is concluded.
    assert asked.images_read(SimpleNamespace(dataset="one", other="two")) == 160
    assert asked.images_read(SimpleNamespace(study="small")) == 320


@given(batch=st.integers(1, 512), size=st.integers(16, 1024))
def test_a_training_asks_for_what_its_batch_takes(tmp_path_factory, batch, size):
    models = {"cnn": {"architecture": "cnn", "image_size": size, "batch_size": batch}}
    asked = demands(tmp_path_factory.getbasetemp(), models=models).memory("train")(RUN, attempt=1)
    assert asked * 1e6 > batch * size**2 * 1700


def test_gpus_threads_and_limits_are_those_of_the_configuration(tmp_path):
    asked = demands(tmp_path, devices=4, resources={"threads": 3, "train_minutes": 90, "memory_factor": 0.5})
    assert (asked.gpus("train"), asked.gpus("explain"), asked.threads) == (4, 1, 3)
    assert asked.minutes("train")(RUN, attempt=1) == 90
    alone = demands(tmp_path)
    assert asked.memory("split")(RUN, attempt=1) == alone.memory("split")(RUN, attempt=1) / 2
    assert demands(tmp_path, device="cpu", devices=4).gpus("train") == 0
