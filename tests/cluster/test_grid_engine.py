"""A study on a real Grid Engine: its jobs wait in the right queues, and a lost one is tried again."""

import json
import re
import subprocess

import grid_engine
import pytest
from faulty_run import RUNS, snakemake, waited_for
from helpers import ROOT
from slurm_cluster import started

pytestmark = pytest.mark.slow

TARGETS = [f"{RUNS}/narrow/seed0/metrics.json", f"{RUNS}/manifest.parquet"]


class Run:
    """The study on Grid Engine: one job is deleted, and a training is taken from its node."""

    def __init__(self, folder, engine):
        self.folder, self.engine = folder, engine
        self.log = folder / "logs/tiny/train/phantom-grouped-narrow-seed0.log"
        words = snakemake(folder, "--profile", "profiles/sge", "--latency-wait", "20", "--", *TARGETS)
        # As in a clone, the profile's programs lie below the folder that is worked in.
        (folder / "profiles").symlink_to(ROOT / "profiles")
        with (folder / "snakemake.out").open("wb") as output:
            self.process = subprocess.Popen(
                words, cwd=folder, stdout=output, stderr=output, env=engine.environment
            )
        try:
            self.deleted = self.waited_for(self.engine.running, "the first job").popitem()[0]
            self.engine.ask("qdel", self.deleted)
            self.waited_for(lambda: self.log.exists() and "epoch 3/" in self.log.read_text(), "the training")
            self.moved = next(job for job, queue in self.engine.running().items() if queue == "gpu")
            self.engine.ask("qmod", "-rj", self.moved)
            self.waited_for(lambda: self.process.poll() is not None, "the end of the study")
        finally:
            if self.process.poll() is None:
                self.process.kill()
            self.process.wait()
        self.jobs = engine.accounted()

    def waited_for(self, holds, what):
        """Return what `holds` gives once that is true."""
        return waited_for(holds, what, self.process, self.told, seconds=0.1)

    def told(self):
        """Return what Snakemake, the jobs and the daemons have said."""
        files = [self.folder / "snakemake.out", *(self.folder / "logs/jobs").glob("*")]
        return "\n".join([*(path.read_text()[-4000:] for path in files), self.engine.told()])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return the study after its run; afterwards nothing of Grid Engine is left."""
    engine = grid_engine.GridEngine(tmp_path_factory.mktemp("grid_engine"))
    with started(engine, grid_engine.missing()):
        yield Run(tmp_path_factory.mktemp("study"), engine)


def test_the_study_ends_well_though_a_job_was_deleted(run):
    assert run.process.returncode == 0, run.told()
    assert json.loads((run.folder / TARGETS[0]).read_text())
    deleted, again, *others = (run.jobs[job] for job in sorted(run.jobs, key=int))
    assert deleted["jobnumber"] == run.deleted and deleted["failed"].startswith("100")
    # Tried again, with twice the memory; all else ended well the first time.
    assert memory_of(again) == pytest.approx(2 * memory_of(deleted), abs=1)
    assert {job["exit_status"] for job in (again, *others)} == {"0"}
    assert len(others) == len(["train", "judge"])


def test_a_training_that_was_taken_from_its_node_goes_on(run):
    told = run.log.read_text()
    assert "resuming after epoch" in told and "epoch 1/" not in told
    assert run.jobs[run.moved]["exit_status"] == "0"


def test_jobs_wait_where_their_needs_are_met(run):
    for job in run.jobs.values():
        assert job["qname"] == ("gpu" if "gpu=1" in job["category"] else "cpu"), job
    assert {job["qname"] for job in run.jobs.values()} == {"cpu", "gpu"}


def memory_of(job):
    """Return the megabytes that a job asked for."""
    return int(re.search(r"mem_free=(\d+)M", job["category"])[1])
