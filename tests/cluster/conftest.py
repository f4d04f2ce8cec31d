"""The cluster and the run that all tests here look at."""

import subprocess

import pytest
import slurm_cluster
from faulty_run import WANTED, FaultyRun, snakemake
from helpers import ROOT


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """Return a running Slurm cluster; afterwards nothing of it is left."""
    running = slurm_cluster.SlurmCluster(tmp_path_factory.mktemp("brainmri_slurm"))
    with slurm_cluster.started(running, slurm_cluster.missing()):
        yield running


@pytest.fixture(scope="session")
def faulty_run(cluster, tmp_path_factory):
    """Return the study after its run on the cluster."""
    run = FaultyRun(tmp_path_factory.mktemp("faulty"), cluster)
    run.go()
    return run


@pytest.fixture(scope="session")
def local_run(tmp_path_factory):
    """Return the folder in which the same study ran without a cluster."""
    folder = tmp_path_factory.mktemp("local")
    words = snakemake(folder, "--cores", "2", "--resources", "gpu=1", "--", *WANTED)
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder
