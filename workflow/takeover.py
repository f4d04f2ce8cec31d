"""What a killed Snakemake leaves, taken away: its locks, its jobs that still run, files half written.

Plain Python for the Snakefile. Each run holds a shared lock of the file system (`flock`) for as long as it
lives, however it ends. Who gets that lock for itself alone knows that no other run is at work on this
machine. The lock need not reach other machines, nor exist: each run gives signs of life, and those who do
elsewhere are waited for.
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
from typing import IO

from brainmri.artefacts import HALF_WRITTEN
from brainmri.attempts import attempts_of
from brainmri.processes import identity, place
from brainmri.signs import SECONDS_UNTIL_SILENT, give_signs
from brainmri.standing import RUNS, is_alive, runs_at_work, silence
from brainmri.training.lock import WITHOUT_LOCKS

# Jobs end by themselves once their workflow has (`brainmri.parent`); a training writes its state first.
SECONDS_TO_END = 15.0
# For the last sign of life on its way, on a file system that is slow.
SECONDS_TO_LEAVE = 5.0
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
        # To be read, too: NFS locks in common only what may be read, and alone only what may be written.
        handle = (snakemake_dir / "brainmri.alive").open("a+")
    except OSError:
        # Where nothing may be written, Snakemake says so itself.
        return []
    # First the sign, then the look: of two that begin at once on two machines, each sees the other.
    with suppress(OSError):
        sign_life(snakemake_dir / RUNS)
    told = []
    # Where another run is alive, Snakemake's own locks tell whether both want the same files.
    if is_free(handle, snakemake_dir):
        told += cleared(snakemake_dir, logs_dir)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
    except OSError as error:
        # Signs of life do without locks; a lock that is refused for another reason is worth a word.
        if error.errno not in WITHOUT_LOCKS:
            told.append(f"{handle.name} cannot be locked ({error.strerror}): signs of life tell of this run.")
    HELD.append(handle)
    return told


def is_free(handle: IO, snakemake_dir: Path) -> bool:
    """Lock a file for this run alone, and say whether no other run is alive on this machine."""
    me = identity()
    others = [run for _, run in runs_at_work(snakemake_dir) if run["place"] == me["place"]]
    others = [run for run in others if run["pid"] != me["pid"]]
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in WITHOUT_LOCKS and not others
    # Who began later waits for this lock. Who began before would hold it, had the file system not lost it.
    return all(int(run["started"]) >= int(me["started"]) for run in others)


def cleared(snakemake_dir: Path, logs_dir: Path) -> list[str]:
    """Take away what a killed run left, unless somebody is alive elsewhere, and say so."""
    locks = {lock: mark_of(lock) for lock in sorted((snakemake_dir / "locks").glob("*.lock"))}
    if not locks:
        return []
    refused = alive_elsewhere(snakemake_dir, logs_dir)
    if refused:
        # Snakemake stops at its own lock, where both want the same files.
        return [refused]
    told, remain = ended(logs_dir)
    # That took its time, in which another run may have begun.
    refused = remain or alive_elsewhere(snakemake_dir, logs_dir)
    if refused:
        return [*told, refused]
    alive = {sign for sign, _ in runs_at_work(snakemake_dir)}
    left = [lock for lock, mark in locks.items() if mark_of(lock) == mark]
    left += [sign for sign in (snakemake_dir / RUNS).glob("*.json") if sign not in alive]
    try:
        for path in left:
            path.unlink(missing_ok=True)
    except OSError as error:
        return [*told, f"What a run that was killed left cannot be removed ({error}): remove it by hand."]
    remove_half_written(snakemake_dir.parent)
    return [*told, "A run that was killed had locked this folder; it is unlocked, and its work goes on."]


def mark_of(path: Path) -> tuple[int, int] | None:
    """Return by what a file is known from a later one of its name; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


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
    mine, text = folder.resolve() / f"{os.getpid()}-{token_hex(4)}.json", json.dumps(identity())
    over = threading.Event()
    touching = threading.Thread(target=give_signs, args=(mine, over, text), daemon=True)

    def leave() -> None:
        over.set()
        touching.join(SECONDS_TO_LEAVE)
        with suppress(OSError):
            mine.unlink(missing_ok=True)

    # Whole from the first look at it.
    new = mine.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.replace(mine)
    atexit.register(leave)
    touching.start()


def ended(logs_dir: Path) -> tuple[list[str], str | None]:
    """Wait until the jobs of a killed run on this machine have ended; kill those that do not.

    Returns
    -------
        What was killed, in sentences, and of another person's job that runs on what to do.
    """
    attempts = [attempt for record in logs_dir.rglob("*.jsonl") for attempt in attempts_of(record)]
    running, until = [one for one in attempts if not one.end], time.monotonic() + SECONDS_TO_END
    while (running := [one for one in running if one.runs_here]) and time.monotonic() < until:
        time.sleep(0.1)
    killed, remain = [], None
    for job in running:
        pid = job.start["pid"]
        what = f"`brainmri {job.start['command']}` (process {pid}) of a run that was killed"
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        except PermissionError:
            remain = (
                f"{what} still runs for {owner_of(pid)}, so this folder stays locked: wait for its end, or "
                f"ask them to stop it (kill {pid}); then the same command goes on."
            )
            continue
        killed.append(f"{what} did not end, and was killed.")
    return killed, remain


def owner_of(pid: int) -> str:
    """Return the name of the user whose process it is."""
    process = Path("/proc", str(pid))
    try:
        return process.owner()
    except KeyError:
        return f"user {process.stat().st_uid}"
    except OSError:
        return "another user"


def remove_half_written(folder: Path) -> None:
    """Remove what killed jobs had begun to write below ``data`` and ``results``; nobody reads it."""
    for part in ("data", "results"):
        for below, folders, files in os.walk(folder / part):
            # Sources can hold a million files, and are not written so.
            if "raw" in folders:
                folders.remove("raw")
            for name in filter(HALF_WRITTEN.fullmatch, files):
                with suppress(OSError):
                    Path(below, name).unlink()
