"""What happens around the training loop: each concern a small class that is told when an epoch ends.

A callback's `state` is what it needs to go on after a kill: plain numbers, lists and tensors.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter

import torch
from torch import nn
from torch.optim import Optimizer
from tqdm import tqdm

from brainmri.models.classifier import Classifier
from brainmri.progress import progress
from brainmri.training.recipe import EarlyStoppingSettings
from brainmri.training.scores import is_better


@dataclass
class TrainingState:
    """The state of a training that its callbacks see and change.

    Parameters
    ----------
    model
        The network.
    network
        What is called in training: the network or its head, compiled or shared between processes.
    optimizer
        Its optimiser; schedules set the rates in its groups.
    scaler
        Scales the loss in fp16; passes it through otherwise.
    epochs
        Epochs planned.
    steps
        Batches an epoch.
    phase
        `train`, or `probe` while the head alone is trained before.
    epoch
        Epochs completed.
    step
        Batches completed in the epoch at hand.
    micro_batch
        Images that go through the network at a time; None: all of a batch.
    averaged
        The network with averaged weights, where they are averaged.
    loss_sum, correct, seen
        Sums over the images of the epoch at hand; tensors on the device, so that nothing waits for them.
    scores
        The last epoch's row of the history.
    stop
        Set to end the training after this epoch.
    """

    model: Classifier
    network: nn.Module
    optimizer: Optimizer
    scaler: torch.amp.GradScaler
    epochs: int
    steps: int
    phase: str = "train"
    epoch: int = 0
    step: int = 0
    micro_batch: int | None = None
    averaged: Classifier | None = None
    loss_sum: torch.Tensor | float = 0.0
    correct: torch.Tensor | int = 0
    seen: int = 0
    scores: dict[str, float] = field(default_factory=dict)
    stop: bool = False

    @property
    def learning_rate(self) -> float:
        """The head's rate."""
        return self.optimizer.param_groups[-1]["lr"]

    @property
    def evaluated(self) -> Classifier:
        """The network that is validated and kept."""
        return self.model if self.averaged is None else self.averaged

    def start_sums(self, device: torch.device) -> None:
        """Set the sums of an epoch to nothing."""
        self.seen = 0
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=device)
        self.correct = torch.zeros((), dtype=torch.int64, device=device)

    def sums(self) -> torch.Tensor:
        """Return loss, hits and images of this process in the epoch so far, float64, on the device."""
        seen = torch.tensor(float(self.seen), dtype=torch.float64)
        return torch.stack([self.loss_sum, self.correct.double(), seen.to(self.loss_sum.device)])


class Callback:
    """Does nothing; a base for those that do something at one of these moments."""

    def on_epoch_begin(self, run: TrainingState) -> None:
        """Before an epoch's first batch."""

    def on_batch_begin(self, run: TrainingState) -> None:
        """Before each step of the optimiser."""

    def on_batch_end(self, run: TrainingState) -> None:
        """After each step."""

    def on_epoch_end(self, run: TrainingState) -> None:
        """After validation; `run.scores` holds the epoch's row."""

    def state(self) -> dict:
        """Return what is needed to go on after a kill."""
        return {}

    def restore(self, state: dict) -> None:
        """Take up a state that `state` gave."""


class History(Callback):
    """Keeps the scores of every epoch, one row an epoch.

    Parameters
    ----------
    rows
        Of what was trained before.
    """

    def __init__(self, rows: Sequence[dict[str, float]] = ()):
        self.rows: list[dict[str, float]] = list(rows)

    def on_epoch_end(self, run: TrainingState) -> None:
        self.rows.append(dict(run.scores))

    def state(self) -> dict:
        return {"rows": self.rows}

    def restore(self, state: dict) -> None:
        self.rows = state["rows"]


class KeepBest(Callback):
    """Keeps a copy of the weights of the epoch that was best by `monitor`, or of the last."""

    def __init__(self, monitor: str):
        self.monitor = monitor
        self.best: float | None = None
        self.best_epoch = 0
        self.weights: dict[str, torch.Tensor] = {}

    def on_epoch_end(self, run: TrainingState) -> None:
        if self.monitor != "last":
            if not is_better(self.monitor, run.scores[self.monitor], self.best):
                return
            self.best = run.scores[self.monitor]
        self.best_epoch = run.epoch
        self.weights = {
            key: tensor.detach().to("cpu", copy=True) for key, tensor in run.evaluated.trained_state().items()
        }

    def state(self) -> dict:
        return {"best": self.best, "best_epoch": self.best_epoch, "weights": self.weights}

    def restore(self, state: dict) -> None:
        self.best, self.best_epoch, self.weights = state["best"], state["best_epoch"], state["weights"]


class EarlyStopping(Callback):
    """Stops when nothing has improved for `patience` epochs."""

    def __init__(self, settings: EarlyStoppingSettings):
        self.settings = settings
        self.best: float | None = None
        self.waited = 0

    def on_epoch_end(self, run: TrainingState) -> None:
        value = run.scores[self.settings.monitor]
        if is_better(self.settings.monitor, value, self.best, self.settings.minimum_delta):
            self.best, self.waited = value, 0
        else:
            self.waited += 1
        run.stop = run.stop or self.waited >= self.settings.patience

    def state(self) -> dict:
        return {"best": self.best, "waited": self.waited}

    def restore(self, state: dict) -> None:
        self.best, self.waited = state["best"], state["waited"]


class Progress(Callback):
    """Shows a bar an epoch at a terminal, and a line an epoch everywhere, on stderr."""

    # Reading the running loss waits for the device: once in so many seconds.
    every = 1.0

    def __init__(self):
        self.bar: tqdm | None = None
        self.read = 0.0

    def on_epoch_begin(self, run: TrainingState) -> None:
        words = f"epoch {run.epoch + 1}/{run.epochs}"
        self.bar = progress(total=run.steps, description=words, unit="batch")

    def on_batch_end(self, run: TrainingState) -> None:
        if self.bar is None:
            return
        self.bar.update()
        if self.bar.disable:
            return
        if perf_counter() - self.read >= self.every:
            self.read = perf_counter()
            loss, accuracy = float(run.loss_sum) / run.seen, float(run.correct) / run.seen
            rate = run.seen / max(self.bar.format_dict["elapsed"], 1e-9)
            self.bar.set_postfix_str(
                f"loss {loss:.3f}, accuracy {accuracy:.3f}, {rate:.0f} images/s", refresh=False
            )

    def on_epoch_end(self, run: TrainingState) -> None:
        if self.bar is not None:
            self.bar.close()
        scores = run.scores
        tqdm.write(
            f"epoch {run.epoch}/{run.epochs}: "
            f"train loss {scores['train_loss']:.4f}, accuracy {scores['train_accuracy']:.4f}; "
            f"val loss {scores['val_loss']:.4f}, accuracy {scores['val_accuracy']:.4f}, "
            f"macro-F1 {scores['val_macro_f1']:.4f}; rate {scores['learning_rate']:.2e}, "
            f"{scores['seconds']:.1f} s, {scores['images_per_second']:.0f} images/s",
            file=sys.stderr,
        )
        sys.stderr.flush()


def tell(callbacks: Sequence[Callback], moment: str, run: TrainingState) -> None:
    """Call the method `moment` of every callback, in order."""
    for callback in callbacks:
        getattr(callback, moment)(run)
