"""How a data set is to be split."""

from dataclasses import dataclass
from math import isclose

from brainmri.errors import BrainmriError, nearest
from brainmri.seeds import check_seed

PROTOCOLS = ("grouped", "random", "published", "published_clean", "leave_one_out")
# Under these the test part is given, and only train and val are drawn.
TEST_PART_GIVEN = ("published", "published_clean", "leave_one_out")
SOURCE_PARTS = ("train", "test")


def check_protocol(protocol: str) -> None:
    """Raise a BrainmriError where a name is that of no split protocol."""
    if protocol not in PROTOCOLS:
        raise BrainmriError(f"protocol: '{protocol}' is no split protocol. {nearest(protocol, PROTOCOLS)}")


@dataclass(frozen=True)
class SplitSettings:
    """One entry under `splits:` of the configuration.

    Parameters
    ----------
    protocol
        ``grouped``: stratified, whole groups only, so that no copy and no patient is on two sides.
        ``random``: stratified over images, as the reference systems do.
        ``published``: the source's own test part; validation drawn from its training part.
        ``published_clean``: the same, without the test images whose group reaches into the training part.
        ``leave_one_out``: of a pooled data set one member tests, without the images whose group reaches into
        the others; the others train and validate.
    train
        Share of the images that trains; the three sum to 1. Only `val` counts where the test part is given,
        as it is by all protocols but ``grouped`` and ``random``.
    val
        Share that validates: of all images, or of those that do not test where the test part is given.
    test
        Share that tests.
    folds
        Under ``grouped`` the number k of folds: each image is tested in one of them, and `val` is the share
        of the others that validates. None draws one test part of the share `test`.
    fold
        Which of the folds this is, from 0; the configuration makes a split of each.
    test_dataset
        Under ``leave_one_out`` the member that tests.
    source_split
        Under ``grouped`` and ``random`` the only one of the source's own parts, ``train`` or ``test``, that
        is drawn from, for systems that never opened the other; None draws from all images.
    val_by
        Under ``published`` and ``published_clean``: ``groups`` draws validation by whole groups, so that the
        epoch is chosen without leaks; ``images`` by single images, as published systems did.
    seed
        Seed of the draw.
    conflicts
        ``exclude``: images whose copies carry another label are left out. ``keep``: they stay.
    """

    protocol: str
    train: float = 0.7
    val: float = 0.15
    test: float = 0.15
    folds: int | None = None
    fold: int | None = None
    test_dataset: str | None = None
    source_split: str | None = None
    val_by: str = "groups"
    seed: int = 0
    conflicts: str = "exclude"

    def __post_init__(self) -> None:
        check_protocol(self.protocol)
        check_seed(self.seed)
        if self.conflicts not in ("exclude", "keep"):
            raise BrainmriError(f"conflicts: '{self.conflicts}' is not allowed. Known: exclude, keep.")
        self.refuse_impossible_folds()
        if (self.test_dataset is not None) != (self.protocol == "leave_one_out"):
            raise BrainmriError(
                "test_dataset: name the data set that tests; the protocol 'leave_one_out' needs it."
                if self.test_dataset is None
                else f"test_dataset: the protocol '{self.protocol}' has none; use 'leave_one_out'."
            )
        if self.source_split not in (None, *SOURCE_PARTS):
            raise BrainmriError(
                f"source_split: '{self.source_split}' is no part of a source. "
                f"Known: {', '.join(SOURCE_PARTS)}."
            )
        if self.source_split and self.protocol in TEST_PART_GIVEN:
            raise BrainmriError(
                f"source_split: the protocol '{self.protocol}' uses all parts of the source; use 'random' or "
                "'grouped'."
            )
        if self.val_by not in ("groups", "images"):
            raise BrainmriError(f"val_by: '{self.val_by}' is not allowed. Known: groups, images.")
        if self.val_by == "images" and not self.protocol.startswith("published"):
            raise BrainmriError(
                f"val_by: the protocol '{self.protocol}' draws all its parts alike; use 'published'."
            )
        for part, share in self.shares().items():
            if not 0 < share < 1:
                raise BrainmriError(
                    f"{part}: a share of {share:g} is impossible; it must lie between 0 and 1."
                )
        total = sum(self.shares().values())
        if not isclose(total, 1, abs_tol=1e-6):
            parts = " + ".join(self.shares())
            raise BrainmriError(f"{parts} is {total:g}, {total:.0%} of the images; the shares must sum to 1.")

    def refuse_impossible_folds(self) -> None:
        """Raise BrainmriError where `folds` and `fold` make no sense."""
        if self.folds is None:
            if self.fold is not None:
                raise BrainmriError(f"fold: {self.fold} goes with folds, the number of all folds; give both.")
            return
        if self.protocol != "grouped":
            raise BrainmriError(f"folds: the protocol '{self.protocol}' has none; use 'grouped'.")
        if self.folds < 2:
            raise BrainmriError(f"folds: {self.folds} is impossible; it must be at least 2.")
        if self.fold is not None and not 0 <= self.fold < self.folds:
            raise BrainmriError(
                f"fold: {self.fold} is impossible; the {self.folds} folds are 0 to {self.folds - 1}."
            )

    def shares(self) -> dict[str, float]:
        """Return the wished share of each part that is drawn."""
        if self.protocol in TEST_PART_GIVEN or self.folds is not None:
            return {"train": 1 - self.val, "val": self.val}
        return {"train": self.train, "val": self.val, "test": self.test}

    def wished_shares(self) -> dict[str, float]:
        """Return the wished share of each part among all images that are drawn, over all draws."""
        if self.folds is None:
            return self.shares()
        others = {part: share * (1 - 1 / self.folds) for part, share in self.shares().items()}
        return {**others, "test": 1 / self.folds}
