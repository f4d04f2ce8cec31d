"""A sign of life beside a training, for those on other nodes of a cluster, who cannot see its process.

The holder of a lock renews the time of its lock file. Who finds a lock file of another node waits for a while
whether that time moves: file systems that nodes share know of locks on other nodes late, or never.
"""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from brainmri.processes import place

BEAT_SECONDS = 5.0
# A lock is watched so long for a sign: nobody who lives is silent for longer, though times reach nodes late.
WATCHED_SECONDS = 30.0


def told_by(path: Path) -> dict | None:
    """Return what the holder of a lock wrote into its file, or None where that is no use."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        told = json.loads(path.read_text(encoding="utf-8"))
        return {**told, "pid": int(told["pid"]), "place": str(told["place"])}
    return None


def elsewhere(path: Path) -> dict | None:
    """Return the holder of a lock, where it is on another node."""
    told = told_by(path)
    return told if told is not None and told["place"] != place() else None


def lives_elsewhere(path: Path) -> bool:
    """Say whether the holder of a lock is on another node and gives a sign of life."""
    if elsewhere(path) is None:
        return False
    first, until = time_of(path), time.monotonic() + WATCHED_SECONDS
    while time.monotonic() < until:
        time.sleep(min(0.5, WATCHED_SECONDS / 4))
        if time_of(path) != first:
            return True
    return False


def time_of(path: Path) -> int | None:
    """Return the time of a file, as the server of a shared file system knows it."""
    with suppress(OSError), path.open("rb") as file:
        # Opening asks the server; a mere look at the path may be answered from memory.
        return os.fstat(file.fileno()).st_mtime_ns
    return None


def request_to_leave(path: Path) -> Path:
    """Return the file by which the holder of a lock is asked to stop from another node."""
    return path.with_suffix(".leave")


@contextmanager
def beating(path: Path, mine: bytes) -> Iterator[None]:
    """Give signs of life, and end this process by SIGTERM where the lock is another's or one asks for it.

    Parameters
    ----------
    path
        The lock file.
    mine
        What it holds as long as it is ours.
    """
    ended = threading.Event()
    thread = threading.Thread(target=beat, args=(path, mine, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def beat(path: Path, mine: bytes, ended: threading.Event) -> None:
    """Renew the time of a file until the end."""
    while not ended.wait(BEAT_SECONDS):
        # A shared file system may fail for a moment.
        with suppress(OSError):
            if path.read_bytes() != mine or request_to_leave(path).exists():
                os.kill(os.getpid(), signal.SIGTERM)
                return
            os.utime(path)
