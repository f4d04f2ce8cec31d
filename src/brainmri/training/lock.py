"""A lock around a training, so that two never write into each other's files.

The system lets go of it when its holder dies. A holder that outlived the workflow which started it (an orphan
of a killed Snakemake) is asked to stop, keeps its state, and the newcomer goes on from there. So is a holder
on another node of a cluster, where it is the same job, given up there by the scheduler and started here.
"""

import errno
import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from brainmri.errors import BrainmriError, unwritable
from brainmri.processes import cluster_job, identity, is_orphan, place, start_time
from brainmri.training.beat import beating, elsewhere, lives_elsewhere, request_to_leave, told_by

# An orphan may need this long for the step at hand and for its checkpoint, before it is killed.
PATIENCE_SECONDS = 60.0
# What file systems answer that know no locks; signs of life must do there.
WITHOUT_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)


@contextmanager
def locked(checkpoint: Path, target: Path) -> Iterator[None]:
    """Keep a second training of the same target out.

    Parameters
    ----------
    checkpoint
        The training's checkpoint; the lock lies beside it.
    target
        What the training makes, for messages.

    Raises
    ------
    BrainmriError
        If another process holds the lock, and is no orphan.
    """
    path = checkpoint.with_suffix(".lock")
    mine = json.dumps(identity()).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = acquired(path)
        if descriptor is None:
            make_way(path, target)
            descriptor = acquired(path, patience=PATIENCE_SECONDS)
            request_to_leave(path).unlink(missing_ok=True)
        if descriptor is None:
            raise busy(path, target)
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, mine, 0)
        except OSError as error:
            raise unwritable(path, error) from error
        with beating(path, mine):
            yield
    finally:
        # Who was silent for too long may have lost the lock to another node. Empty: nothing could be written.
        with suppress(OSError):
            if path.read_bytes() in (mine, b""):
                path.unlink()
        os.close(descriptor)


def acquired(path: Path, patience: float = 0.0) -> int | None:
    """Return the descriptor of the lock file once it is ours, or None where it is not after `patience`."""
    until = time.monotonic() + patience
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            free = seized(descriptor, path) and not lives_elsewhere(path)
            # The holder before us may have removed the file between our opening and our locking it.
            if free and path.exists() and os.fstat(descriptor).st_ino == path.stat().st_ino:
                return descriptor
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)
        if not free:
            if time.monotonic() > until:
                return None
            time.sleep(0.1)


def seized(descriptor: int, path: Path) -> bool:
    """Lock an open lock file where nobody holds it, as far as this node can tell, and say whether it did."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in WITHOUT_LOCKS:
            raise
        return holder_of(path) is None
    return True


def make_way(path: Path, target: Path) -> None:
    """Ask the holder of a lock to stop, where it is an orphan, or this very job on another node.

    Another one on another node may be about to end, as its job has: it is waited for.

    Raises
    ------
    BrainmriError
        If the holder is no orphan, or cannot be told.
    """
    away = elsewhere(path)
    if away is None:
        stop_orphan(path, target)
    elif cluster_job() is not None and away.get("job") == cluster_job():
        print(f"this job still trains {target} on {away['place']}: asking it to stop", file=sys.stderr)
        request_to_leave(path).touch()


def stop_orphan(path: Path, target: Path) -> None:
    """Ask the holder of a lock to stop, where it is an orphan; kill it where it does not listen.

    Raises
    ------
    BrainmriError
        If the holder is no orphan, or cannot be told.
    """
    holder = holder_of(path)
    if holder is None or not is_orphan(holder):
        raise busy(path, target)
    print(
        f"process {holder['pid']} still trains {target}, though what started it is gone: stopping it",
        file=sys.stderr,
    )
    try:
        os.kill(holder["pid"], signal.SIGTERM)
    except ProcessLookupError:
        return
    except PermissionError:
        raise busy(path, target) from None
    descriptor = acquired(path, patience=PATIENCE_SECONDS)
    if descriptor is not None:
        os.close(descriptor)
    elif start_time(holder["pid"]) == holder["started"]:
        with suppress(ProcessLookupError):
            os.kill(holder["pid"], signal.SIGKILL)


def busy(path: Path, target: Path) -> BrainmriError:
    """Return the error for a target that is being trained."""
    away = elsewhere(path)
    where = f" on {away['place'].partition(' ')[0]}" if away else ""
    return BrainmriError(
        f"Another process{where} is training {target} ({path} is locked): wait for it, or stop it."
    )


def holder_of(path: Path) -> dict | None:
    """Return what the holder of a lock wrote into it, or None where it is not here or has ended."""
    holder = told_by(path)
    if holder is None or holder["place"] != place():
        return None
    started = start_time(holder["pid"])
    return holder if started is not None and started == holder.get("started") else None
