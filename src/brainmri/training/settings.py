"""How a training goes, in parts: optimiser, schedule, when to stop, which epoch to keep, linear probe.

Light on purpose (no torch), as `brainmri.training.recipe`, which puts them together.
"""

from dataclasses import dataclass
from typing import Literal

from brainmri.mapping import check_settings, limited

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
    learning_rate: float = limited(0.001, exclusiveMinimum=0, exclusiveMaximum=100)
    body_learning_rate: float | None = limited(None, exclusiveMinimum=0, exclusiveMaximum=100)
    weight_decay: float = limited(0.0, minimum=0, exclusiveMaximum=100)
    momentum: float = limited(0.9, minimum=0, exclusiveMaximum=1)
    layer_decay: float | None = limited(None, exclusiveMinimum=0, maximum=1)

    def __post_init__(self):
        check_settings(self, "optimizer.")


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
    step_epochs: int = limited(4, minimum=1)
    factor: float = limited(0.1, exclusiveMinimum=0, exclusiveMaximum=1)
    patience: int = limited(5, minimum=0)
    warmup_epochs: float = limited(0.0, minimum=0)
    minimum_learning_rate: float = limited(0.0, minimum=0)
    monitor: Literal["val_loss", "val_accuracy", "val_macro_f1", "train_loss"] = "val_loss"

    def __post_init__(self):
        check_settings(self, "schedule.")


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
    patience: int = limited(5, minimum=1)
    minimum_delta: float = limited(0.0, minimum=0)

    def __post_init__(self):
        check_settings(self, "early_stopping.")


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
        check_settings(self, "checkpoint.")


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

    epochs: int = limited(0, minimum=0, maximum=100_000)
    learning_rate: float = limited(0.001, exclusiveMinimum=0, exclusiveMaximum=100)

    def __post_init__(self):
        check_settings(self, "linear_probe.")
