"""Going on after a kill: the whole state of a training in one file."""

import sys
import zipfile
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import torch

from brainmri.artefacts import written_atomically
from brainmri.digests import digest_of
from brainmri.training.arithmetic import Arithmetic
from brainmri.training.callbacks import Callback, TrainingState
from brainmri.training.interruption import Interrupted, Interruption
from brainmri.training.ranks import ALONE, Ranks

# Several processes must stop at the same step: they ask each other every so many steps.
STEPS_BETWEEN_QUESTIONS = {"cpu": 1, "cuda": 10}
# Where a training takes all cores, to write meanwhile gains little, and its copy takes memory.
WRITES_AT_ONCE = ("cpu",)


def checkpoint_path(checkpoint_dir: Path, target: Path) -> Path:
    """Return where the checkpoint of the training that makes `target` lies: one file a target."""
    return Path(checkpoint_dir) / f"{digest_of(str(Path(target).resolve()))[:32]}.pt"


class Checkpoint(Callback):
    """Writes the whole state after every epoch, and after the step at hand where an end is asked for.

    Must be told last, when the other callbacks have changed their states. With a GPU the file is written
    while the next epoch runs, from a copy on the host: for large networks it takes as long as an epoch.

    Parameters
    ----------
    path
        The file.
    fingerprint
        Digest of all that the weights follow from; a file with another is not resumed.
    callbacks
        Whose states are kept.
    interruption
        Says whether the training is to end early.
    ranks
        Which of the processes that train together this is; the first one writes.

    Attributes
    ----------
    arithmetic
        In which the training runs, so that it goes on in it.
    """

    def __init__(
        self,
        path: Path,
        fingerprint: str,
        callbacks: Sequence[Callback],
        interruption: Interruption | None = None,
        ranks: Ranks = ALONE,
    ):
        self.path = path
        self.fingerprint = fingerprint
        self.callbacks = callbacks
        self.interruption = interruption
        self.ranks = ranks
        self.arithmetic: Arithmetic | None = None
        self.pool = ThreadPoolExecutor(1)
        self.writing: Future | None = None

    def on_batch_end(self, run: TrainingState) -> None:
        if self.asked_to_stop(run) and run.step < run.steps:
            self.write(run)
            self.leave(f"step {run.step} of {run.steps} of epoch {run.epoch + 1} of {run.epochs}")

    def on_epoch_end(self, run: TrainingState) -> None:
        self.write(run)
        if self.asked_to_stop(run) and run.epoch < run.epochs and not run.stop:
            self.leave(f"epoch {run.epoch} of {run.epochs}")

    def asked_to_stop(self, run: TrainingState) -> bool:
        """Say whether an end is asked for, of this process or, where several train together, of any."""
        requested = self.interruption is not None and self.interruption.requested
        if self.ranks.world == 1:
            return requested
        if run.step % STEPS_BETWEEN_QUESTIONS[run.loss_sum.device.type]:
            return False
        # Hosts ask each other, so that none waits for its device.
        return bool(self.ranks.total(torch.tensor(float(requested))) > 0)

    def write(self, run: TrainingState) -> None:
        """Write the file, in one piece; once that before is written."""
        sums = self.ranks.total(run.sums()).tolist() if run.step else None
        states = [callback.state() for callback in self.callbacks]
        if not self.ranks.writes:
            return
        document = {
            "fingerprint": self.fingerprint,
            "epoch": run.epoch,
            "step": run.step,
            "sums": sums,
            "stop": run.stop,
            "micro_batch": run.micro_batch,
            "arithmetic": self.arithmetic and asdict(self.arithmetic),
            "model": run.model.trained_state(),
            "optimizer": run.optimizer.state_dict(),
            "scaler": run.scaler.state_dict(),
            "callbacks": states,
        }
        self.finish()
        if next(run.model.parameters()).device.type in WRITES_AT_ONCE:
            write_document(document, self.path)
        else:
            self.writing = self.pool.submit(write_document, on_host(document), self.path)

    def finish(self) -> None:
        """Wait until the file that is being written is whole.

        Raises
        ------
        BrainmriError
            If it could not be written.
        """
        if self.writing is not None:
            writing, self.writing = self.writing, None
            writing.result()

    def leave(self, reached: str) -> None:
        """End the training for now.

        Raises
        ------
        Interrupted
            Always.
        """
        self.finish()
        raise Interrupted(
            f"stopped after {reached}, as asked (SIGTERM); the state is kept: the same command goes on "
            "from there."
        )

    def take_up(self, run: TrainingState, document: dict) -> None:
        """Take up a state that `found` gave."""
        run.epoch, run.stop = document["epoch"], document["stop"]
        # What the memory suffices for may since have been found to be less.
        run.micro_batch = min(filter(None, (document["micro_batch"], run.micro_batch)), default=None)
        run.model.load_trained_state(document["model"])
        run.optimizer.load_state_dict(document["optimizer"])
        run.scaler.load_state_dict(document["scaler"])
        for callback, state in zip(self.callbacks, document["callbacks"], strict=True):
            callback.restore(state)
        self.resume_epoch(run, document["step"], document["sums"])

    def found(self) -> dict | None:
        """Return the state in the file, where it belongs to this very training."""
        if not self.path.is_file():
            return None
        try:
            with zipfile.ZipFile(self.path) as packed:
                damaged = packed.testzip()  # torch does not look at the sums in its file
            if damaged is not None:
                raise ValueError(f"{damaged} is damaged")
            document = torch.load(self.path, map_location="cpu", weights_only=True)
            if document["fingerprint"] == self.fingerprint:
                return document
            self.tell(f"{self.path} holds a state of other settings, data, code or libraries: starting anew.")
        # Of a damaged file torch's reader raises nearly anything.
        except Exception as error:
            self.tell(f"{self.path} is no readable checkpoint ({error}): starting anew.")
        return None

    def tell(self, words: str) -> None:
        """Say something, in one of the processes."""
        if self.ranks.writes:
            print(words, file=sys.stderr)

    def resume_epoch(self, run: TrainingState, step: int, sums: list[float] | None) -> None:
        """Take up the sums of an epoch that was left in the middle; the first process holds them for all."""
        run.start_sums(next(run.model.parameters()).device)
        run.step = step
        if sums is not None and self.ranks.writes:
            run.loss_sum += sums[0]
            run.correct += int(sums[1])
            run.seen = int(sums[2])

    def remove(self) -> None:
        """Delete the file, and what a kill in the middle of writing it left: the training has ended.

        The lock is held, so that no other process is writing here.
        """
        self.finish()
        if self.ranks.writes:
            for path in [self.path, *self.path.parent.glob(f".{self.path.name}.*.tmp")]:
                path.unlink(missing_ok=True)


def write_document(document: dict, path: Path) -> None:
    """Write a state, in one piece."""
    with written_atomically(path) as temporary:
        torch.save(document, temporary)


def on_host(value):
    """Return a state with all its tensors copied to the CPU: what goes on training no longer changes them."""
    match value:
        case torch.Tensor():
            return value.detach().to("cpu", copy=True)
        case dict():
            return {key: on_host(entry) for key, entry in value.items()}
        case list() | tuple():
            return type(value)(on_host(entry) for entry in value)
        case _:
            return value
