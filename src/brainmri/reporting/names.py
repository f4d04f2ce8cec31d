"""Names of classes, parts, files, trainings and maps as figures and pages write them."""

from collections.abc import Sequence

PART_ORDER = ("train", "val", "test", "excluded")
PART_TITLES = {"train": "training", "val": "validation", "test": "test", "excluded": "excluded"}
# Maps of where a model looks.
MAP_TITLES = {"grad_cam": "Grad-CAM", "occlusion": "occlusion"}


def class_title(name: str | None) -> str:
    """Return a class's name as people write it: ``no_tumor`` becomes ``no tumor``."""
    return "unlabelled" if name is None or name != name else str(name).replace("_", " ")


def parts_present(parts: Sequence[str]) -> list[str]:
    """Return the parts of a split that occur, in the order training, validation, test, excluded."""
    present = set(parts)
    return [part for part in PART_ORDER if part in present] + sorted(present - set(PART_ORDER))


def run_title(dataset: str, split: str, model: str, seed: int) -> str:
    """Return how a training is named over its figures: ``cnn on figshare, split grouped, seed 0``."""
    return f"{model} on {dataset}, split {split}, seed {seed}"


def shortened(name: str, length: int, head: int) -> str:
    """Return a file's name in at most `length` letters; a longer one is cut after its first `head`."""
    return name if len(name) <= length else f"{name[:head]}…{name[head + 1 - length :]}"
