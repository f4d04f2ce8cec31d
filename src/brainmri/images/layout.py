"""Label, source split and patient of an image, from the folders and the name that it lies under."""

import posixpath
import re
from dataclasses import dataclass
from pathlib import Path

from brainmri.errors import BrainmriError, nearest
from brainmri.images.folders import (
    folder_and_parents,
    is_named_image,
    label_of,
    parts_of,
    word_class,
    word_split,
)
from brainmri.images.label_table import ENDINGS, Told, told_by_table


@dataclass(frozen=True)
class LayoutSettings:
    """Where in a data set's folder the images lie, and what the folders mean.

    Folders are given with ``/``. Where `train`, `test` and `unsplit` are all None, the source's split is
    read from folder names such as ``Training`` and ``test``; a source's own validation images count as
    training images, because only its test images are held back from every choice.

    Parameters
    ----------
    root
        The folder below the raw folder where the data set begins; where empty, folders that only wrap
        another one are skipped.
    train
        The folder below the root that holds the source's training images.
    test
        The folder below the root that holds the source's test images.
    unsplit
        The folder below the root whose images belong to no split of the source; ``""`` is the root.
    patient_pattern
        A regular expression that is searched in the image's path below the root; its group ``patient``,
        or else its first group, is the patient's identity, which is kept in plain as the path is.
    table
        A CSV, TSV or Parquet file that tells label and patient of each file, or of a folder for all in it, in
        place of the folders' names; `classes` maps its words. Patients are kept in plain.
    path_column
        The table's column of paths below the root.
    label_column
        Its column of labels.
    patient_column
        Its column of patients; None where it has none.
    """

    root: str = ""
    train: str | None = None
    test: str | None = None
    unsplit: str | None = None
    patient_pattern: str | None = None
    table: str | None = None
    path_column: str = "path"
    label_column: str = "label"
    patient_column: str | None = "patient"

    def __post_init__(self):
        if self.table is not None and not self.table.lower().endswith(ENDINGS):
            raise BrainmriError(
                f"layout.table is '{self.table}': must be one of {', '.join(ENDINGS)}; save it as CSV."
            )
        for key in ("root", "train", "test", "unsplit"):
            folder = getattr(self, key)
            parts = (folder or "").split("/")
            if folder and (folder.startswith("/") or "\\" in folder or ".." in parts):
                raise BrainmriError(
                    f"layout.{key} is '{folder}': must be a folder below the raw folder, written with /."
                )
        if self.patient_pattern is None:
            return
        try:
            pattern = re.compile(self.patient_pattern)
        except re.error as error:
            raise BrainmriError(
                f"layout.patient_pattern is '{self.patient_pattern}', no regular expression: {error}."
            ) from None
        if not pattern.groups:
            raise BrainmriError(
                f"layout.patient_pattern is '{self.patient_pattern}': put parentheses around the part that "
                "names the patient, as in 'patient_([0-9]+)'."
            )


@dataclass(frozen=True)
class Place:
    """What the folders and the name of a file say.

    Parameters
    ----------
    image_id
        The path below the root of the data set.
    label
        The canonical class; None where neither a table nor a folder tells.
    source_split
        ``train``, ``test`` or None.
    patient_id
        None where neither a table nor a pattern tells.
    outside
        True for a file that lies in none of the folders that the layout names.
    reason
        Why no class is known.
    """

    image_id: str
    label: str | None
    source_split: str | None
    patient_id: str | None
    outside: bool
    reason: str | None = None


def find_places(
    paths: list[str],
    settings: LayoutSettings = LayoutSettings(),
    classes: dict[str, list[str]] | None = None,
) -> list[Place]:
    """Tell label, source split and patient of every file.

    Parameters
    ----------
    paths
        The files that may be images, below the raw folder, with ``/``.
    settings
        What the folders mean.
    classes
        For each canonical class the folders that hold it, by name or as ``folder/folder``, or the table's
        words for it; where None, the class is read from the words that public data sets use
        (`brainmri.labels.FOLDER_WORDS`). Where several folders on a path tell a class, the innermost counts.

    Returns
    -------
    list of Place
        In the order of `paths`.

    Raises
    ------
    BrainmriError
        If a folder that `settings` or `classes` names does not exist, if nothing tells a class, if the
        table cannot be used, or if the patient pattern matches nothing.
    """
    if classes is not None:
        check_classes(classes)
    root = find_root(paths, settings, classes)
    image_ids = [posixpath.relpath(path, root) if root else path for path in paths]
    parents = {posixpath.dirname(image_id) for image_id in image_ids}
    folders = {folder for parent in parents for folder in folder_and_parents(parent)}
    check_split_folders(settings, folders)
    if settings.table is None:
        told = told_by_folders(image_ids, folders, classes)
    else:
        columns = (settings.path_column, settings.label_column, settings.patient_column)
        told = told_by_table(image_ids, root, Path(settings.table), columns, classes)
    splits = {parent: split_of(parent, settings) for parent in parents}
    pattern = re.compile(settings.patient_pattern) if settings.patient_pattern is not None else None
    patients = [patient_of(image_id, pattern) for image_id in image_ids]
    if pattern is not None and not any(patients):
        raise BrainmriError(
            f"layout.patient_pattern '{settings.patient_pattern}' matches no file, such as "
            f"'{image_ids[0]}': mend it, or leave it out."
        )
    return [
        Place(
            image_id,
            label,
            splits[parent][0],
            known or patient,
            splits[parent][1] or image_id[:3] == "../",
            reason,
        )
        for image_id, (label, known, reason), patient in zip(image_ids, told, patients, strict=True)
        for parent in [posixpath.dirname(image_id)]
    ]


def told_by_folders(
    image_ids: list[str], folders: set[str], classes: dict[str, list[str]] | None
) -> list[Told]:
    """Return what the folders tell of each image; `folders` are all paths of folders below the root."""
    labels = {folder: label_of(folder, classes) for folder in folders}
    if classes is not None:
        check_class_folders(classes, folders)
    if not any(labels.values()):
        named = ", ".join(sorted(folders)[:20]) or "none"
        raise BrainmriError(
            f"No folder tells a class. Folders found: {named}. Map each class to its folders with `classes`, "
            "such as {glioma: [folder]}, or name a table of labels as layout.table."
        )
    parents = map(posixpath.dirname, image_ids)
    return [
        Told(label, None, None if label else f"in '{parent}', which `classes` maps to no class")
        for parent in parents
        for label in [labels[parent]]
    ]


def find_root(paths: list[str], settings: LayoutSettings, classes: dict[str, list[str]] | None = None) -> str:
    """Return the folder where the data set begins: as told, or behind the folders that only wrap another.

    A folder wraps another where it holds that one folder and no image, and where the other's name tells
    neither a class nor a split. ``root: .`` skips nothing.
    """
    folders = {folder for path in paths for folder in folder_and_parents(posixpath.dirname(path)) if folder}
    if settings.root:
        root = posixpath.normpath(settings.root)
        if root == ".":
            return ""
        if root not in folders:
            raise BrainmriError(
                f"layout.root is '{settings.root}', and there is no such folder. {nearest(root, folders)}"
            )
        return root
    named = [getattr(settings, key) for key in ("train", "test", "unsplit")]
    named += [folder for names in (classes or {}).values() for folder in names]
    meant = {parts_of(folder)[0] for folder in named if folder and parts_of(folder)}
    root = ""
    while True:
        inside = [path for path in paths if posixpath.dirname(path) == root]
        below = {folder for folder in folders if posixpath.dirname(folder) == root}
        if len(below) != 1 or any(is_named_image(path) for path in inside):
            return root
        (only,) = below
        name = posixpath.basename(only)
        if name in meant or word_split(name) or word_class(name):
            return root
        root = only


def split_of(parent: str, settings: LayoutSettings) -> tuple[str | None, bool]:
    """Return the source's split that a folder's path tells, and whether the folder is outside the layout."""
    parts = parts_of(parent)
    told = {key: getattr(settings, key) for key in ("train", "test", "unsplit")}
    told = {key: parts_of(folder) for key, folder in told.items() if folder is not None}
    if not told:
        return next((found for part in parts if (found := word_split(part))), None), False
    held = [key for key, folder in told.items() if parts[: len(folder)] == folder]
    if not held:
        return None, True
    innermost = max(held, key=lambda key: len(told[key]))
    return (None if innermost == "unsplit" else innermost), False


def patient_of(image_id: str, pattern: re.Pattern | None) -> str | None:
    """Return the patient that a path tells: the group ``patient`` or the first; None without a match."""
    match = pattern.search(image_id) if pattern is not None else None
    if match is None:
        return None
    return match["patient" if "patient" in pattern.groupindex else 1] or None


def check_classes(classes: dict[str, list[str]]) -> None:
    """Raise where `classes` is empty, or gives one folder to two classes."""
    if not classes:
        raise BrainmriError("classes is empty: map each class to its folders, or leave it out.")
    owner = {}
    for name, folders in classes.items():
        if isinstance(folders, str) or not folders:
            raise BrainmriError(f"classes.{name} is '{folders}': must be a list of folder names.")
        for folder in folders:
            if owner.setdefault(tuple(parts_of(folder)), name) != name:
                other = owner[tuple(parts_of(folder))]
                raise BrainmriError(
                    f"classes.{name} and classes.{other} both name the folder '{folder}': give it to one."
                )


def check_class_folders(classes: dict[str, list[str]], folders: set[str]) -> None:
    """Raise where a folder of `classes` is not among `folders` (paths below the root)."""
    names = {name for folder in folders for name in parts_of(folder)}
    for name, wanted in classes.items():
        for folder in wanted:
            ending = "/" + "/".join(parts_of(folder))
            if not any(f"/{existing}".endswith(ending) for existing in folders):
                raise BrainmriError(
                    f"classes.{name} names the folder '{folder}', which holds no file of the data set. "
                    f"{nearest(folder, names)}"
                )


def check_split_folders(settings: LayoutSettings, folders: set[str]) -> None:
    """Raise where a folder that the layout names is not among `folders` (paths below the root)."""
    for key in ("train", "test", "unsplit"):
        folder = getattr(settings, key)
        if folder is not None and "/".join(parts_of(folder)) not in folders | {""}:
            raise BrainmriError(
                f"layout.{key} is '{folder}', and there is no such folder below the root. "
                f"{nearest(folder, folders - {''})}"
            )
