"""A job ends with the workflow that started it: what a killed Snakemake leaves must not go on writing."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import active_children

from brainmri.processes import start_time

# The number of the process that waits for this job, as the workflow's shell sets it.
VARIABLE = "BRAINMRI_WORKFLOW_PID"
SECONDS_BETWEEN_LOOKS = 0.5


@contextmanager
def ending_with_workflow() -> Iterator[None]:
    """Send this process SIGTERM once the workflow that waits for it has ended, while the work inside goes on.

    SIGTERM ends a job at once; a training first writes its state. Without the variable, or where the
    number tells nothing (1 and below, as in a container of its own), nothing is watched.
    """
    told = os.environ.get(VARIABLE, "")
    if not told.isdecimal() or int(told) <= 1 or start_time(os.getpid()) is None:
        yield
        return
    over = threading.Event()
    watch = threading.Thread(target=follow, args=(int(told), over), daemon=True)
    watch.start()
    try:
        yield
    finally:
        over.set()
        watch.join()


def follow(pid: int, over: threading.Event) -> None:
    """Wait until it is over, or until a process has ended; then ask this one to end, too."""
    started = start_time(pid)
    while started is not None and not over.wait(SECONDS_BETWEEN_LOOKS):
        # Another process may have been given its number.
        if start_time(pid) != started:
            started = None
    if not over.is_set():
        # A pool's workers would wait for work for ever.
        for child in active_children():
            child.terminate()
        os.kill(os.getpid(), signal.SIGTERM)
