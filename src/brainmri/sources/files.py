"""The files below a folder, in an order that does not depend on the machine."""

import os
import unicodedata
from pathlib import Path

from brainmri.errors import BrainmriError, unreadable


def list_files(folder: Path) -> list[str]:
    """Return the paths of all files below `folder`, with ``/``, sorted by code point.

    Links to files count as files (a DVC cache may link them); links to folders are not followed.

    Raises
    ------
    BrainmriError
        If there is no such folder, it cannot be read, or a file's name is no valid Unicode.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BrainmriError(f"{folder} is no folder: run the stage fetch first.")

    def refuse(error: OSError):
        raise unreadable(error.filename, error, "mend its permissions")

    found = []
    for parent, _, names in os.walk(folder, onerror=refuse):
        below = Path(parent).relative_to(folder).as_posix()
        found.extend(names if below == "." else [f"{below}/{name}" for name in names])
    for path in found:
        if not is_writable_name(path):
            raise BrainmriError(
                f"The name of the file {path!r} below {folder} holds control characters or is no Unicode: "
                "rename it."
            )
    return sorted(found)


def is_hidden(path: str) -> bool:
    """Return whether a path below a folder is hidden, or machine-made as ``__MACOSX`` is."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.split("/"))


def is_writable_name(path: str) -> bool:
    """Return whether a path can stand in a table and on a terminal: no control characters, valid Unicode."""
    if path.isascii():
        return path.isprintable()
    return not any(unicodedata.category(character) in ("Cc", "Cs") for character in path)
