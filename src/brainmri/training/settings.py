"""How a training goes, in parts: optimiser, schedule, when to stop, which epoch to keep, linear probe.

Light on purpose (no torch), as `brainmri.training.recipe`, which puts them together.
"""

from dataclasses import dataclass
from typing import Literal

from brainmri.models.settings import require, require_known_words

Monitor = Literal["val_loss", "val_accuracy", "val_macro_f1"]


@dataclass(frozen=True)
class OptimizerSettings:
    """How weights are updated. Biases and the weights of normalisation layers never decay.

    Parameters
    ----------
    name
        `adam` (decay added to the gradient), `adamw` (decoupled decay) or `sgd`.
    learning_rate
        Of the head; of the body too where `body_learning_rate` is null.
    body_learning_rate
        Of the body, for fine-tuning at a lower rate than the head's.
    weight_decay
        Decay of the weights.
    momentum
        Of `sgd`.
    layer_decay
        Each layer of the body learns at this times the rate of the layer above it, from the body's rate
        downwards (Clark 2020; timm's grouping of layers); null: all layers alike.
    """

    name: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: float = 0.001
    body_learning_rate: float | None = None
    weight_decay: float = 0.0
    momentum: float = 0.9
    layer_decay: float | None = None

    def __post_init__(self):
        require_known_words(self, "optimizer.")
        require(0 < self.learning_rate < 100, "optimizer.learning_rate", self.learning_rate, "above 0")
        body = self.body_learning_rate
        require(body is None or 0 < body < 100, "optimizer.body_learning_rate", body, "above 0, or null")
        require(0 <= self.weight_decay < 100, "optimizer.weight_decay", self.weight_decay, "0 or more")
        require(0 <= self.momentum < 1, "optimizer.momentum", self.momentum, "0 up to, not including, 1")
        decay = self.layer_decay
        require(decay is None or 0 < decay <= 1, "optimizer.layer_decay", decay, "above 0, up to 1, or null")


@dataclass(frozen=True)
class ScheduleSettings:
    """How the learning rates change over the epochs.

    Parameters
    ----------
    name
        `constant`; `step`: times `factor` every `step_epochs`; `plateau`: times `factor` when `monitor` has
        not improved for more than `patience` epochs; `cosine`: half a cosine down to
        `minimum_learning_rate`, batch by batch (Loshchilov & Hutter 2017, without restarts).
    step_epochs
        Epochs between two steps of `step`.
    factor
        What `step` and `plateau` multiply the rates by.
    patience
        Epochs without improvement that `plateau` tolerates.
    warmup_epochs
        Epochs, or a part of one, over which any schedule first rises linearly from zero, batch by batch.
    minimum_learning_rate
        No rate falls below it (warm-up apart).
    monitor
        What `plateau` watches: a score of validation, or `train_loss`.
    """

    name: Literal["constant", "step", "plateau", "cosine"] = "constant"
    step_epochs: int = 4
    factor: float = 0.1
    patience: int = 5
    warmup_epochs: float = 0.0
    minimum_learning_rate: float = 0.0
    monitor: Literal["val_loss", "val_accuracy", "val_macro_f1", "train_loss"] = "val_loss"

    def __post_init__(self):
        require_known_words(self, "schedule.")
        require(self.step_epochs >= 1, "schedule.step_epochs", self.step_epochs, "1 or more")
        require(0 < self.factor < 1, "schedule.factor", self.factor, "between 0 and 1")
        require(self.patience >= 0, "schedule.patience", self.patience, "0 or more")
        require(self.warmup_epochs >= 0, "schedule.warmup_epochs", self.warmup_epochs, "0 or more")
        lowest = self.minimum_learning_rate
        require(lowest >= 0, "schedule.minimum_learning_rate", lowest, "0 or more")


@dataclass(frozen=True)
class EarlyStoppingSettings:
    """When to stop before the last epoch.

    Parameters
    ----------
    monitor
        What is watched.
    patience
        Epochs in a row without improvement after which training stops.
    minimum_delta
        A smaller change is no improvement.
    """

    monitor: Monitor = "val_loss"
    patience: int = 5
    minimum_delta: float = 0.0

    def __post_init__(self):
        require_known_words(self, "early_stopping.")
        require(self.patience >= 1, "early_stopping.patience", self.patience, "1 or more")
        require(self.minimum_delta >= 0, "early_stopping.minimum_delta", self.minimum_delta, "0 or more")


@dataclass(frozen=True)
class CheckpointSettings:
    """Which epoch's weights are kept.

    Parameters
    ----------
    monitor
        The epoch that was best by this; `last` keeps the last epoch's weights, as some published systems
        did (nothing on the validation part chooses them then).
    """

    monitor: Literal["val_loss", "val_accuracy", "val_macro_f1", "last"] = "val_loss"

    def __post_init__(self):
        require_known_words(self, "checkpoint.")


@dataclass(frozen=True)
class LinearProbeSettings:
    """Training of the head alone, on the features of the body as loaded, before the training of all layers.

    A new head's first gradients, which are random, then no longer spoil a pretrained body (Kumar 2022). The
    features are computed once, of images that are not augmented.

    Parameters
    ----------
    epochs
        Passes over the training part; 0: no such phase.
    learning_rate
        Of the head in this phase, falling by half a cosine.
    """

    epochs: int = 0
    learning_rate: float = 0.001

    def __post_init__(self):
        require(0 <= self.epochs <= 100_000, "linear_probe.epochs", self.epochs, "0 or more")
        rate = self.learning_rate
        require(0 < rate < 100, "linear_probe.learning_rate", rate, "above 0")
