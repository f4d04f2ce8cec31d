"""The training loop, to be read from top to bottom. All else is in the callbacks."""

import math
from collections.abc import Iterator, Sequence
from time import perf_counter

import numpy as np
import torch

from brainmri.errors import BrainmriError
from brainmri.models.memory import is_out_of_memory
from brainmri.training.callbacks import Callback, TrainingState, tell
from brainmri.training.plan import Plan
from brainmri.training.scores import validate
from brainmri.training.steps import make_room, take_step


def fit(run: TrainingState, plan: Plan, callbacks: Sequence[Callback]) -> None:
    """Train from epoch `run.epoch`, step `run.step`, to the last, or until a callback says stop.

    Raises
    ------
    BrainmriError
        If a loss is not finite.
    """
    while run.epoch < plan.recipe.epochs and not run.stop:
        started, seen_before = perf_counter(), sum(plan.ranks.told(run.seen if run.step else 0))
        train_epoch(run, plan, callbacks)
        # The one place where the host waits for the device.
        loss_sum, correct, seen = plan.ranks.total(run.sums()).tolist()
        seconds = perf_counter() - started
        scores = {
            "epoch": run.epoch + 1,
            "phase": run.phase,
            "train_loss": loss_sum / seen,
            "train_accuracy": correct / seen,
            "images_per_second": (seen - seen_before) / seconds,
            "learning_rate": run.learning_rate,
            **validate(run.evaluated, plan),
        }
        refuse_infinite(scores)
        run.scores = {**scores, "seconds": perf_counter() - started}
        run.epoch, run.step = run.epoch + 1, 0
        tell(callbacks, "on_epoch_end", run)


def train_epoch(run: TrainingState, plan: Plan, callbacks: Sequence[Callback]) -> None:
    """Show every training image to the network once, and update its weights after every batch."""
    run.model.train()
    if run.step == 0:
        run.start_sums(plan.device)
    tell(callbacks, "on_epoch_begin", run)
    for inputs, targets in batches_left(run, plan):
        train_batch(run, plan, callbacks, inputs, targets)


def batches_left(run: TrainingState, plan: Plan) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield the batches from step `run.step` on; where the memory does not suffice to make one, make room."""
    while True:
        try:
            yield from plan.feed.training(run.epoch, run.step)
            return
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        make_room(run, plan, -(-plan.feed.sizes[run.step] // plan.ranks.world))


def train_batch(
    run: TrainingState, plan: Plan, callbacks: Sequence[Callback], inputs: torch.Tensor, targets: torch.Tensor
) -> None:
    """Update the weights by one batch."""
    tell(callbacks, "on_batch_begin", run)
    # Dropout draws from torch's generator: seeded by the step, a resumed run needs no state of it.
    seed_torch(step_seed(plan.seed, run.epoch, run.step, plan.ranks.rank), plan.device)
    take_step(run, plan, inputs, targets)
    run.step += 1
    tell(callbacks, "on_batch_end", run)


def step_seed(seed: int, epoch: int, step: int, rank: int) -> int:
    """Return torch's seed for one step: far from that of any other seed, epoch, step or process."""
    return int(np.random.SeedSequence([seed, epoch, step, rank]).generate_state(1, np.uint64)[0] >> 1)


def seed_torch(seed: int, device: torch.device) -> None:
    """Seed torch's generators of the CPU and of a GPU; `torch.manual_seed` takes a tenth of a millisecond."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)


def refuse_infinite(scores: dict[str, float]) -> None:
    """Raise where a loss is not finite: whatever followed would be noise."""
    for name in ("train_loss", "val_loss"):
        if not math.isfinite(scores[name]):
            raise BrainmriError(
                f"{name} is {scores[name]} in epoch {scores['epoch']}: the training diverged. Lower "
                "optimizer.learning_rate (or body_learning_rate), add schedule.warmup_epochs, set "
                "gradient_clip: 1.0, or precision: fp32."
            )
