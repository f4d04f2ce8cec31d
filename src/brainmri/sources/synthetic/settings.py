"""What a phantom set may be asked to hold."""

from dataclasses import dataclass
from typing import Literal

from brainmri.errors import BrainmriError
from brainmri.labels import CLASS_NAMES
from brainmri.mapping import check_settings, limited

COPY_KINDS = ("bytes", "reencoded", "mirrored", "rotated", "affine", "resized", "retoned", "combined")


@dataclass(frozen=True)
class PhantomSettings:
    """The arguments of `brainmri.sources.phantom.phantom`, checked.

    Raises
    ------
    BrainmriError
        If one is out of its range; the message names it and the range.
    """

    patients: int = limited(60, minimum=1, maximum=1_000_000)
    slices: int = limited(6, minimum=1, maximum=200)
    size: int = limited(256, minimum=64, maximum=2048)
    layout: Literal["plain", "masoud", "sartaj", "orvile"] = "plain"
    seed: int = limited(0, minimum=0, maximum=2**63 - 1)
    split_by: Literal["image", "patient"] = "image"
    test_fraction: float = limited(0.2, minimum=0, maximum=1)
    copies: float = limited(0.1, minimum=0, maximum=1)
    conflicts: int = limited(2, minimum=0, maximum=1_000_000)
    corrupt: int = limited(1, minimum=0, maximum=1000)
    empty: int = limited(1, minimum=0, maximum=1000)
    foreign_text: int = limited(1, minimum=0, maximum=1000)
    channel_shortcut: bool = True
    vary_size: bool = True

    def __post_init__(self):
        check_settings(self)
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
