"""Break off work that no longer moves, wherever it hangs."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Stalled(BaseException):
    """The file has not grown for too long. No `Exception`, so that no library's handler swallows it."""


def size_of(path: Path | None) -> int:
    """Return a file's bytes; 0 where there is none."""
    try:
        return path.stat().st_size if path else 0
    except OSError:
        return 0


@contextmanager
def stall_watch(path: Path | None, seconds: float) -> Iterator[None]:
    """Raise `Stalled` in the block as soon as `path` has kept its size for `seconds`.

    A timer's signal does it, which gets through to a read that waits for ever. Signals reach the main
    thread alone: in another one nothing is watched.

    Parameters
    ----------
    path
        The file that should grow; None for a block that should just end in time.
    seconds
        How long it may rest.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    size, since = size_of(path), time.monotonic()

    def look(number, frame):
        nonlocal size, since
        if (now := size_of(path)) != size:
            size, since = now, time.monotonic()
        elif time.monotonic() - since >= seconds:
            raise Stalled

    former_handler = signal.signal(signal.SIGALRM, look)
    tick = min(1.0, seconds / 4)
    former_timer = signal.setitimer(signal.ITIMER_REAL, tick, tick)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *former_timer)
        signal.signal(signal.SIGALRM, former_handler)
