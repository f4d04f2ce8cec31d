"""How training images vary from epoch to epoch: the key `augment` of a recipe.

Light on purpose (no torch), as `brainmri.training.recipe`, of which it is a part.
"""

from dataclasses import dataclass

from brainmri.mapping import check_settings, limited
from brainmri.models.settings import require


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
    crop
        Smallest and largest share of the area of a random window, whose sides are as 3/4 to 4/3, that is cut
        from the image, turned and shifted as it may be, and enlarged to full size (Szegedy 2015); null: none.
    brightness
        The image is multiplied by 1 ± this at most.
    contrast
        Differences from the image's mean are multiplied by 1 ± this at most.
    noise
        Largest standard deviation of Gaussian noise, as a share of white; the smallest is 0.
    erase
        Probability that a random rectangle of 2 to 33 % of the area, whose sides are as 0.3 to 3.3, becomes
        one random gray (Zhong 2020).
    """

    horizontal_flip: float = limited(0.0, minimum=0, maximum=1)
    rotation: float = limited(0.0, minimum=0, maximum=180)
    shift: list[float] | float = limited(0.0, minimum=0, exclusiveMaximum=1, minItems=2, maxItems=2)
    zoom: list[float] = limited([1.0, 1.0], minimum=0.1, maximum=10, minItems=2, maxItems=2)
    crop: list[float] | None = limited(None, minimum=0.01, maximum=1, minItems=2, maxItems=2)
    brightness: float = limited(0.0, minimum=0, maximum=1)
    contrast: float = limited(0.0, minimum=0, maximum=1)
    noise: float = limited(0.0, minimum=0, maximum=1)
    erase: float = limited(0.0, minimum=0, maximum=1)

    def __post_init__(self):
        check_settings(self, "augment.")
        for key, span in (("zoom", self.zoom), ("crop", self.crop)):
            require(span is None or span[0] <= span[1], f"augment.{key}", span, "[smallest, largest]")

    @property
    def shifts(self) -> tuple[float, float]:
        """The largest horizontal and vertical shift, whichever way they were written."""
        return tuple(self.shift) if isinstance(self.shift, list | tuple) else (self.shift, self.shift)


NO_AUGMENTATION = AugmentSettings()
STANDARD_AUGMENTATION = AugmentSettings(
    horizontal_flip=0.5, rotation=15.0, shift=0.1, zoom=[0.9, 1.1], brightness=0.2, contrast=0.2
)
