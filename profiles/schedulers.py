"""Hand a job to PBS, SGE, LSF, Kubernetes or AWS Batch, and ask what became of it.

The profiles of these names call it; by hand, the first line prints a number, the second what became of it:

    python3 profiles/schedulers.py submit pbs --threads 8 --memory 4000 --minutes 60 --gpus 1 job.sh
    python3 profiles/schedulers.py status pbs 1234

A job that came to its own end leaves its exit status in logs/jobs/NUMBER.exit, since schedulers forget jobs.
"""

from __future__ import annotations  # `python3` of a login node may be 3.9.

import argparse
import json
import os
import re
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path
from shlex import quote

LOGS = Path("logs/jobs")
STATUS = ".status"
# Accounting, or another node's files, tell of an end some seconds after the queue has forgotten the job.
SECONDS_UNTIL_ACCOUNTED = (0, 2, 4, 8, 16)
# Runs a job, and keeps its exit status in a file. Who is killed leaves none, nor one of an earlier start.
KEEPER = """#!/bin/sh
rm -f {exit}
/bin/sh {script} < /dev/null
status=$?
echo $status > {exit}.new && mv {exit}.new {exit}
exit $status
"""


def asked(*command: str, given: str | None = None) -> subprocess.CompletedProcess:
    """Run one of a scheduler's programs."""
    return subprocess.run(command, input=given, capture_output=True, text=True)


def pbs(job: argparse.Namespace) -> tuple[list[str], None]:
    """OpenPBS and PBS Professional; `-r y` lets a node's failure queue the job again."""
    gpus = f":ngpus={job.gpus}" if job.gpus else ""
    words = ["qsub", "-S", "/bin/sh", "-r", "y", "-j", "oe", "-o", str(LOGS), *queue_words(job, "-q")]
    words += ["-l", f"select=1:ncpus={job.threads}:mem={job.memory}mb{gpus}"]
    return [*words, "-l", f"walltime={clock(job.minutes)}", job.script], None


def sge(job: argparse.Namespace) -> tuple[list[str], None]:
    """Grid Engine: threads by the parallel environment `smp`, GPUs by the complex `gpu`, counted by job.

    Memory is that of the node that is free (`mem_free`). Not `h_vmem`, which limits the address space: torch
    maps more than it uses, CUDA ten times as much.
    """
    words = ["qsub", "-terse", "-r", "y", "-cwd", "-S", "/bin/sh", "-j", "y", "-o", str(LOGS)]
    words += ["-pe", "smp", str(job.threads), "-l", f"mem_free={job.memory}M"]
    words += ["-l", f"h_rt={clock(job.minutes)}"]
    words += ["-l", f"gpu={job.gpus}"] if job.gpus else []
    return [*words, *queue_words(job, "-q"), job.script], None


def lsf(job: argparse.Namespace) -> tuple[list[str], None]:
    """Spectrum LSF 10.1; `-r` lets a node's failure queue the job again."""
    words = ["bsub", "-r", "-n", str(job.threads), "-W", str(job.minutes), "-M", f"{job.memory}MB"]
    words += ["-R", f"span[hosts=1] rusage[mem={job.memory}MB]", "-oo", str(LOGS / "%J.log")]
    words += ["-gpu", f"num={job.gpus}"] if job.gpus else []
    # Its words are joined to a line for a shell.
    return [*words, *queue_words(job, "-q"), "/bin/sh", quote(job.script)], None


def kubernetes(job: argparse.Namespace) -> tuple[list[str], str]:
    """A Job with one pod, in which the volume that holds this folder is mounted at the same place.

    As the caller, whose the files on the volume are: the image's own user may write nothing there.
    """
    amounts = {"cpu": str(job.threads), "memory": f"{job.memory}M"}
    amounts |= {"nvidia.com/gpu": str(job.gpus)} if job.gpus else {}
    container = {
        "name": "job",
        "image": job.image,
        "command": ["/bin/sh", job.script],
        "workingDir": str(Path.cwd()),
        "env": environment(),
        "resources": {"requests": amounts, "limits": amounts},
        "volumeMounts": [{"name": "shared", "mountPath": job.mount}],
    }
    pod = {
        "restartPolicy": "Never",
        # In the Job's own spec it would count the time that the pod waits for a node.
        "activeDeadlineSeconds": job.minutes * 60,
        "securityContext": {"runAsUser": os.getuid(), "runAsGroup": os.getgid()},
        "containers": [container],
        "volumes": [{"name": "shared", "persistentVolumeClaim": {"claimName": job.volume}}],
    }
    manifest = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"generateName": "brainmri-"},
        "spec": {
            "backoffLimit": 0,
            "ttlSecondsAfterFinished": 86400,
            "template": {"spec": pod},
        },
    }
    words = ["kubectl", "create", "--filename", "-", "--output", "jsonpath={.metadata.name}"]
    return words, json.dumps(manifest)


def aws_batch(job: argparse.Namespace) -> tuple[list[str], None]:
    """AWS Batch; its job definition mounts the file system that holds this folder at the same place.

    The definition alone can say as which user the container runs.
    """
    amounts = {"VCPU": job.threads, "MEMORY": job.memory} | ({"GPU": job.gpus} if job.gpus else {})
    changes = {
        "command": ["/bin/sh", "-c", f"cd {quote(str(Path.cwd()))} && sh {quote(job.script)}"],
        "environment": environment(),
        "resourceRequirements": [{"type": kind, "value": str(value)} for kind, value in amounts.items()],
    }
    words = ["aws", "batch", "submit-job", "--job-name", "brainmri", "--job-definition", job.image]
    words += ["--timeout", f"attemptDurationSeconds={job.minutes * 60}", *queue_words(job, "--job-queue")]
    return [
        *words,
        "--container-overrides",
        json.dumps(changes),
        "--query",
        "jobId",
        "--output",
        "text",
    ], None


def environment() -> list[dict[str, str]]:
    """Return what a container must know of a user whom its image does not: a folder of theirs, and a name."""
    known = {"HOME": "/tmp", "USER": os.environ.get("USER", "brainmri")}
    return [{"name": name, "value": value} for name, value in known.items()]


def queue_words(job: argparse.Namespace, option: str) -> list[str]:
    """Return the words that name the queue of jobs with GPUs, or without; none where it has no name."""
    queue = job.gpu_queue if job.gpus else job.queue
    return [option, queue] if queue else []


def clock(minutes: int) -> str:
    """Return minutes as HH:MM:00."""
    return f"{minutes // 60:02}:{minutes % 60:02}:00"


def number_in(told: str) -> str:
    """Return the number of a job from what its scheduler said: all of a line, or what stands in `<…>`."""
    found = re.search(r"<(\d+)>", told)
    return found[1] if found else told.strip().splitlines()[-1].strip()


def keeper(script: Path, status_file: Path) -> Path:
    """Write beside a job's script the one that is handed over: it runs it, and keeps its exit status."""
    path = script.with_name(f"{script.name}.keeper")
    path.write_text(KEEPER.format(script=quote(str(script)), exit=quote(str(status_file))), encoding="utf-8")
    return path


def kept(number: str) -> str | None:
    """Return what a job's own exit status says, None where it left none."""
    with suppress(OSError, ValueError):
        told = (LOGS / f"{number}.exit").read_text(encoding="utf-8")
        if told.endswith(STATUS):
            told = (LOGS / told).read_text(encoding="utf-8")
        return ended(int(told) == 0)
    return None


def keep(number: str, status_file: Path) -> None:
    """Let NUMBER.exit be the file with a job's exit status: a link, or its name where there are no links."""
    path = LOGS / f"{number}.exit"
    try:
        path.unlink(missing_ok=True)
        try:
            path.symlink_to(status_file.name)
        except OSError:
            path.write_text(status_file.name, encoding="utf-8")
    except OSError as error:
        # The job runs, and its scheduler tells of it as long as it knows it.
        print(f"{path} cannot be written ({error.strerror})", file=sys.stderr)


def state(scheduler: str, number: str) -> str:
    """Return `running`, `success` or `failed`; a job that nobody knows any more has failed."""
    _, ask = SCHEDULERS[scheduler]
    for seconds in SECONDS_UNTIL_ACCOUNTED:
        time.sleep(seconds)
        found = ask(number) or kept(number)
        if found:
            return found
    return "failed"


def ended(well: bool) -> str:
    """Return the word for an end."""
    return "success" if well else "failed"


def silent(told: subprocess.CompletedProcess, unknown: str) -> str | None:
    """Return what to make of a scheduler that says nothing of a job.

    Parameters
    ----------
    told
        What its program said.
    unknown
        What it says of a job that it does not know: a regular expression.

    Returns
    -------
        None where it does not know the job, else `running`: it is out of order, which ends no job.
    """
    return None if re.search(unknown, told.stdout + told.stderr) else "running"


def pbs_state(number: str) -> str | None:
    """Ask PBS; of a job that has ended it tells only where it keeps a history (`-x`)."""
    for words in (["-f"], ["-x", "-f"]):
        told = asked("qstat", *words, number)
        letter = re.search(r"job_state = (\w)", told.stdout)
        if letter:
            status = re.search(r"Exit_status = (-?\d+)", told.stdout)
            return ended(bool(status) and status[1] == "0") if letter[1] in "FXC" else "running"
        found = silent(told, "Unknown Job Id|Job has finished|not configured to maintain job history")
        if found:
            return found
    return None


def sge_state(number: str) -> str | None:
    """Ask the queue, then the accounting; a job in an error state never runs.

    The queue may not know a job that is just being queued again; the accounting then says so (sge_status(5)).
    """
    queue = asked("qstat", "-u", "*")
    if queue.returncode:
        return "running"
    line = re.search(rf"^\s*{number}\s+\S+\s+\S+\s+\S+\s+(\S+)", queue.stdout, re.M)
    if line:
        return "failed" if "E" in line[1] else "running"
    # The queue does not know it; that the accounting cannot be read changes nothing.
    told = asked("qacct", "-j", number).stdout
    found = dict(re.findall(r"^(failed|exit_status)\s+(\d+)", told, re.M))  # of the last time that it ran
    if found.get("failed") in ("24", "25"):  # migrating, rescheduling
        return "running"
    return ended(set(found.values()) == {"0"}) if found else None


def lsf_state(number: str) -> str | None:
    """Ask LSF, which keeps jobs that have ended for an hour (`-a`)."""
    told = asked("bjobs", "-a", "-noheader", "-o", "stat", number)
    word = told.stdout.strip()
    if told.returncode or not word:
        return silent(told, "is not found")
    return ended(word == "DONE") if word in ("DONE", "EXIT", "ZOMBI") else "running"


def kubernetes_state(number: str) -> str | None:
    """Ask for the conditions of the Job."""
    told = asked("kubectl", "get", "job", number, "--output", "json")
    if told.returncode:
        return silent(told, f'"{number}" not found')
    conditions = json.loads(told.stdout).get("status", {}).get("conditions") or []
    true = {condition["type"] for condition in conditions if condition["status"] == "True"}
    return ended("Complete" in true) if true & {"Complete", "Failed"} else "running"


def aws_batch_state(number: str) -> str | None:
    """Ask AWS Batch, which keeps jobs that have ended for a day at least."""
    words = ["aws", "batch", "describe-jobs", "--jobs", number]
    told = asked(*words, "--query", "jobs[0].status", "--output", "text")
    word = told.stdout.strip()
    if told.returncode or not word:
        return "running"
    if word == "None":
        return None
    return ended(word == "SUCCEEDED") if word in ("SUCCEEDED", "FAILED") else "running"


# For each, what returns the command that hands a job over, with what that reads from its standard input, if
# anything; and what asks how a job stands: None where nobody knows it.
SCHEDULERS = {
    "pbs": (pbs, pbs_state),
    "sge": (sge, sge_state),
    "lsf": (lsf, lsf_state),
    "kubernetes": (kubernetes, kubernetes_state),
    "aws_batch": (aws_batch, aws_batch_state),
}


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    submit = commands.add_parser("submit", help="hand a job over, print its number")
    submit.add_argument("scheduler", choices=SCHEDULERS)
    for name in ("threads", "memory", "minutes", "gpus"):
        submit.add_argument(
            f"--{name}", type=int, default=0 if name == "gpus" else None, required=name != "gpus"
        )
    for name, meaning in {
        "queue": "queue of jobs without a GPU",
        "gpu_queue": "queue of jobs with one",
        "image": "container image; AWS Batch: job definition",
        "volume": "Kubernetes: the claim of the shared volume",
        "mount": "Kubernetes: where it is mounted, here and in the pods",
    }.items():
        submit.add_argument(f"--{name}", default="", help=meaning)
    submit.add_argument("script")
    status = commands.add_parser("status", help="say what became of a job")
    status.add_argument("scheduler", choices=SCHEDULERS)
    status.add_argument("number")
    return parser.parse_args(words)


def main() -> int:
    """Do what the command line says; the exit status is that of the scheduler's program."""
    given = arguments()
    if given.command == "status":
        print(state(given.scheduler, given.number))
        return 0
    LOGS.mkdir(parents=True, exist_ok=True)
    # The job's number is not known before it may run.
    status_file = LOGS.resolve() / f"{uuid.uuid4().hex}{STATUS}"
    given.script = str(keeper(Path(given.script).resolve(), status_file))
    hand_over, _ = SCHEDULERS[given.scheduler]
    command, text = hand_over(given)
    done = asked(*command, given=text)
    if done.returncode:
        print(f"{command[0]} refused the job: {done.stderr.strip()}", file=sys.stderr)
        return done.returncode
    number = number_in(done.stdout)
    keep(number, status_file)
    print(number)
    return 0


if __name__ == "__main__":
    sys.exit(main())
