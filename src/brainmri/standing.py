"""How one job stands, from its record, its log and what it makes."""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from brainmri.attempts import Attempt, attempts_of
from brainmri.durations import duration
from brainmri.errors import printable
from brainmri.jobs import Job
from brainmri.signs import SECONDS_UNTIL_SILENT, now_at
from brainmri.training.beat import elsewhere, time_of
from brainmri.training.interruption import INTERRUPTED
from brainmri.training.lock import holder_of

STATES = ("done", "running", "failed", "silent", "stopped", "waiting")
# Below Snakemake's own folder: a file of each run of it, touched for as long as that lives.
RUNS = "brainmri.runs"
# As the callback `Progress` of a training writes it.
EPOCH = re.compile(r"^epoch (\d+)/(\d+): .*, ([\d.]+) s, \d+ images/s$", re.MULTILINE)
# So much of a log's end is read.
TAIL_BYTES = 2**16
# So many last epochs tell how long one takes.
EPOCHS_JUDGED = 5


@dataclass(frozen=True)
class Epochs:
    """How far a training is.

    Parameters
    ----------
    done, of
        Epochs.
    seconds
        What one of the last took.
    """

    done: int
    of: int
    seconds: float

    @property
    def seconds_left(self) -> float:
        """What the others take, if it does not stop early."""
        return (self.of - self.done) * self.seconds


@dataclass(frozen=True)
class Standing:
    """How a job stands.

    Parameters
    ----------
    job
        The job.
    state
        One of STATES.
    attempt
        The last attempt at it; None where it left no record.
    reason
        Why it failed or stopped.
    now
        When this was so.
    """

    job: Job
    state: str
    attempt: Attempt | None
    reason: str
    now: datetime

    def taken(self, key: str) -> float:
        """Return what the last attempt took (`wall_seconds`, `cpu_seconds`, `peak_mib`); 0 where unknown."""
        return self.attempt.end.get(key, 0.0) if self.attempt else 0.0

    @property
    def epochs(self) -> Epochs | None:
        """How far a training is that runs or was stopped."""
        if self.job.rule != "train" or self.state not in ("running", "stopped"):
            return None
        return epochs_in(tail_of(self.job.log))

    def told(self) -> list[str]:
        """Return what there is to say of a job that runs, stopped, failed or is silent."""
        attempt, epochs = self.attempt, self.epochs
        if self.state == "silent":
            text = [f"begun as process {attempt.start['pid']} on {attempt.host}: {self.reason}"]
        elif self.state != "running":
            code = attempt.end.get("exit_code")
            after = duration(
                self.taken("wall_seconds") or (attempt.last_told - attempt.began).total_seconds()
            )
            with_code = f", exit status {code}" if code is not None else ""
            text = [
                f"after {after} on {attempt.host}{with_code}: {line}" for line in self.reason.splitlines()[:1]
            ]
            text += self.reason.splitlines()[1:]
        else:
            since = duration((self.now - attempt.began).total_seconds())
            text = [f"for {since}, as process {attempt.start['pid']} on {attempt.host}"]
        if epochs is not None:
            left = f", at most about {duration(epochs.seconds_left)} left"
            text.append(f"epoch {epochs.done} of {epochs.of}{left if self.state == 'running' else ''}")
        elif self.state == "running" and attempt.milestones:
            far = list(attempt.milestones.values())[-1]
            of = f" of {far['of']}" if far.get("of") else ""
            text.append(f"{far.get('what')}: {far.get('unit')} {far.get('done')}{of}")
        return text

    def last_lines(self, count: int) -> list[str]:
        """Return the last lines of the job's log, or why there are none."""
        if not self.job.log.is_file():
            return ["(there is no log)"]
        kept = tail_of(self.job.log).splitlines()[-count:]
        return [printable(line) for line in kept] or ["(the log is empty)"]

    def document(self, lines: int) -> dict:
        """Return all of it as a JSON-able dictionary."""
        job, attempt, epochs = self.job, self.attempt, self.epochs
        document = {"rule": job.rule, "wildcards": job.wildcards, "state": self.state, "log": str(job.log)}
        if attempt is not None:
            document |= {"host": attempt.host, "pid": attempt.start["pid"], "began": attempt.start["time"]}
            keys = ("exit_code", "wall_seconds", "cpu_seconds", "peak_mib", "images")
            document |= {key: attempt.end.get(key) for key in keys}
        if epochs is not None:
            document |= {"epoch": epochs.done, "epochs": epochs.of, "seconds_left": epochs.seconds_left}
        if self.state in ("failed", "silent", "stopped"):
            document |= {"reason": self.reason, "last_lines": self.last_lines(lines) if lines else []}
        return document


def standing(job: Job, now: datetime) -> Standing:
    """Return how a job stands.

    Parameters
    ----------
    job
        The job.
    now
        What time it is.
    """
    attempts = attempts_of(job.record)
    attempt = attempts[-1] if attempts else None
    if attempt is None or attempt.succeeded:
        return Standing(job, "done" if job.is_done else "waiting", attempt, "", now)
    if not attempt.end and is_alive(attempt, job.record):
        return Standing(job, "running", attempt, "", now)
    if job.is_done and made_since(job, attempt.last_told):
        # Made without a record, by hand for one.
        return Standing(job, "done", None, "", now)
    if attempt.end:
        stopped = attempt.end["exit_code"] == INTERRUPTED
        reason = str(attempt.end.get("reason") or "it did not say why")
        return Standing(job, "stopped" if stopped else "failed", attempt, reason, now)
    if not attempt.is_here:
        told = f"no sign of life for {duration(silence(job.record))}: suspended, queued again, or killed"
        return Standing(job, "silent", attempt, told, now)
    return Standing(job, "failed", attempt, "ended without a word: killed, or out of memory", now)


def is_alive(attempt: Attempt, record: Path) -> bool:
    """Tell whether an attempt that told no end still runs: by its process here, by its signs elsewhere."""
    return attempt.runs_here if attempt.is_here else silence(record) < SECONDS_UNTIL_SILENT


def runs_at_work(snakemake_dir: Path) -> list[tuple[Path, dict]]:
    """Return the runs of Snakemake that live, here or elsewhere: file, and what it tells of the run."""
    found = []
    for sign in sorted((snakemake_dir / RUNS).glob("*.json")):
        away = elsewhere(sign)
        told = holder_of(sign) if away is None else away
        if told is not None and (away is None or silence(sign) < SECONDS_UNTIL_SILENT):
            found.append((sign, told))
    return found


def silence(path: Path) -> float:
    """Return for how many seconds nobody has touched a file; infinite where there is none."""
    touched = time_of(path)
    return now_at(path.parent) - touched / 1e9 if touched is not None else float("inf")


def made_since(job: Job, when: datetime) -> bool:
    """Tell whether all that a job makes is younger than `when`."""
    if not job.outputs:
        return False
    try:
        return min(path.stat().st_mtime for path in job.outputs) > when.timestamp()
    except OSError:
        return False


def epochs_in(log: str) -> Epochs | None:
    """Return how far a training is, by the lines of its log; None before its first epoch."""
    found = [(int(done), int(of), float(seconds)) for done, of, seconds in EPOCH.findall(log)]
    if not found:
        return None
    done, of, _ = found[-1]
    last = [seconds for _, own, seconds in found if own == of][-EPOCHS_JUDGED:]
    return Epochs(done, of, sum(last) / len(last))


def tail_of(log: Path) -> str:
    """Return the end of a log; empty where it cannot be read."""
    try:
        with log.open("rb") as handle:
            size = handle.seek(0, 2)
            handle.seek(max(0, size - TAIL_BYTES))
            return handle.read().decode("utf-8", "replace")
    except OSError:
        return ""
