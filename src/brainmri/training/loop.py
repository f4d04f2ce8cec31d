"""The training loop, to be read from top to bottom. All else is in the callbacks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch
from torch import nn

from brainmri.errors import BrainmriError
from brainmri.training.batches import training_batches
from brainmri.training.callbacks import Callback, Run, tell
from brainmri.training.parts import TrainingData
from brainmri.training.precision import autocast
from brainmri.training.recipe import Recipe
from brainmri.training.scores import validate


@dataclass(frozen=True)
class Plan:
    """What stays the same throughout a training.

    Parameters
    ----------
    recipe
        How to train.
    data
        What to train on.
    criterion
        The loss of logits (n, C) and labels (n,).
    seed
        Order, augmentation and dropout of every epoch follow from it.
    device
        Where the arithmetic runs.
    precision
        `fp32`, `bf16` or `fp16`.
    """

    recipe: Recipe
    data: TrainingData
    criterion: nn.Module
    seed: int
    device: torch.device
    precision: str


def fit(run: Run, plan: Plan, callbacks: Sequence[Callback]) -> None:
    """Train from epoch `run.epoch` to the last, or until a callback says stop.

    Raises
    ------
    BrainmriError
        If a loss is not finite.
    """
    while run.epoch < plan.recipe.epochs and not run.stop:
        started = perf_counter()
        # Dropout draws from torch's generator: seeded by the epoch, a resumed run needs no state of it.
        torch.manual_seed(epoch_seed(plan.seed, run.epoch))
        train_epoch(run, plan, callbacks)
        trained = perf_counter()
        scores = {
            "epoch": run.epoch + 1,
            "train_loss": float(run.loss_sum) / run.seen,
            "train_accuracy": float(run.correct) / run.seen,
            "images_per_second": run.seen / (trained - started),
            "learning_rate": run.learning_rate,
            **validate(run.model, plan.data, plan.device, plan.precision),
        }
        refuse_infinite(scores)
        run.scores = {**scores, "seconds": perf_counter() - started}
        run.epoch += 1
        tell(callbacks, "on_epoch_end", run)


def train_epoch(run: Run, plan: Plan, callbacks: Sequence[Callback]) -> None:
    """Show every training image to the network once, and update its weights after every batch."""
    recipe = plan.recipe
    run.model.train()
    run.step, run.seen = 0, 0
    run.loss_sum = torch.zeros((), dtype=torch.float64, device=plan.device)
    run.correct = torch.zeros((), dtype=torch.int64, device=plan.device)
    tell(callbacks, "on_epoch_begin", run)
    batches = training_batches(
        plan.data, run.model, recipe.batch_size, recipe.augmentation, plan.seed, run.epoch, plan.device
    )
    for images, labels in batches:
        tell(callbacks, "on_batch_begin", run)
        with autocast(plan.precision, plan.device):
            logits = run.model(images)
        loss = plan.criterion(logits.float(), labels)
        step(run, loss, recipe.gradient_clip)
        run.loss_sum += loss.detach() * len(labels)
        run.correct += (logits.detach().argmax(dim=1) == labels).sum()
        run.seen += len(labels)
        run.step += 1
        tell(callbacks, "on_batch_end", run)


def step(run: Run, loss: torch.Tensor, gradient_clip: float | None) -> None:
    """Update the weights by the gradient of one loss."""
    run.optimizer.zero_grad(set_to_none=True)
    run.scaler.scale(loss).backward()
    if gradient_clip is not None:
        run.scaler.unscale_(run.optimizer)
        nn.utils.clip_grad_norm_(run.model.parameters(), gradient_clip)
    run.scaler.step(run.optimizer)
    run.scaler.update()


def epoch_seed(seed: int, epoch: int) -> int:
    """Return torch's seed for one epoch: far from that of any other seed or epoch."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0] >> 1)


def refuse_infinite(scores: dict[str, float]) -> None:
    """Raise where a loss is not finite: whatever followed would be noise."""
    for name in ("train_loss", "val_loss"):
        if not math.isfinite(scores[name]):
            raise BrainmriError(
                f"{name} is {scores[name]} in epoch {scores['epoch']}: the training diverged. Lower "
                "optimizer.learning_rate (or body_learning_rate), add schedule.warmup_epochs, set "
                "gradient_clip: 1.0, or precision: fp32."
            )
