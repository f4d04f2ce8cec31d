"""Schedulers that cannot be had here: what they are told, what is made of their answers, and a whole run."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from faulty_run import STUDY
from helpers import ROOT, snakemake_command

SCRIPT = ROOT / "profiles/schedulers.py"
sys.path.insert(0, str(SCRIPT.parent))
import schedulers  # noqa: E402 (lies beside the profiles)

PROFILES = ("pbs", "sge", "lsf", "kubernetes", "aws_batch")

# Writes down what it was asked, and says what a file of its name holds.
RECORDER = """#!/bin/sh
here=$(dirname "$0")
for word; do printf '%s\\n' "$word"; done >> "$here/$(basename "$0").asked"
[ "$1" = create ] && cat > "$here/manifest.json"
cat "$here/$(basename "$0").answer"
"""
# Refuses to answer.
REFUSER = """#!/bin/sh
cat >&2 <<'END'
{text}
END
exit {status}
"""
# Ends a job each third of a second, as far as it gets.
SLOW = """#!/bin/sh
for word; do
  case $word in job-*) sleep 0.3; echo "$word" >> "$(dirname "$0")/ended";; esac
done
"""
# A PBS that runs a job at once, and as it comes keeps no history: what has ended is forgotten.
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
if [ "$1" = -x ]; then
  echo "qstat: PBS is not configured to maintain job history $job" >&2
elif [ -s "$(dirname "$0")/${job%.server}.status" ]; then
  echo "qstat: Unknown Job Id $job" >&2
else
  echo "    job_state = R"
  exit 0
fi
exit 153
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


@pytest.mark.parametrize("scheduler", ["lsf", "aws_batch"])
def test_a_folder_of_any_name_reaches_the_shell_that_runs_the_job(tmp_path, scheduler):
    folder = tmp_path / "mother's $study"
    folder.mkdir()
    program(folder, "job.sh", "pwd > here\n")
    # As LSF does with its last words, and a container with those of AWS Batch.
    joined = '#!/bin/sh\nwhile [ "$1" != /bin/sh ]; do shift; done; eval "$*" >&2; echo "Job <12>"\n'
    program(folder, "bsub", joined)
    program(folder, "aws", RECORDER)
    (folder / "aws.answer").write_text("12\n")
    needs = ["--threads", "1", "--memory", "1", "--minutes", "1", "--image", "one", "job.sh"]
    done = call(folder, "submit", scheduler, *needs)
    assert done.stdout == "12\n", done.stderr
    if scheduler == "aws_batch":
        changes = next(
            line for line in (folder / "aws.asked").read_text().splitlines() if line.startswith("{")
        )
        subprocess.run(json.loads(changes)["command"], check=True)
    assert (folder / "here").read_text().strip() == str(folder)


@pytest.mark.parametrize("linked", [True, False])
def test_where_there_are_no_links_a_job_is_observed_all_the_same(alone, linked, monkeypatch, capsys):
    def refused(*_):
        raise PermissionError(1, "Operation not permitted")

    if not linked:
        monkeypatch.setattr(Path, "symlink_to", refused)
    (alone / "logs/jobs").mkdir(parents=True)
    schedulers.keep("12", alone / "logs/jobs/ab.status")
    assert schedulers.kept("12") is None
    (alone / "logs/jobs/ab.status").write_text("0\n")
    assert schedulers.kept("12") == "success"
    # The job runs, whatever cannot be written of it.
    (alone / "logs/jobs/13.exit").mkdir()
    schedulers.keep("13", alone / "logs/jobs/ab.status")
    assert "13.exit cannot be written" in capsys.readouterr().err


def test_python_3_9_will_do():
    # Beside this Python, where pyenv keeps several, or the system's.
    folders = [*Path(sys.base_prefix).parent.glob("3.9*/bin"), Path("/usr/bin"), Path("/usr/local/bin")]
    old = next((folder / "python3.9" for folder in folders if (folder / "python3.9").exists()), None)
    if old is None:
        pytest.skip("no Python 3.9 here")
    done = subprocess.run([old, "-E", SCRIPT, "status", "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_kubernetes_gets_a_job_with_the_shared_volume(tmp_path):
    program(tmp_path, "kubectl", RECORDER)
    (tmp_path / "kubectl.answer").write_text("brainmri-x7")
    needs = ["--threads", "4", "--memory", "4000", "--minutes", "10", "--gpus", "1", "--image", "one"]
    done = call(tmp_path, "submit", "kubernetes", *needs, "--volume", "claim", "--mount", "/shared", "job.sh")
    assert done.stdout == "brainmri-x7\n", done.stderr
    spec = json.loads((tmp_path / "manifest.json").read_text())["spec"]
    pod = spec["template"]["spec"]
    # The Job's own deadline would run while its pod waits for a node.
    assert pod["activeDeadlineSeconds"] == 600 and "activeDeadlineSeconds" not in spec
    assert spec["backoffLimit"] == 0
    assert pod["containers"][0]["resources"]["limits"] == {
        "cpu": "4",
        "memory": "4000M",
        "nvidia.com/gpu": "1",
    }
    assert pod["containers"][0]["workingDir"] == str(tmp_path)
    assert pod["securityContext"] == {"runAsUser": os.getuid(), "runAsGroup": os.getgid()}
    known = {one["name"]: one["value"] for one in pod["containers"][0]["env"]}
    assert known["HOME"] == "/tmp" and known["USER"]
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


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """Work in a folder whose programs come before all others, and ask a scheduler once."""
    monkeypatch.setattr(schedulers, "SECONDS_UNTIL_ACCOUNTED", (0,))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("scheduler", "name", "status", "text"),
    [
        ("pbs", "qstat", 255, "Connection refused\nqstat: cannot connect to server pbs (errno=15010)"),
        ("pbs", "qstat", 255, "Connection timed out\nqstat: cannot connect to server pbs (errno=15010)"),
        ("sge", "qstat", 1, 'error: unable to send message to qmaster using port 6444 on host "head"'),
        ("lsf", "bjobs", 255, "LSF is down. Please wait ..."),
        ("lsf", "bjobs", 255, "batch system daemon not responding ... still trying"),
        ("kubernetes", "kubectl", 1, "Unable to connect to the server: dial tcp 10.0.0.1:6443: i/o timeout"),
        ("kubernetes", "kubectl", 1, "Error from server (NotFound): the server could not find the resource"),
        (
            "aws_batch",
            "aws",
            254,
            "An error occurred (TooManyRequestsException) when calling the DescribeJobs operation",
        ),
    ],
)
def test_a_scheduler_that_cannot_be_asked_ends_no_job(alone, scheduler, name, status, text):
    program(alone, name, REFUSER.format(text=text, status=status))
    assert schedulers.state(scheduler, "12") == "running"


@pytest.mark.parametrize(
    ("scheduler", "programs"),
    [
        ("pbs", {"qstat": "exec >&2; echo 'qstat: Unknown Job Id 12'; exit 153"}),
        # Torque.
        ("pbs", {"qstat": "exec >&2; echo 'qstat: Unknown Job Id Error 12.server'; exit 153"}),
        ("sge", {"qstat": "", "qacct": "exec >&2; echo 'error: job id 12 not found'; exit 1"}),
        ("sge", {"qstat": "", "qacct": "exec >&2; echo 'accounting: Permission denied'; exit 1"}),
        ("lsf", {"bjobs": "exec >&2; echo 'Job <12> is not found'; exit 255"}),
        (
            "kubernetes",
            {"kubectl": "exec >&2; echo 'Error from server (NotFound): jobs.batch \"12\" not found'; exit 1"},
        ),
        ("aws_batch", {"aws": "echo None"}),
    ],
)
def test_of_a_job_that_is_forgotten_its_own_status_tells(alone, scheduler, programs):
    for name, text in programs.items():
        program(alone, name, f"#!/bin/sh\n{text}\n")
    assert schedulers.state(scheduler, "12") == "failed"
    (alone / "logs/jobs").mkdir(parents=True)
    for status, word in {"0": "success", "1": "failed", "": "failed"}.items():
        (alone / "logs/jobs/12.exit").write_text(status)
        assert schedulers.state(scheduler, "12") == word


def test_a_history_tells_what_became_of_a_job(alone):
    text = "echo 'qstat: 12 Job has finished, use -x or -H to obtain historical job information' >&2; exit 35"
    history = "printf '    job_state = F\n    Exit_status = 0\n'"
    program(alone, "qstat", f"#!/bin/sh\nif [ $1 = -x ]; then {history}; else {text}; fi\n")
    assert schedulers.state("pbs", "12") == "success"
    # Its server is lost between the two questions.
    text = text.replace("qstat: 12 Job has finished", "qstat: Unknown Job Id 12")
    lost = "echo 'qstat: cannot connect to server pbs (errno=15010)' >&2; exit 255"
    program(alone, "qstat", f"#!/bin/sh\nif [ $1 = -x ]; then {lost}; else {text}; fi\n")
    assert schedulers.state("pbs", "12") == "running"


def test_a_job_that_came_to_its_end_leaves_its_status(alone):
    program(alone, "qsub", "#!/bin/sh\nfor script; do :; done\nsh $script\necho 12.server\n")
    needs = ["--threads", "1", "--memory", "1", "--minutes", "1", "job.sh"]
    # The second job has the number of the first, as after numbers began anew.
    for status in (3, 0):
        program(alone, "job.sh", f"exit {status}\n")
        assert call(alone, "submit", "pbs", *needs).stdout == "12.server\n"
        assert (alone / "logs/jobs/12.server.exit").read_text() == f"{status}\n"


def test_a_job_that_is_killed_leaves_no_status(alone):
    script = program(alone, "job.sh", "touch begun; exec sleep 30\n")
    status = alone / "status"
    status.write_text("0\n")  # of its first start, which the scheduler queued again
    job = subprocess.Popen(["sh", schedulers.keeper(script, status)], start_new_session=True)
    waited(lambda: (alone / "begun").exists())
    os.killpg(job.pid, signal.SIGTERM)
    assert job.wait() != 0 and not status.exists()


@pytest.mark.parametrize("name", PROFILES)
def test_all_jobs_are_cancelled_though_snakemake_waits_two_seconds(alone, name):
    for command in ("qdel", "bkill", "kubectl", "aws"):
        program(alone, command, SLOW)
    numbers = [f"job-{number}" for number in range(20)]
    with suppress(subprocess.TimeoutExpired):
        subprocess.run([ROOT / "profiles" / name / "cancel", *numbers], timeout=2)
    waited(lambda: len((alone / "ended").read_text().split()) == 20)


def waited(holds):
    """Wait until something is true."""
    until = time.monotonic() + 60
    while True:
        with suppress(OSError):
            if holds():
                return
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_refusal_is_a_sentence(tmp_path):
    program(tmp_path, "qsub", "#!/bin/sh\necho 'Unknown queue' >&2\nexit 3\n")
    needs = ["--threads", "1", "--memory", "1", "--minutes", "1"]
    done = call(tmp_path, "submit", "pbs", *needs, "job.sh")
    assert (done.returncode, done.stderr) == (3, "qsub refused the job: Unknown queue\n")


SHARED = ("jobs", "cores", "resources", "set-resource-scopes", "retries", "group-components")


@pytest.mark.parametrize("name", [*PROFILES, "slurm"])
def test_the_profiles_differ_in_the_scheduler_alone(name):
    profiles = {
        one: yaml.safe_load((ROOT / f"profiles/{one}/profile.yaml").read_text()) for one in (name, "pbs")
    }
    for key in SHARED:
        assert profiles[name][key] == profiles["pbs"][key], key
    if name == "slurm":
        return
    for key in ("executor", "default-resources"):
        assert profiles[name][key] == profiles["pbs"][key], key
    assert f"submit {name} " in profiles[name]["cluster-generic-submit-cmd"]
    assert profiles[name]["cluster-generic-status-cmd"].endswith(f"status {name}")
    assert os.access(ROOT / "profiles" / name / profiles[name]["cluster-generic-cancel-cmd"], os.X_OK)


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
    words = snakemake_command("--profile", "profiles/pbs", "--latency-wait", "20", "--", target)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / target).is_file()
    submitted = (programs / "submitted").read_text().splitlines()
    assert len(submitted) == 1 and "select=1:ncpus=1:mem=" in submitted[0] and "-q cpu" in submitted[0]
