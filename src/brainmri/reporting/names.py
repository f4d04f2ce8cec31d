"""Names of classes, parts and files as figures and pages write them."""

from collections.abc import Sequence

PART_ORDER = ("train", "val", "test", "excluded")
PART_TITLES = {"train": "training", "val": "validation", "test": "test", "excluded": "excluded"}


def class_title(name: str | None) -> str:
    """Return a class's name as people write it: ``no_tumor`` becomes ``no tumor``."""
    return "unlabelled" if name is None or name != name else str(name).replace("_", " ")


def parts_present(parts: Sequence[str]) -> list[str]:
    """Return the parts of a split that occur, in the order training, validation, test, excluded."""
    present = set(parts)
    return [part for part in PART_ORDER if part in present] + sorted(present - set(PART_ORDER))


def shortened(name: str, length: int, head: int) -> str:
    """Return a file's name in at most `length` letters; a longer one is cut after its first `head`."""
    return name if len(name) <= length else f"{name[:head]}…{name[head + 1 - length :]}"
