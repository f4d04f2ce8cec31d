"""Paths of folders, and the words by which public data sets name their classes and splits."""

import posixpath
import re

from brainmri.images.header import EXTENSIONS
from brainmri.labels import FOLDER_WORDS

# Folder names for the source's own split (lower case, letters and digits only).
SPLIT_WORDS = {
    "train": {"train", "training", "traindata", "trainingdata", "trainset", "trainingset", "trainimages"}
    | {"val", "valid", "validation", "valdata", "validationdata", "validationset", "dev"},
    "test": {"test", "testing", "testdata", "testingdata", "testset", "testingset", "testimages"},
}


def parts_of(folder: str) -> list[str]:
    """Return the names on a folder's path."""
    return [part for part in folder.split("/") if part not in ("", ".")]


def folder_and_parents(folder: str) -> list[str]:
    """Return a folder's path and those of all folders around it, up to the empty one."""
    parts = parts_of(folder)
    return ["/".join(parts[:end]) for end in range(len(parts) + 1)]


def plain(name: str) -> str:
    """Return a folder's name in lower case, letters and digits only, in American spelling."""
    return re.sub(r"[^a-z0-9]", "", name.lower()).replace("tumour", "tumor")


def word_class(name: str) -> str | None:
    """Return the class that a folder's name tells by itself, or None."""
    return next((label for label, words in FOLDER_WORDS.items() if plain(name) in words), None)


def label_of(parent: str, classes: dict[str, list[str]] | None) -> str | None:
    """Return the class that a folder's path tells, the innermost folder first, or None."""
    parts = parts_of(parent)
    if classes is None:
        return next((found for part in reversed(parts) if (found := word_class(part))), None)
    best, depth = None, 0
    for name, folders in classes.items():
        for wanted in map(parts_of, folders):
            for end in range(len(parts), depth, -1):
                if parts[max(0, end - len(wanted)) : end] == wanted:
                    best, depth = name, end
                    break
    return best


def word_split(name: str) -> str | None:
    """Return the source's split that a folder's name tells by itself, or None."""
    return next((split for split, words in SPLIT_WORDS.items() if plain(name) in words), None)


def is_named_image(path: str) -> bool:
    """Return whether a file's name ends as an image's does."""
    return posixpath.splitext(path)[1].lower() in EXTENSIONS
