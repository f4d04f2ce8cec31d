"""The recipe: one entry under `models:` of the configuration, documented key by key.

Light on purpose (no torch), so that a configuration is checked before anything runs.
"""

from dataclasses import dataclass, field
from typing import Literal

from brainmri.mapping import settings_from
from brainmri.models.settings import CnnSettings, Design, HeadSettings, require

__all__ = [
    "AugmentSettings",
    "CheckpointSettings",
    "CnnSettings",
    "EarlyStoppingSettings",
    "HeadSettings",
    "OptimizerSettings",
    "Recipe",
    "ScheduleSettings",
    "recipe_from",
]

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
    """

    name: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: float = 0.001
    body_learning_rate: float | None = None
    weight_decay: float = 0.0
    momentum: float = 0.9

    def __post_init__(self):
        names = ("adam", "adamw", "sgd")
        require(self.name in names, "optimizer.name", self.name, ", ".join(names))
        require(0 < self.learning_rate < 100, "optimizer.learning_rate", self.learning_rate, "above 0")
        body = self.body_learning_rate
        require(body is None or 0 < body < 100, "optimizer.body_learning_rate", body, "above 0, or null")
        require(0 <= self.weight_decay < 100, "optimizer.weight_decay", self.weight_decay, "0 or more")
        require(0 <= self.momentum < 1, "optimizer.momentum", self.momentum, "0 up to, not including, 1")


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
        What `plateau` watches.
    """

    name: Literal["constant", "step", "plateau", "cosine"] = "constant"
    step_epochs: int = 4
    factor: float = 0.1
    patience: int = 5
    warmup_epochs: float = 0.0
    minimum_learning_rate: float = 0.0
    monitor: Monitor = "val_loss"

    def __post_init__(self):
        names = ("constant", "step", "plateau", "cosine")
        require(self.name in names, "schedule.name", self.name, ", ".join(names))
        require(self.step_epochs >= 1, "schedule.step_epochs", self.step_epochs, "1 or more")
        require(0 < self.factor <= 1, "schedule.factor", self.factor, "above 0, up to 1")
        require(self.patience >= 0, "schedule.patience", self.patience, "0 or more")
        require(self.warmup_epochs >= 0, "schedule.warmup_epochs", self.warmup_epochs, "0 or more")
        lowest = self.minimum_learning_rate
        require(lowest >= 0, "schedule.minimum_learning_rate", lowest, "0 or more")
        check_monitor("schedule.monitor", self.monitor)


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
        check_monitor("early_stopping.monitor", self.monitor)
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
        check_monitor("checkpoint.monitor", self.monitor, "last")


@dataclass(frozen=True)
class AugmentSettings:
    """How training images vary from epoch to epoch. Every amount is drawn uniformly, once an image and epoch.

    Parameters
    ----------
    horizontal_flip
        Probability of a left-right mirror.
    rotation
        Largest turn in degrees, either way.
    shift
        Largest shift, either way, as a share of the side: one number, or [horizontal, vertical].
    zoom
        Smallest and largest magnification, drawn for each axis by itself.
    brightness
        The image is multiplied by 1 ± this at most.
    contrast
        Differences from the image's mean are multiplied by 1 ± this at most.
    """

    horizontal_flip: float = 0.0
    rotation: float = 0.0
    shift: list[float] | float = 0.0
    zoom: list[float] = field(default_factory=lambda: [1.0, 1.0])
    brightness: float = 0.0
    contrast: float = 0.0

    def __post_init__(self):
        require(0 <= self.horizontal_flip <= 1, "augment.horizontal_flip", self.horizontal_flip, "0 to 1")
        require(0 <= self.rotation <= 180, "augment.rotation", self.rotation, "0 to 180 degrees")
        shift = self.shift if isinstance(self.shift, list | tuple) else [self.shift, self.shift]
        require(
            len(shift) == 2 and all(0 <= amount <= 1 for amount in shift),
            "augment.shift",
            self.shift,
            "0 to 1, or two such numbers",
        )
        require(
            len(self.zoom) == 2 and 0.1 <= self.zoom[0] <= self.zoom[1] <= 10,
            "augment.zoom",
            self.zoom,
            "[smallest, largest] between 0.1 and 10",
        )
        require(0 <= self.brightness <= 1, "augment.brightness", self.brightness, "0 to 1")
        require(0 <= self.contrast <= 1, "augment.contrast", self.contrast, "0 to 1")

    @property
    def shifts(self) -> tuple[float, float]:
        """The largest horizontal and vertical shift, whichever way they were written."""
        return tuple(self.shift) if isinstance(self.shift, list | tuple) else (self.shift, self.shift)


NO_AUGMENTATION = AugmentSettings()
STANDARD_AUGMENTATION = AugmentSettings(
    horizontal_flip=0.5, rotation=15.0, shift=0.1, zoom=[0.9, 1.1], brightness=0.2, contrast=0.2
)


@dataclass(frozen=True)
class Recipe(Design):
    """A network and how it is trained: one entry under `models:` of the configuration.

    Parameters
    ----------
    freeze_body
        Train the head alone; the body stays as loaded, its batch norm included.
    freeze_batch_norm
        Batch norm normalises by the statistics it was loaded with, and does not update them.
    epochs
        Passes over the training part, at most.
    batch_size
        Images a step.
    optimizer
        How weights are updated.
    schedule
        How the learning rates change.
    early_stopping
        When to stop before the last epoch; null: never.
    checkpoint
        Which epoch's weights are kept.
    augment
        How training images vary: `none`, `standard` (h-flip 0.5, rotation 15, shift 0.1, zoom 0.9–1.1,
        brightness and contrast 0.2), or each amount by itself.
    label_smoothing
        Share of the target spread evenly over the classes (Szegedy 2016).
    class_weights
        `balanced` weighs each class in the loss by the inverse of its frequency in the training part.
    gradient_clip
        Largest norm of the gradient of all weights together; null: unlimited.
    precision
        Of the arithmetic in training. `auto`: 16 bit where that is faster by rule (see
        `brainmri.training.precision`), else fp32.
    """

    freeze_body: bool = False
    freeze_batch_norm: bool = False
    epochs: int = 12
    batch_size: int = 32
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    early_stopping: EarlyStoppingSettings | None = None
    checkpoint: CheckpointSettings = field(default_factory=CheckpointSettings)
    augment: Literal["none", "standard"] | AugmentSettings = "none"
    label_smoothing: float = 0.0
    class_weights: Literal["balanced"] | None = None
    gradient_clip: float | None = None
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"

    def __post_init__(self):
        super().__post_init__()
        require(1 <= self.epochs <= 100_000, "epochs", self.epochs, "1 or more")
        require(1 <= self.batch_size <= 65_536, "batch_size", self.batch_size, "1 or more")
        require(
            isinstance(self.augment, AugmentSettings) or self.augment in ("none", "standard"),
            "augment",
            self.augment,
            "none, standard, or a mapping of amounts",
        )
        smoothing = self.label_smoothing
        require(0 <= smoothing < 1, "label_smoothing", smoothing, "0 up to, not including, 1")
        require(
            self.class_weights in (None, "balanced"), "class_weights", self.class_weights, "null, balanced"
        )
        clip = self.gradient_clip
        require(clip is None or clip > 0, "gradient_clip", clip, "above 0, or null")
        precisions = ("auto", "fp32", "bf16", "fp16")
        require(self.precision in precisions, "precision", self.precision, ", ".join(precisions))

    @property
    def augmentation(self) -> AugmentSettings:
        """The amounts of augmentation, with `none` and `standard` spelt out."""
        named = {"none": NO_AUGMENTATION, "standard": STANDARD_AUGMENTATION}
        return self.augment if isinstance(self.augment, AugmentSettings) else named[self.augment]


def check_monitor(key: str, monitor: str, *others: str) -> None:
    """Raise unless `monitor` is one of the validation scores, or of `others`."""
    allowed = ("val_loss", "val_accuracy", "val_macro_f1", *others)
    require(monitor in allowed, key, monitor, ", ".join(allowed))


def recipe_from(document: dict) -> Recipe:
    """Make a recipe of one entry under `models:`, as read from YAML or JSON.

    Raises
    ------
    BrainmriError
        For an unknown key (naming the nearest), or a value that is not allowed.
    """
    return settings_from(Recipe, document)
