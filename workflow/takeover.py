"""What a killed Snakemake leaves, taken away: its locks, its jobs that still run, files half written.

Plain Python for the Snakefile. Each run holds a shared lock of the file system (`flock`) for as long as it
lives, however it ends. Who gets that lock for itself alone knows that no other run is at work on this
machine. The lock need not reach other machines: who works there gives signs of life, and is waited for.
"""

import atexit
import fcntl
import json
import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from brainmri.artefacts import HALF_WRITTEN
from brainmri.attempts import attempts_of
from brainmri.processes import identity, place
from brainmri.signs import SECONDS_UNTIL_SILENT, give_signs
from brainmri.standing import RUNS, is_alive, runs_at_work, silence

# Jobs end by themselves once their workflow has (`brainmri.parent`); a training writes its state first.
SECONDS_TO_END = 15.0
# Open for as long as this process lives.
HELD = []


def take_over(snakemake_dir: Path, logs_dir: Path) -> list[str]:
    """Take away what a killed run left, where no run is alive, and mark this one as alive.

    Parameters
    ----------
    snakemake_dir
        Snakemake's own folder, ``.snakemake``.
    logs_dir
        Where the jobs' records lie.

    Returns
    -------
    list of str
        What was done, or why nothing was, in sentences; empty where there was nothing to do, or where
        another run is alive on this machine.
    """
    try:
        snakemake_dir.mkdir(parents=True, exist_ok=True)
        handle = (snakemake_dir / "brainmri.alive").open("a")
    except OSError:
        # Where nothing may be written, Snakemake says so itself.
        return []
    told = []
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        # Another run is alive, and Snakemake's own locks tell whether both want the same files.
        pass
    else:
        locks = sorted((snakemake_dir / "locks").glob("*.lock"))
        refused = alive_elsewhere(snakemake_dir, logs_dir) if locks else None
        if refused:
            # Snakemake stops at its own lock, where both want the same files.
            told.append(refused)
        elif locks:
            told += ended(logs_dir)
            for left in [*locks, *(snakemake_dir / RUNS).glob("*.json")]:
                left.unlink(missing_ok=True)
            remove_half_written(snakemake_dir.parent)
            told.append("A run that was killed had locked this folder; it is unlocked, and its work goes on.")
    with suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_SH)
        HELD.append(handle)
    with suppress(OSError):
        sign_life(snakemake_dir / RUNS)
    return told


def alive_elsewhere(snakemake_dir: Path, logs_dir: Path) -> str | None:
    """Say which run or job is alive on another machine, and what to do; None where there is none."""
    found = [
        (silence(sign), f"Snakemake (process {run['pid']})", run["place"].partition(" ")[0])
        for sign, run in runs_at_work(snakemake_dir)
        if run["place"] != place()
    ]
    for record in logs_dir.rglob("*.jsonl"):
        for last in attempts_of(record)[-1:]:
            if not last.end and not last.is_here and is_alive(last, record):
                what = f"`brainmri {last.start.get('command')}` (process {last.start['pid']}, {record})"
                found.append((silence(record), what, last.host))
    if not found:
        return None
    seconds, what, host = min(found)
    return (
        f"{what} gave a sign of life on {host} {max(seconds, 0):.0f} s ago, so this folder stays locked: "
        "wait for its end, or stop it there; where it is dead already, the same command goes on in "
        f"{SECONDS_UNTIL_SILENT - seconds:.0f} s."
    )


def sign_life(folder: Path) -> None:
    """Keep a file that tells other machines of this run, touched until it ends."""
    folder.mkdir(exist_ok=True)
    # Snakemake leaves the run's folder before it ends.
    mine = folder.resolve() / f"{os.getpid()}-{token_hex(4)}.json"
    mine.write_text(json.dumps(identity()), encoding="utf-8")
    atexit.register(mine.unlink, missing_ok=True)
    threading.Thread(target=give_signs, args=(mine, threading.Event()), daemon=True).start()


def ended(logs_dir: Path) -> list[str]:
    """Wait until the jobs of a killed run on this machine have ended; kill those that do not."""
    attempts = [attempt for record in logs_dir.rglob("*.jsonl") for attempt in attempts_of(record)]
    running, until = [one for one in attempts if not one.end], time.monotonic() + SECONDS_TO_END
    while (running := [one for one in running if one.runs_here]) and time.monotonic() < until:
        time.sleep(0.1)
    for job in running:
        with suppress(ProcessLookupError):
            os.kill(job.start["pid"], signal.SIGKILL)
    return [
        f"`brainmri {job.start['command']}` (process {job.start['pid']}) of a run that was killed "
        "did not end, and was killed."
        for job in running
    ]


def remove_half_written(folder: Path) -> None:
    """Remove what killed jobs had begun to write below ``data`` and ``results``; nobody reads it."""
    for part in ("data", "results"):
        for below, folders, files in os.walk(folder / part):
            # Sources can hold a million files, and are not written so.
            if "raw" in folders:
                folders.remove("raw")
            for name in filter(HALF_WRITTEN.fullmatch, files):
                Path(below, name).unlink(missing_ok=True)
