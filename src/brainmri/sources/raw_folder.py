"""The folder `raw`: whether a fetch may replace what lies there, and the mark that says so to the next."""

import filecmp
import os
from pathlib import Path

from brainmri.artefacts import read_json
from brainmri.errors import BrainmriError
from brainmri.sources.files import list_files
from brainmri.sources.files_digest import digest_of_folder

MARK = "The folder beside this file was made by brainmri fetch, which may replace it.\n"


def place_of(raw: Path) -> Path:
    """Return where the files are to lie, by its own name: what a link leads to, so that the link stays.

    Raises
    ------
    BrainmriError
        If a file lies there.
    """
    has_no_name = raw.is_symlink() or raw.name in ("", "..")
    place = Path(os.path.realpath(raw)) if has_no_name else raw
    if place.exists() and not place.is_dir():
        raise BrainmriError(f"{raw} is no folder, and is not replaced: move it away, or name another --raw.")
    return place


def mark_of(place: Path) -> Path:
    """Return the file beside a folder that says that a fetch made it.

    The record cannot say it: Snakemake deletes it before the stage runs again, and so does who wants the
    files anew. Inside the folder it would be one of the files.
    """
    return place.with_name(f".{place.name}.fetched")


def claim(place: Path, output: Path, dataset: str, new: Path, paths: list[str]) -> None:
    """Mark a folder as one that fetches replace, or refuse to replace what no fetch made.

    Parameters
    ----------
    place
        The folder to replace.
    output
        The record of an earlier fetch, if there is one.
    dataset
        The data set's name.
    new, paths
        The folder with the new files, and their paths.

    Raises
    ------
    BrainmriError
        If there are files of someone else.
    """
    mark = mark_of(place)
    if mark.exists():
        return
    is_free = not place.exists() or not any(place.iterdir())
    if not (is_free or is_recorded(place, output, dataset) or is_repeated(place, new, paths)):
        raise BrainmriError(
            f"{place} holds files of which nothing says that a fetch brought them, and is not replaced: move "
            "them away or delete them, or name another --raw. To take them as the data set, move them and "
            "name their new place as source.directory."
        )
    mark.write_text(MARK, encoding="utf-8")


def is_recorded(place: Path, output: Path, dataset: str) -> bool:
    """Return whether a record tells of these files; one beside the folder does, whatever was changed."""
    try:
        expected = read_json(output).get("files_sha256")
    except BrainmriError:
        return False
    if expected is None or place.parent.resolve() == output.parent.resolve():
        return expected is not None
    return expected == digest_of_folder(dataset, place, list_files(place))


def is_repeated(place: Path, new: Path, paths: list[str]) -> bool:
    """Return whether all files of a folder are among the new ones, so that nothing would be lost."""
    known = set(paths)
    return all(
        path in known and filecmp.cmp(place / path, new / path, shallow=False) for path in list_files(place)
    )
