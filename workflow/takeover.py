"""What a killed Snakemake leaves, taken away: its locks, its jobs that still run, files half written.

Plain Python for the Snakefile. Each run holds a shared lock of the file system (`flock`) for as long as it
lives, however it ends. Who gets that lock for itself alone knows that no other run is at work here.
"""

import fcntl
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from brainmri.artefacts import HALF_WRITTEN
from brainmri.attempts import attempts_of

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
        What was done, in sentences; empty where there was nothing to do, or another run is alive.
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
        if locks:
            told += ended(logs_dir)
            for lock in locks:
                lock.unlink(missing_ok=True)
            remove_half_written(snakemake_dir.parent)
            told.append("A run that was killed had locked this folder; it is unlocked, and its work goes on.")
    with suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_SH)
        HELD.append(handle)
    return told


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
        for place, folders, files in os.walk(folder / part):
            # Sources can hold a million files, and are not written so.
            if "raw" in folders:
                folders.remove("raw")
            for name in filter(HALF_WRITTEN.fullmatch, files):
                Path(place, name).unlink(missing_ok=True)
