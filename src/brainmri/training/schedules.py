"""Learning-rate schedules: closed forms of the time in epochs, set before every step."""

import math

from brainmri.training.callbacks import Callback, TrainingState
from brainmri.training.recipe import ScheduleSettings
from brainmri.training.scores import is_better


def rate_at(settings: ScheduleSettings, base: float, time: float, epochs: int, reductions: int = 0) -> float:
    """Return the learning rate of one step.

    Parameters
    ----------
    settings
        The schedule.
    base
        The rate that it starts from, or warms up to.
    time
        Epochs completed before the step, with the fraction of the one at hand.
    epochs
        Epochs planned.
    reductions
        How often `plateau` has reduced so far.
    """
    lowest = min(base, settings.minimum_learning_rate)
    if settings.name == "cosine":
        length = epochs - settings.warmup_epochs
        done = min(max((time - settings.warmup_epochs) / length, 0.0), 1.0) if length > 0 else 0.0
        rate = lowest + (base - lowest) * (1 + math.cos(math.pi * done)) / 2
    elif settings.name == "step":
        rate = max(lowest, base * settings.factor ** (math.floor(time) // settings.step_epochs))
    elif settings.name == "plateau":
        rate = max(lowest, base * settings.factor**reductions)
    else:
        rate = base
    if time < settings.warmup_epochs:
        rate *= time / settings.warmup_epochs
    return rate


class Schedule(Callback):
    """Sets the rate of every parameter group before every step."""

    def __init__(self, settings: ScheduleSettings, base_rates: list[float]):
        self.settings = settings
        self.base_rates = base_rates
        self.reductions = 0
        self.best: float | None = None
        self.waited = 0

    def on_batch_begin(self, run: TrainingState) -> None:
        # The middle of the step: a warm-up's first step does move, and a cosine's last one too.
        time = run.epoch + (run.step + 0.5) / run.steps
        for group, base in zip(run.optimizer.param_groups, self.base_rates, strict=True):
            group["lr"] = rate_at(self.settings, base, time, run.epochs, self.reductions)

    def on_epoch_end(self, run: TrainingState) -> None:
        if self.settings.name != "plateau":
            return
        value = run.scores[self.settings.monitor]
        if is_better(self.settings.monitor, value, self.best):
            self.best, self.waited = value, 0
            return
        self.waited += 1
        if self.waited > self.settings.patience:
            self.reductions, self.waited = self.reductions + 1, 0

    def state(self) -> dict:
        return {"reductions": self.reductions, "best": self.best, "waited": self.waited}

    def restore(self, state: dict) -> None:
        self.reductions, self.best, self.waited = state["reductions"], state["best"], state["waited"]
