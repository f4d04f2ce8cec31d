"""How training images vary from epoch to epoch: the key `augment` of a recipe.

Light on purpose (no torch), as `brainmri.training.recipe`, of which it is a part.
"""

from dataclasses import dataclass, field

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

    horizontal_flip: float = 0.0
    rotation: float = 0.0
    shift: list[float] | float = 0.0
    zoom: list[float] = field(default_factory=lambda: [1.0, 1.0])
    crop: list[float] | None = None
    brightness: float = 0.0
    contrast: float = 0.0
    noise: float = 0.0
    erase: float = 0.0

    def __post_init__(self):
        require(0 <= self.horizontal_flip <= 1, "augment.horizontal_flip", self.horizontal_flip, "0 to 1")
        require(0 <= self.rotation <= 180, "augment.rotation", self.rotation, "0 to 180 degrees")
        shift = self.shift if isinstance(self.shift, list | tuple) else [self.shift, self.shift]
        require(
            len(shift) == 2 and all(0 <= amount < 1 for amount in shift),
            "augment.shift",
            self.shift,
            "0 up to, not including, 1, or two such numbers",
        )
        require(
            len(self.zoom) == 2 and 0.1 <= self.zoom[0] <= self.zoom[1] <= 10,
            "augment.zoom",
            self.zoom,
            "[smallest, largest] between 0.1 and 10",
        )
        require(
            self.crop is None or (len(self.crop) == 2 and 0.01 <= self.crop[0] <= self.crop[1] <= 1),
            "augment.crop",
            self.crop,
            "[smallest, largest] between 0.01 and 1, or null",
        )
        for key in ("brightness", "contrast", "noise", "erase"):
            amount = getattr(self, key)
            require(0 <= amount <= 1, f"augment.{key}", amount, "0 to 1")

    @property
    def shifts(self) -> tuple[float, float]:
        """The largest horizontal and vertical shift, whichever way they were written."""
        return tuple(self.shift) if isinstance(self.shift, list | tuple) else (self.shift, self.shift)


NO_AUGMENTATION = AugmentSettings()
STANDARD_AUGMENTATION = AugmentSettings(
    horizontal_flip=0.5, rotation=15.0, shift=0.1, zoom=[0.9, 1.1], brightness=0.2, contrast=0.2
)
