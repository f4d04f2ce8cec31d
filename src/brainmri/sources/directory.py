"""A folder as a source: which of its files are taken, and whether they are those of the last fetch."""

import os
from pathlib import Path

from brainmri.artefacts import read_json
from brainmri.digests import digest_of
from brainmri.errors import BrainmriError
from brainmri.sources.files import list_files
from brainmri.sources.files_digest import digest_of_folder


def files_taken(directory: Path) -> tuple[list[str], list[dict]]:
    """Return the paths of the files that are taken, and ``path`` and ``reason`` of what is left.

    Links that lead out of the folder, and what is no file, are left.

    Raises
    ------
    BrainmriError
        If there is no such folder, or it cannot be read.
    """
    if not directory.is_dir():
        raise BrainmriError(f"{directory} is no folder: source.directory must be the path of one.")
    whole, taken = directory.resolve(), []
    left = [
        {"path": link.relative_to(directory).as_posix(), "reason": "a link to a folder"}
        for link in folder_links(directory)
    ]
    for path in list_files(directory):
        original = directory / path
        if original.is_symlink() and whole not in original.resolve().parents:
            left.append({"path": path, "reason": "a link that leads out of the folder"})
        elif not original.is_file():
            left.append({"path": path, "reason": "a broken link, or no regular file"})
        else:
            taken.append(path)
    return taken, sorted(left, key=lambda one: one["path"])


def folder_links(directory: Path) -> list[Path]:
    """Return the links to folders below a folder."""
    links = []
    for parent, folders, _ in os.walk(directory):
        links += [Path(parent, name) for name in folders if Path(parent, name).is_symlink()]
    return links


def listing_digest(directory: Path, paths: list[str]) -> str:
    """Return the SHA-256 over the paths, sizes and times of files, of which none is read."""
    found = [(path, (directory / path).stat()) for path in paths]
    return digest_of([[path, status.st_size, status.st_mtime_ns] for path, status in found])


def digest_of_source(dataset: str, directory: Path, record: Path) -> str:
    """Return one digest of the files that a fetch from a folder takes, `files_sha256` in its record.

    Parameters
    ----------
    dataset
        The data set's name, for the progress bar.
    directory
        The folder.
    record
        What the last fetch wrote (fetch.json): files are read where path, size or time of one is another.
        Of a folder that is not on this machine, it is what is known.

    Raises
    ------
    BrainmriError
        If there is no such folder, or it cannot be read.
    """
    try:
        fetched = read_json(record) if record.is_file() else {}
        if fetched.get("listing_sha256") and not directory.exists():
            return fetched["files_sha256"]
        paths, _ = files_taken(directory)
        if fetched.get("listing_sha256") == listing_digest(directory, paths):
            return fetched["files_sha256"]
        return digest_of_folder(dataset, directory, paths)
    except OSError as error:
        raise BrainmriError(f"{error.filename} cannot be read ({error.strerror}).") from None
