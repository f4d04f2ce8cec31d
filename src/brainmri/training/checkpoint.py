"""Going on after a kill: the last epoch's whole state in one file, and a lock around the training."""

import fcntl
import os
import pickle
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from brainmri.artefacts import digest_of, written_atomically
from brainmri.errors import BrainmriError
from brainmri.training.callbacks import Callback, Run


def checkpoint_path(checkpoint_dir: Path, target: Path) -> Path:
    """Return where the checkpoint of the training that makes `target` lies: one file a target."""
    return Path(checkpoint_dir) / f"{digest_of(str(Path(target).resolve()))[:32]}.pt"


@contextmanager
def locked(checkpoint: Path, target: Path) -> Iterator[None]:
    """Keep a second training of the same target out; the system lets go of the lock when a process dies.

    Raises
    ------
    BrainmriError
        If another process holds it.
    """
    path = checkpoint.with_suffix(".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # The holder before us may have removed the file between our opening and our locking it.
                if path.exists() and os.fstat(descriptor).st_ino == path.stat().st_ino:
                    break
            except OSError:
                os.close(descriptor)
                raise
            os.close(descriptor)
    except BlockingIOError:
        raise BrainmriError(
            f"Another process is training {target} ({path} is locked): wait for it, or stop it."
        ) from None
    except OSError as error:
        raise BrainmriError(
            f"Cannot lock {path}: {error.strerror}. Mend permissions, or free space."
        ) from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


class Checkpoint(Callback):
    """Writes the whole state after every epoch; must be told last, when the others have changed theirs.

    Parameters
    ----------
    path
        The file.
    fingerprint
        Digest of all that the weights follow from; a file with another is not resumed.
    callbacks
        Whose states are kept.
    """

    def __init__(self, path: Path, fingerprint: str, callbacks: Sequence[Callback]):
        self.path = path
        self.fingerprint = fingerprint
        self.callbacks = callbacks

    def on_epoch_end(self, run: Run) -> None:
        document = {
            "fingerprint": self.fingerprint,
            "epoch": run.epoch,
            "stop": run.stop,
            "model": run.model.state_dict(),
            "optimizer": run.optimizer.state_dict(),
            "scaler": run.scaler.state_dict(),
            "callbacks": [callback.state() for callback in self.callbacks],
        }
        with written_atomically(self.path) as temporary:
            torch.save(document, temporary)

    def resume(self, run: Run) -> bool:
        """Take up the state in the file where it belongs to this very training, and say whether it did."""
        if not self.path.is_file():
            return False
        try:
            document = torch.load(self.path, map_location="cpu", weights_only=True)
            if document["fingerprint"] != self.fingerprint:
                return False
        except (
            pickle.UnpicklingError,
            RuntimeError,
            OSError,
            EOFError,
            ValueError,
            KeyError,
            TypeError,
        ) as error:
            print(f"{self.path} is no readable checkpoint ({error}): starting anew.", file=sys.stderr)
            return False
        run.epoch, run.stop = document["epoch"], document["stop"]
        run.model.load_state_dict(document["model"])
        run.optimizer.load_state_dict(document["optimizer"])
        run.scaler.load_state_dict(document["scaler"])
        for callback, state in zip(self.callbacks, document["callbacks"], strict=True):
            callback.restore(state)
        return True

    def remove(self) -> None:
        """Delete the file, and what a kill in the middle of writing it left: the training has ended.

        The lock is held, so that no other process is writing here.
        """
        for path in [self.path, *self.path.parent.glob(f".{self.path.name}.*.tmp")]:
            path.unlink(missing_ok=True)
