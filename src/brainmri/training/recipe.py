"""The recipe: one entry under `models:` of the configuration, documented key by key.

Light on purpose (no torch), so that a configuration is checked before anything runs.
"""

from dataclasses import dataclass, field
from typing import Literal

from brainmri.mapping import limited, settings_from
from brainmri.models.settings import CnnSettings, Design, HeadSettings
from brainmri.training.augment_settings import NO_AUGMENTATION, STANDARD_AUGMENTATION, AugmentSettings
from brainmri.training.settings import (
    CheckpointSettings,
    EarlyStoppingSettings,
    LinearProbeSettings,
    OptimizerSettings,
    ScheduleSettings,
)

__all__ = [
    "NO_AUGMENTATION",
    "STANDARD_AUGMENTATION",
    "AugmentSettings",
    "CheckpointSettings",
    "CnnSettings",
    "EarlyStoppingSettings",
    "HeadSettings",
    "LinearProbeSettings",
    "OptimizerSettings",
    "Recipe",
    "ScheduleSettings",
    "recipe_from",
]


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
        Images behind each step of the optimiser.
    micro_batch
        Images that go through the network at a time; their gradients are added up until `batch_size` is
        reached. null: all at once, as long as the memory lasts (it is halved where not).
    linear_probe
        Training of the head alone before.
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
    mixup
        Strength of mixing the images and labels of a batch in pairs (Zhang 2018): alpha of the beta
        distribution from which their shares are drawn.
    cutmix
        The same for pasting a rectangle of one image into the other (Yun 2019). Where both are above 0, each
        batch gets one of the two.
    sampler
        Which images make an epoch: `shuffled`, each once; `balanced`, each class equally often, drawn with
        replacement, as many in all.
    label_smoothing
        Share of the target spread evenly over the classes (Szegedy 2016).
    class_weights
        `balanced` weighs each class in the loss by the inverse of its frequency in the training part.
    ema
        Decay, a step, of the moving average of the weights (Polyak 1992) that is validated and kept in place
        of the last weights; it starts quick and slows down to this. null: no average.
    gradient_clip
        Largest norm of the gradient of all weights together; null: unlimited.
    precision
        Of the arithmetic in training. `auto` tries on the device what is fastest (see
        `brainmri.training.arithmetic`); `tf32` is fp32 with shortened products, on CUDA.
    layout
        Whether the channels of an image lie together in memory: `auto`, `channels_last`, `contiguous`.
    compile
        Whether `torch.compile` turns the network into code of its own; `auto`: on a GPU where the training
        is long enough to pay for it.
    deterministic
        On a GPU too the same bits every time, at some cost in speed. A CPU always gives the same bits.
    """

    freeze_body: bool = False
    freeze_batch_norm: bool = False
    epochs: int = limited(12, minimum=1, maximum=100_000)
    batch_size: int = limited(32, minimum=1, maximum=65_536)
    micro_batch: int | None = limited(None, minimum=1)
    linear_probe: LinearProbeSettings = field(default_factory=LinearProbeSettings)
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    early_stopping: EarlyStoppingSettings | None = None
    checkpoint: CheckpointSettings = field(default_factory=CheckpointSettings)
    augment: Literal["none", "standard"] | AugmentSettings = "none"
    mixup: float = limited(0.0, minimum=0, maximum=100)
    cutmix: float = limited(0.0, minimum=0, maximum=100)
    sampler: Literal["shuffled", "balanced"] = "shuffled"
    label_smoothing: float = limited(0.0, minimum=0, exclusiveMaximum=1)
    class_weights: Literal["balanced"] | None = None
    ema: float | None = limited(None, exclusiveMinimum=0, exclusiveMaximum=1)
    gradient_clip: float | None = limited(None, exclusiveMinimum=0)
    precision: Literal["auto", "fp32", "tf32", "bf16", "fp16"] = "auto"
    layout: Literal["auto", "channels_last", "contiguous"] = "auto"
    compile: Literal["auto"] | bool = "auto"
    deterministic: bool = False

    @property
    def augmentation(self) -> AugmentSettings:
        """The amounts of augmentation, with `none` and `standard` spelt out."""
        named = {"none": NO_AUGMENTATION, "standard": STANDARD_AUGMENTATION}
        return self.augment if isinstance(self.augment, AugmentSettings) else named[self.augment]

    @property
    def varies_images(self) -> bool:
        """Whether a training image differs from epoch to epoch."""
        return self.augmentation != NO_AUGMENTATION or self.mixes_images

    @property
    def mixes_images(self) -> bool:
        """Whether a training image is mixed with others of its batch."""
        return self.mixup > 0 or self.cutmix > 0


def recipe_from(document: dict) -> Recipe:
    """Make a recipe of one entry under `models:`, as read from YAML or JSON.

    Raises
    ------
    BrainmriError
        For an unknown key (naming the nearest), or a value that is not allowed.
    """
    return settings_from(Recipe, document)
