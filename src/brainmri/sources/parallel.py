"""One function over many items on all cores, with results in order.

Threads, not processes: hashing, reading and OpenCV let go of Python's lock, so two threads do 1.8 times
the work of one, start at once, and share the arrays that they fill.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

from brainmri.errors import BrainmriError
from brainmri.progress import progress

# So many items a task: the queue costs nothing, and the last tasks still end together.
CHUNK = 32


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Keep OpenCV and matrix products to the thread that calls them, where tasks fill the cores already.

    Their own threads would compete with ours, and wait for each other.
    """
    import cv2  # Half a second that those who only hash files need not wait.

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        cv2.setNumThreads(threads)


def worker_count(workers: int) -> int:
    """Return how many threads to use: `workers`, or as many as there are cores for this process if 0.

    Raises
    ------
    BrainmriError
        If `workers` is negative.
    """
    if workers < 0:
        raise BrainmriError(f"workers is {workers}: must be 0 (all cores) or more.")
    if workers:
        return workers
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_parallel(
    function: Callable[[Sequence], list],
    items: Sequence,
    *,
    workers: int,
    description: str,
    unit: str,
    chunk: int = CHUNK,
) -> list:
    """Apply `function` to chunks of `items`, and return its results in the order of the items.

    Parameters
    ----------
    function
        Takes a chunk of items and returns a list of results; called from several threads.
    items
        What to work on.
    workers
        Threads; 0 for all cores.
    description, unit
        Words of the progress bar, which counts items.
    chunk
        Items a task; more where an item takes microseconds.
    """
    chunks = [items[start : start + chunk] for start in range(0, len(items), chunk)]
    results = []
    with progress(total=len(items), description=description, unit=unit) as bar:
        executor = ThreadPoolExecutor(worker_count(workers))
        try:
            for part, result in zip(chunks, executor.map(function, chunks), strict=True):
                results.extend(result)
                bar.update(len(part))
        finally:
            # Where one chunk fails, or the user interrupts, those not begun are not begun.
            executor.shutdown(wait=True, cancel_futures=True)
    return results
