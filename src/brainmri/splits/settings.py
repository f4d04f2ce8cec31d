"""How a data set is to be split."""

from dataclasses import dataclass
from math import isclose

from brainmri.errors import BrainmriError, nearest

PROTOCOLS = ("grouped", "random", "published", "published_clean")


@dataclass(frozen=True)
class SplitSettings:
    """One entry under `splits:` of the configuration.

    Parameters
    ----------
    protocol
        ``grouped``: stratified, whole groups only, so that no copy and no patient is on two sides.
        ``random``: stratified over images, as the reference systems do.
        ``published``: the source's own test part; validation drawn from its training part.
        ``published_clean``: the same, without the test images that have a copy in the training part.
    train, val, test
        Shares of the images, which sum to 1. Under ``published`` and ``published_clean`` only `val`
        counts: the share of the source's training part that validates.
    seed
        Seed of the draw.
    conflicts
        ``exclude``: images whose copies carry another label are left out. ``keep``: they stay.
    """

    protocol: str
    train: float = 0.7
    val: float = 0.15
    test: float = 0.15
    seed: int = 0
    conflicts: str = "exclude"

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            raise BrainmriError(
                f"protocol: '{self.protocol}' is no split protocol. {nearest(self.protocol, PROTOCOLS)}"
            )
        if self.conflicts not in ("exclude", "keep"):
            raise BrainmriError(f"conflicts: '{self.conflicts}' is not allowed. Known: exclude, keep.")
        for part, share in self.shares().items():
            if not 0 < share < 1:
                raise BrainmriError(
                    f"{part}: a share of {share:g} is impossible; it must lie between 0 and 1."
                )
        total = sum(self.shares().values())
        if not isclose(total, 1, abs_tol=1e-6):
            parts = " + ".join(self.shares())
            raise BrainmriError(f"{parts} is {total:g}, {total:.0%} of the images; the shares must sum to 1.")

    def shares(self) -> dict[str, float]:
        """Return the wished share of each part that is drawn."""
        if self.protocol in ("published", "published_clean"):
            return {"train": 1 - self.val, "val": self.val}
        return {"train": self.train, "val": self.val, "test": self.test}
