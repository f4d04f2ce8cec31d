"""Schedulers that cannot be had here: what they are told, what is made of their answers, and a whole run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from faulty_run import BIN, ROOT, STUDY

SCRIPT = ROOT / "profiles/schedulers.py"
PROFILES = ("pbs", "sge", "lsf", "kubernetes", "aws_batch")

# Writes down what it was asked, and says what a file of its name holds.
RECORDER = """#!/bin/sh
here=$(dirname "$0")
for word; do printf '%s\\n' "$word"; done >> "$here/$(basename "$0").asked"
[ "$1" = create ] && cat > "$here/manifest.json"
cat "$here/$(basename "$0").answer"
"""
# A PBS that runs a job at once.
QSUB = """#!/bin/sh
here=$(dirname "$0")
for script; do :; done
number=$(($(ls "$here" | grep -c status) + 1))
touch "$here/$number.status"
echo "$*" >> "$here/submitted"
(sh "$script" > "$here/$number.out" 2>&1; echo $? > "$here/$number.status") > /dev/null 2>&1 &
echo "$number.server"
"""
QSTAT = """#!/bin/sh
for job; do :; done
status=$(cat "$(dirname "$0")/${job%.server}.status")
[ -z "$status" ] && echo "    job_state = R" || printf '    job_state = F\\n    Exit_status = %s\\n' "$status"
"""


def program(folder: Path, name: str, text: str) -> Path:
    """Write a program into a folder."""
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def call(folder: Path, *words: str) -> subprocess.CompletedProcess:
    """Run the script with the programs of a folder before all others."""
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    command = [sys.executable, SCRIPT, *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)


@pytest.mark.parametrize(
    ("scheduler", "name", "answer", "number", "wanted"),
    [
        (
            "pbs",
            "qsub",
            "12.server\n",
            "12.server",
            ["select=1:ncpus=8:mem=4001mb:ngpus=2", "walltime=25:01:00"],
        ),
        ("sge", "qsub", "12\n", "12", ["smp", "8", "mem_free=4001M", "h_rt=25:01:00", "gpu=2"]),
        (
            "lsf",
            "bsub",
            "Job <12> is submitted to queue <gpu>.\n",
            "12",
            ["8", "1501", "span[hosts=1] rusage[mem=4001MB]", "num=2"],
        ),
        ("aws_batch", "aws", "ab-12\n", "ab-12", ["attemptDurationSeconds=90060", "submit-job"]),
    ],
    ids=["pbs", "sge", "lsf", "aws_batch"],
)
def test_a_scheduler_is_told_what_a_job_needs(tmp_path, scheduler, name, answer, number, wanted):
    program(tmp_path, name, RECORDER)
    (tmp_path / f"{name}.answer").write_text(answer)
    needs = ["--threads", "8", "--memory", "4001", "--minutes", "1501", "--queue", "long"]
    needs += ["--gpu_queue", "cards"]
    done = call(tmp_path, "submit", scheduler, *needs, "--gpus", "2", "job.sh")
    assert done.stdout == f"{number}\n", done.stderr
    asked = (tmp_path / f"{name}.asked").read_text()
    assert set(wanted) <= set(asked.splitlines())
    assert "cards" in asked and "long" not in asked
    assert str(tmp_path / "job.sh") in asked
    (tmp_path / f"{name}.asked").unlink()
    assert call(tmp_path, "submit", scheduler, *needs, "--gpus", "0", "job.sh").returncode == 0
    asked = (tmp_path / f"{name}.asked").read_text()
    assert "long" in asked and "gpu" not in asked.lower().replace(str(tmp_path), "")


def test_kubernetes_gets_a_job_with_the_shared_volume(tmp_path):
    program(tmp_path, "kubectl", RECORDER)
    (tmp_path / "kubectl.answer").write_text("brainmri-x7")
    needs = ["--threads", "4", "--memory", "4000", "--minutes", "10", "--gpus", "1", "--image", "one"]
    done = call(tmp_path, "submit", "kubernetes", *needs, "--volume", "claim", "--mount", "/shared", "job.sh")
    assert done.stdout == "brainmri-x7\n", done.stderr
    spec = json.loads((tmp_path / "manifest.json").read_text())["spec"]
    pod = spec["template"]["spec"]
    assert spec["activeDeadlineSeconds"] == 600 and spec["backoffLimit"] == 0
    assert pod["containers"][0]["resources"]["limits"] == {
        "cpu": "4",
        "memory": "4000M",
        "nvidia.com/gpu": "1",
    }
    assert pod["containers"][0]["workingDir"] == str(tmp_path)
    assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] == "claim"


@pytest.mark.parametrize(
    ("scheduler", "name", "answer", "state"),
    [
        ("pbs", "qstat", "    job_state = Q\n", "running"),
        ("pbs", "qstat", "    job_state = F\n    Exit_status = 0\n", "success"),
        ("pbs", "qstat", "    job_state = F\n    Exit_status = 271\n", "failed"),
        ("pbs", "qstat", "    job_state = F\n", "failed"),
        ("sge", "qstat", "head\n----\n     12 0.5 job.sh me   qw   11/25/2026\n", "running"),
        ("sge", "qstat", "head\n----\n     12 0.5 job.sh me   Eqw  11/25/2026\n", "failed"),
        ("sge", "qacct", "failed       0\nexit_status  0\n", "success"),
        ("sge", "qacct", "failed       25  : rescheduling\nexit_status  0\n", "running"),
        ("sge", "qacct", "failed       100 : assumedly after job\nexit_status  137\n", "failed"),
        ("lsf", "bjobs", "PEND\n", "running"),
        ("lsf", "bjobs", "DONE\n", "success"),
        ("lsf", "bjobs", "EXIT\n", "failed"),
        ("kubernetes", "kubectl", '{"status": {"active": 1}}', "running"),
        (
            "kubernetes",
            "kubectl",
            '{"status": {"conditions": [{"type": "Complete", "status": "True"}]}}',
            "success",
        ),
        (
            "kubernetes",
            "kubectl",
            '{"status": {"conditions": [{"type": "Failed", "status": "True"}]}}',
            "failed",
        ),
        ("aws_batch", "aws", "RUNNABLE\n", "running"),
        ("aws_batch", "aws", "SUCCEEDED\n", "success"),
        ("aws_batch", "aws", "FAILED\n", "failed"),
    ],
)
def test_what_a_scheduler_says_is_understood(tmp_path, scheduler, name, answer, state):
    for other in ("qstat", "qacct"):
        program(tmp_path, other, RECORDER)
        (tmp_path / f"{other}.answer").touch()
    program(tmp_path, name, RECORDER)
    (tmp_path / f"{name}.answer").write_text(answer)
    done = call(tmp_path, "status", scheduler, "12")
    assert done.stdout == f"{state}\n", done.stderr


def test_a_refusal_is_a_sentence(tmp_path):
    program(tmp_path, "qsub", "#!/bin/sh\necho 'Unknown queue' >&2\nexit 3\n")
    needs = ["--threads", "1", "--memory", "1", "--minutes", "1"]
    done = call(tmp_path, "submit", "pbs", *needs, "job.sh")
    assert (done.returncode, done.stderr) == (3, "qsub refused the job: Unknown queue\n")


@pytest.mark.parametrize("name", PROFILES)
def test_the_profiles_differ_in_the_scheduler_alone(name):
    profiles = {
        one: yaml.safe_load((ROOT / f"profiles/{one}/profile.yaml").read_text()) for one in (name, "pbs")
    }
    for key in ("executor", "jobs", "cores", "resources", "default-resources", "retries", "group-components"):
        assert profiles[name][key] == profiles["pbs"][key], key
    assert f"submit {name} " in profiles[name]["cluster-generic-submit-cmd"]
    assert profiles[name]["cluster-generic-status-cmd"].endswith(f"status {name}")
    cancel = profiles[name]["cluster-generic-cancel-cmd"]
    assert cancel in ("qdel", "bkill") or os.access(ROOT / "profiles" / name / cancel, os.X_OK)


@pytest.mark.slow
def test_a_study_goes_through_a_scheduler(tmp_path):
    programs, folder = tmp_path / "programs", tmp_path / "study"
    programs.mkdir()
    folder.mkdir()
    program(programs, "qsub", QSUB)
    program(programs, "qstat", QSTAT)
    # As in a clone, the profile's programs lie below the folder that is worked in.
    (folder / "profiles").symlink_to(ROOT / "profiles")
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    target = "data/phantom/inventory.parquet"
    words = [BIN / "snakemake", "--snakefile", ROOT / "Snakefile", "--configfile", "study.yaml"]
    words += ["--profile", "profiles/pbs", "--latency-wait", "20", "--", target]
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / target).is_file()
    submitted = (programs / "submitted").read_text().splitlines()
    assert len(submitted) == 1 and "select=1:ncpus=1:mem=" in submitted[0] and "-q cpu" in submitted[0]
