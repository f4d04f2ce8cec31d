"""How much a study submits, and what a submission asks for: what the profiles plan, without a cluster."""

import os
import re
import subprocess
import time
from collections import Counter
from copy import deepcopy
from shutil import copytree

import pytest
import yaml
from faulty_run import STUDY
from helpers import ROOT, snakemake_command

pytestmark = pytest.mark.slow

NOW = time.time()
RUN = "results/tiny/one/grouped/narrow/seed0"
TRAINED = [f"{RUN}/{name}" for name in ("model.safetensors", "model.json", "history.parquet")]
# What runs a network on a model: once on its own data set, then side by side.
PREDICTED = [f"{RUN}/{name}" for name in ("predictions.parquet", "calibration.json", "explain/explain.json")]
JUDGED = [f"{RUN}/{name}.parquet" for name in ("explain/explain", "external/two", "external/three")]

# A PBS whose jobs all fail, which keeps what it was asked for.
QSUB = """#!/bin/sh
here=$(dirname "$0")
echo "$*" >> "$here/submitted"
for script; do :; done
{action}
echo 1.server
"""
QSTAT = "#!/bin/sh\nprintf '    job_state = F\\n    Exit_status = 1\\n'\n"


def snakemake(folder, *arguments, study=None):
    """Return how a run in a folder ends and what it says, with the programs there before all others."""
    if study is not None:
        (folder / "study.yaml").write_text(yaml.safe_dump(study))
        # As in a clone, the profile's programs lie below the folder that is worked in.
        (folder / "profiles").symlink_to(ROOT / "profiles")
    words = snakemake_command(*arguments)
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, env=environment)
    return done.returncode, done.stdout + done.stderr


def test_fifteen_trainings_wait_four_times_in_a_queue(tmp_path):
    study = deepcopy(STUDY)
    study["models"] = {f"model{number}": study["models"]["narrow"] for number in range(5)}
    study["seeds"] = [0, 1, 2]
    del study["probes"]
    status, told = snakemake(tmp_path, "--dry-run", "--profile", "profiles/slurm", study=study)
    assert status == 0, told
    groups = Counter(re.findall(r"Group job (\w+)", told))
    # One after the other: prepare, a training, what judges it, conclude. The others are beside the trainings.
    assert groups == {"prepare": 1, "judge": 15, "describe": 1, "probe": 1, "conclude": 1}
    alone = re.findall(r"^Job \d+: (\w+)", told, re.M)
    assert Counter(alone) == {"Train": 15, "Bring": 1, "Split": 1, "All": 1}


@pytest.fixture(scope="module")
def before_trainings(tmp_path_factory):
    """Return a folder with a study of three data sets, up to where the trainings may start."""
    folder = tmp_path_factory.mktemp("study")
    study = deepcopy(STUDY)
    study["datasets"] = dict.fromkeys(("one", "two", "three"), study["datasets"]["phantom"])
    study["models"] = {"narrow": study["models"]["narrow"]}
    study |= {"explain": {"images": 2}, "resources": {"threads": 8, "train_minutes": 2000}}
    dry = ("--dry-run", "--quiet", "host", "--cores", "1", "--")
    status, told = snakemake(folder, *dry, *JUDGED, study=study)
    assert status == 0, told
    missing = ", ".join(re.findall(r"Reason: Missing output files: ([^;\n]*)", told)).split(", ")
    make(folder, *(name for name in missing if not name.startswith(RUN)))
    (folder / "qstat").write_text(QSTAT)
    (folder / "qstat").chmod(0o755)
    return folder


@pytest.fixture
def prepared(before_trainings, tmp_path):
    """Return a copy of that folder."""
    return copytree(before_trainings, tmp_path / "study", symlinks=True)


def make(folder, *names):
    """Write empty files, none newer than another."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
        os.utime(folder / name, (NOW, NOW))


def submitted(folder, *arguments, action=""):
    """Return what a run submitted, a line a submission, and what the run said."""
    (folder / "qsub").write_text(QSUB.format(action=action))
    (folder / "qsub").chmod(0o755)
    words = ["--profile", "profiles/pbs", "--rerun-triggers", "mtime", "--latency-wait", "1"]
    _, told = snakemake(folder, *words, "--seconds-between-status-checks", "1", *arguments)
    assert (folder / "submitted").exists(), told
    return (folder / "submitted").read_text().splitlines(), told


@pytest.mark.parametrize("cores", [8, 16, 32])
def test_what_judges_a_training_asks_for_one_gpu(prepared, cores):
    make(prepared, *TRAINED)
    lines, _ = submitted(prepared, "--cores", str(cores), "--retries", "0", "--", *JUDGED)
    assert len(lines) == 1 and "snakejob.judge" in lines[0]
    assert "select=1:ncpus=8:" in lines[0] and ":ngpus=1 " in lines[0], lines


def test_what_judges_a_training_takes_turns_on_its_gpu(prepared):
    make(prepared, *TRAINED)
    # The job makes its files without work.
    make(prepared / "made", *PREDICTED, *JUDGED)
    action = """cp -r made/. . && sed 's/-m snakemake/& --touch/' "${script%.keeper}" | sh > told 2>&1"""
    submitted(prepared, "--cores", "32", "--retries", "0", "--", *JUDGED, action=action)
    told = (prepared / "told").read_text()
    # A prediction of its own data set, an explanation, predictions of the two others.
    assert re.findall(r"Execute (\d+) jobs", told) == ["1"] * 4, told
    # On one machine none waits for another.
    again = ["--touch", "--forcerun", "predict_split", "--rerun-triggers", "mtime", "--", *JUDGED]
    _, told = snakemake(prepared, "--cores", "32", *again)
    assert re.findall(r"Execute (\d+) jobs", told) == ["1", "3"], told


def test_the_gpus_of_a_training_are_those_of_one_node(prepared):
    for name in ("sbatch", "squeue", "sacct", "sacctmgr", "scancel"):
        (prepared / name).write_text('#!/bin/sh\necho "$0 $*" >> "$(dirname "$0")/asked"\nexit 1\n')
        (prepared / name).chmod(0o755)
    words = ["--profile", "profiles/slurm", "--rerun-triggers", "mtime", "--retries", "0", "--config"]
    _, told = snakemake(prepared, *words, "devices=4", "--", TRAINED[0])
    assert (prepared / "asked").exists(), told
    (line,) = (line for line in (prepared / "asked").read_text().splitlines() if "/sbatch " in line)
    assert " --gpus=4 " in line and " --nodes=1 " in line, line


def test_no_training_asks_for_more_time_than_a_partition_gives(prepared):
    lines, _ = submitted(prepared, "--", TRAINED[0])
    assert re.findall(r"walltime=(\d+:\d+)", "\n".join(lines)) == ["33:20", "48:00", "48:00"], lines
