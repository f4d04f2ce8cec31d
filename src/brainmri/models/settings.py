"""What a network is: the settings of its body and of its head, checked as they are made.

Light on purpose (no torch): a configuration is checked without building a network.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from brainmri.errors import BrainmriError, shown
from brainmri.mapping import check_settings, limited
from brainmri.models.architectures import REFERENCE_CNN, check_architecture

# Far above any sensible network, far below what would exhaust the memory by a typing mistake.
WIDEST_LAYER = 16384
MOST_LAYERS = 64

# Arguments of timm.create_model that brainmri sets itself.
RESERVED_BACKBONE_KEYS = {
    "cache_dir",
    "checkpoint_path",
    "features_only",
    "global_pool",
    "in_chans",
    "model_name",
    "num_classes",
    "pretrained",
    "pretrained_cfg",
}
OVERLAY_KEYS = {"mean", "std", "interpolation"}


def require(condition: bool, key: str, value, allowed: str) -> None:
    """Raise unless `condition` holds, naming the key, what it is, and what is allowed.

    Raises
    ------
    BrainmriError
        ``"head.dropout is 1.5; allowed: 0 up to, not including, 1."``
    """
    if not condition:
        raise BrainmriError(f"{key} is {shown(value)}; allowed: {allowed}.")


def numbers_in(value) -> Iterator[int | float]:
    """Yield the numbers of a value from JSON or YAML, in no order, however deep they lie."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case dict() as mapping:
                waiting += mapping.values()
            case list() as items:
                waiting += items
            case int() | float() as number:
                yield number


@dataclass(frozen=True)
class CnnSettings:
    """The body of the reference CNN: for each entry of `channels` conv → (batch norm) → ReLU → max-pool 2.

    Parameters
    ----------
    channels
        Output channels of the convolutions, first to last.
    kernel_size
        Pixels a side of every kernel.
    padding
        Zeros added on every side before each convolution.
    batch_norm
        Whether each convolution is followed by batch normalisation.
    dropout
        Share of the channels dropped after each max-pool in training.
    normalise
        [mean, deviation] by which gray values in [0, 1] are normalised; null: those of the training part.
    """

    channels: list[int] = limited(
        [16, 32, 64], minimum=1, maximum=WIDEST_LAYER, minItems=1, maxItems=MOST_LAYERS
    )
    kernel_size: int = limited(3, minimum=1, maximum=15)
    padding: int = limited(1, minimum=0, maximum=15)
    batch_norm: bool = False
    dropout: float = limited(0.0, minimum=0, exclusiveMaximum=1)
    normalise: list[float] | None = limited(None, minimum=0, maximum=1, minItems=2, maxItems=2)

    def __post_init__(self):
        check_settings(self, "cnn.")
        fixed = self.normalise
        require(
            fixed is None or fixed[1] > 0,
            "cnn.normalise",
            fixed,
            "[mean, deviation above 0]",
        )

    def map_size(self, image_size: int) -> int:
        """Return the pixels a side of the last feature map, 0 where an image of `image_size` is too small."""
        size = image_size
        for _ in self.channels:
            size = (size + 2 * self.padding - self.kernel_size + 1) // 2
            if size <= 0:
                return 0
        return size


@dataclass(frozen=True)
class HeadSettings:
    """The head: dense layers, each with ReLU and dropout, then one dense layer to the classes.

    Parameters
    ----------
    hidden
        Widths of the dense layers before the last; a number, a list, or an empty list for none.
    dropout
        Share of the activations dropped after each hidden layer; without one, between body and classes.
    pooling
        How a timm body's feature map becomes a vector: `average` is the architecture's own pooling, which is
        the global average for all convolutional networks; `max` the global maximum. The reference CNN
        flattens its map instead.
    """

    hidden: list[int] | int = limited([], minimum=1, maximum=WIDEST_LAYER, maxItems=MOST_LAYERS)
    dropout: float = limited(0.0, minimum=0, exclusiveMaximum=1)
    pooling: Literal["average", "max"] = "average"

    def __post_init__(self):
        check_settings(self, "head.")

    @property
    def widths(self) -> tuple[int, ...]:
        """The widths of the hidden layers, whichever way they were written."""
        return (self.hidden,) if isinstance(self.hidden, int) else tuple(self.hidden)


@dataclass(frozen=True)
class Design:
    """A network without its weights: what `brainmri.models.build.build_model` builds.

    Parameters
    ----------
    architecture
        `cnn`, or the name of a timm model (see `models/architectures.txt`), with or without the tag of its
        weights, such as `resnet50` or `resnet50.a1_in1k`.
    image_size
        Pixels a side of the images.
    pretrained
        `true`: ImageNet weights, from `{weights_dir}/{architecture}.safetensors` where that lies, else
        downloaded by timm. `false`: random weights. A path: weights in that file, of timm's form or of a
        brainmri model.
    backbone
        Further keyword arguments of `timm.create_model`, such as `pad_type: same`. Weights that want another
        normalisation than timm's own for that name say so with `pretrained_cfg_overlay: {mean: [...], std:
        [...]}`.
    cnn
        The body where the architecture is `cnn`.
    head
        The head.
    """

    architecture: str = REFERENCE_CNN
    image_size: int = limited(150, minimum=16, maximum=1024)
    pretrained: bool | str = False
    backbone: dict[str, Any] = field(default_factory=dict)
    cnn: CnnSettings = field(default_factory=CnnSettings)
    head: HeadSettings = field(default_factory=HeadSettings)

    def __post_init__(self):
        check_settings(self)
        check_architecture(self.architecture)
        if self.architecture == REFERENCE_CNN:
            require(self.pretrained is not True, "pretrained", True, "false or a path for architecture cnn")
            require(not self.backbone, "backbone", self.backbone, "nothing for architecture cnn")
            require(
                self.cnn.map_size(self.image_size) > 0,
                "image_size",
                self.image_size,
                f"larger images, or fewer than {len(self.cnn.channels)} layers in cnn.channels",
            )
        reserved = sorted(RESERVED_BACKBONE_KEYS & set(self.backbone))
        require(not reserved, "backbone", reserved, "keys that brainmri does not set itself")
        require(
            all(abs(number) <= WIDEST_LAYER for number in numbers_in(self.backbone)),
            "backbone",
            self.backbone,
            f"numbers up to {WIDEST_LAYER}",
        )
        overlay = self.backbone.get("pretrained_cfg_overlay", {})
        require(
            isinstance(overlay, dict) and set(overlay) <= OVERLAY_KEYS,
            "backbone.pretrained_cfg_overlay",
            overlay,
            f"a mapping with the keys {', '.join(sorted(OVERLAY_KEYS))}",
        )
