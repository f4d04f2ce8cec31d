"""What a phantom set may be asked to hold."""

from dataclasses import dataclass

from brainmri.errors import BrainmriError, nearest
from brainmri.labels import CLASS_NAMES

LAYOUTS = ("plain", "masoud", "sartaj", "orvile")
COPY_KINDS = ("bytes", "reencoded", "mirrored", "rotated", "affine", "resized", "retoned", "combined")
SPLIT_BY = ("image", "patient")
RANGES = {
    "patients": (1, 1_000_000),
    "slices": (1, 200),
    "size": (64, 2048),
    "seed": (0, 2**63 - 1),
    "test_fraction": (0, 1),
    "copies": (0, 1),
    "conflicts": (0, 1_000_000),
    "corrupt": (0, 1000),
    "empty": (0, 1000),
    "foreign_text": (0, 1000),
    "workers": (0, 256),
}


@dataclass(frozen=True)
class PhantomSettings:
    """The arguments of `brainmri.sources.phantom.phantom`, checked.

    Raises
    ------
    BrainmriError
        If one is out of its range; the message names it and the range.
    """

    patients: int = 60
    slices: int = 6
    size: int = 256
    layout: str = "plain"
    seed: int = 0
    split_by: str = "image"
    test_fraction: float = 0.2
    copies: float = 0.1
    conflicts: int = 2
    corrupt: int = 1
    empty: int = 1
    foreign_text: int = 1
    channel_shortcut: bool = True
    vary_size: bool = True

    def __post_init__(self):
        for name, allowed in (("layout", LAYOUTS), ("split_by", SPLIT_BY)):
            value = getattr(self, name)
            if value not in allowed:
                raise BrainmriError(
                    f"{name} is '{value}': must be one of {', '.join(allowed)}. {nearest(value, allowed)}"
                )
        for name in RANGES:
            if hasattr(self, name):
                check_range(name, getattr(self, name))
        if self.planted_slices > self.patients * self.slices:
            raise BrainmriError(
                f"copies ({self.copies}) and conflicts ({self.conflicts}) ask for {self.planted_slices} "
                f"copies of {self.patients * self.slices} images: an image is copied once at most."
            )

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes of this layout: orvile has no images without tumour."""
        return CLASS_NAMES[:3] if self.layout == "orvile" else CLASS_NAMES

    @property
    def copy_count(self) -> int:
        """How many images get a copy."""
        return round(self.copies * self.patients * self.slices)

    @property
    def planted_slices(self) -> int:
        """How many images get a copy under their own label or another one."""
        return self.copy_count + self.conflicts


def check_range(name: str, value: float) -> None:
    """Raise a BrainmriError where the argument `name` lies out of its range in `RANGES`."""
    low, high = RANGES[name]
    whole = isinstance(low, int) and name not in ("test_fraction", "copies")
    right_type = isinstance(value, int) or (not whole and isinstance(value, float))
    if isinstance(value, bool) or not right_type or not low <= value <= high:
        kind = "a whole number" if whole else "a number"
        raise BrainmriError(f"{name} is {value}: must be {kind} from {low} to {high}.")
