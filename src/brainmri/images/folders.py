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


def word_split(name: str) -> str | None:
    """Return the source's split that a folder's name tells by itself, or None."""
    return next((split for split, words in SPLIT_WORDS.items() if plain(name) in words), None)


def is_named_image(path: str) -> bool:
    """Return whether a file's name ends as an image's does."""
    return posixpath.splitext(path)[1].lower() in EXTENSIONS
