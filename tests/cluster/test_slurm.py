"""A study on a real Slurm cluster, where jobs are cancelled, taken away and lost with their node."""

import sys
from itertools import pairwise

import pandas as pd
import pytest
from faulty_run import EPOCHS, WANTED
from helpers import ROOT

sys.path.insert(0, str(ROOT / "tests" / "workflow"))
from killed_study import made_in

# One worker runs all of these, so that there is one cluster and one run.
pytestmark = pytest.mark.slow


def test_the_study_ends_well_whatever_happened(faulty_run):
    assert faulty_run.status == 0, faulty_run.told()
    compared = pd.read_parquet(faulty_run.folder / "results/tiny/comparison.parquet")
    assert {"narrow", "wide"} <= set(compared["model"])


def test_a_cancelled_job_is_tried_again(faulty_run):
    assert faulty_run.ends_of(faulty_run.cancelled) == ["CANCELLED"]
    described = [number for number, job in faulty_run.jobs.items() if "describe" in job["comment"]]
    assert len(described) == 2
    assert faulty_run.jobs[max(described, key=int)]["state"] == "COMPLETED"


def test_a_training_that_was_taken_from_its_node_goes_on(faulty_run):
    # Queued again under its number, which Snakemake waits for.
    assert faulty_run.ends_of(faulty_run.preempted)[-1] == "COMPLETED"
    assert len(faulty_run.ends_of(faulty_run.preempted)) == 2
    log = faulty_run.log_of(faulty_run.preempted_model).read_text()
    assert "resuming after epoch" in log
    assert f"epoch {EPOCHS}/" in log and "epoch 1/" not in log


def test_a_node_that_dies_takes_no_training_with_it(faulty_run):
    assert faulty_run.ends_of(faulty_run.lost) == ["NODE_FAIL", "COMPLETED"]
    log = faulty_run.log_of(faulty_run.lost_model).read_text()
    assert "resuming after epoch" in log and "epoch 1/" not in log


def test_jobs_go_where_their_needs_are_met(faulty_run):
    for job in faulty_run.jobs.values():
        wants_gpu = "train" in job["comment"] or "judge" in job["comment"]
        assert job["partition"] == ("gpu" if wants_gpu else "cpu"), job


def test_a_gpu_serves_one_job_at_a_time(faulty_run):
    spans = [
        (end["NodeList"], end["StartTime"], end["EndTime"])
        for end in faulty_run.cluster.ended()
        if end["Partition"] == "gpu" and end["StartTime"] != "Unknown"
    ]
    assert len(spans) >= 6
    for (node, _, end), (next_node, start, _) in pairwise(sorted(spans)):
        assert node != next_node or end <= start, spans


def test_few_jobs_are_submitted(faulty_run):
    tried = [job["comment"] for job in faulty_run.jobs.values()]
    assert len(tried) == 1 + len(["prepare", "train", "train", "judge", "judge", "describe", "conclude"]), (
        tried
    )


def test_the_cluster_makes_the_same_bits_as_one_machine(faulty_run, local_run):
    there, here = made_in(faulty_run.folder), made_in(local_run)
    assert set(WANTED) <= set(here)
    # Tables, packed arrays, manifests, weights, predictions, metrics: all but what tells of times.
    assert there.keys() == here.keys()
    assert {name for name in here if there[name] != here[name]} == set()


def test_states_and_locks_are_cleared_away(faulty_run):
    assert list((faulty_run.folder / ".brainmri/checkpoints").iterdir()) == []
