"""Label and patient of an image from a table, for data sets whose folders and names tell neither."""

import posixpath
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow.parquet as pq

from brainmri.errors import BrainmriError, first_line, nearest, unreadable
from brainmri.images.folders import folder_and_parents, word_class

ENDINGS = (".csv", ".tsv", ".parquet")


class Told(NamedTuple):
    """What is told of an image: its class and its patient; where it has no class, why."""

    label: str | None
    patient: str | None
    reason: str | None


class Row(NamedTuple):
    """What the table says of a file or folder, in its own words."""

    word: str | None
    patient: str | None


def told_by_table(
    image_ids: list[str],
    root: str,
    table: Path,
    columns: tuple[str, str, str | None],
    classes: dict[str, list[str]] | None,
) -> list[Told]:
    """Return what a table tells of each image; the row of a folder is of all files in it.

    Parameters
    ----------
    image_ids
        The files, below the data set's root.
    root
        The root, with which a path of the table may begin.
    table
        A CSV, TSV or Parquet file.
    columns
        Its columns of the path, the label and the patient; the last is None where it has none.
    classes
        For each class the table's words for it; where None, the words that public data sets use.

    Raises
    ------
    BrainmriError
        If the table cannot be read, contradicts itself, or tells nothing of these files and classes.
    """
    rows = rows_of(table, columns, root)
    known = {place for image_id in image_ids for place in folder_and_parents(image_id) if place}
    strays = sorted(rows.keys() - known)
    if strays:
        told = f"{len(strays)} of {len(rows)} paths in {table} are not in the data set, such as '{strays[0]}'"
        if len(strays) == len(rows):
            raise BrainmriError(f"{told}: they start below its root, as '{image_ids[0]}' does.")
        print(f"inventory: {told}")
    class_of = classes_of_words({row.word for row in rows.values()} - {None}, table, classes)

    def told_of(image_id: str) -> Told:
        places = reversed(folder_and_parents(image_id))
        row = next((rows[place] for place in places if place in rows), None)
        if row is None:
            return Told(None, None, f"not in {table.name}")
        if row.word is None:
            return Told(None, row.patient, f"without a label in {table.name}")
        label = class_of(row.word)
        reason = (
            f"called '{row.word}' in {table.name}, which `classes` maps to no class"
            if label is None
            else None
        )
        return Told(label, row.patient, reason)

    return [told_of(image_id) for image_id in image_ids]


def classes_of_words(
    words: set[str], table: Path, classes: dict[str, list[str]] | None
) -> Callable[[str], str | None]:
    """Return what tells the class of a word; raise where it knows none of the table, or others."""
    mapped = {word: name for name, wished in (classes or {}).items() for word in wished}
    for word, name in mapped.items():
        if word not in words:
            raise BrainmriError(
                f"classes.{name} names '{word}', which {table} says of no file. {nearest(word, words)}"
            )
    class_of = word_class if classes is None else mapped.get
    if not any(map(class_of, words)):
        raise BrainmriError(
            f"No label in {table} tells a class: {', '.join(sorted(words)[:20]) or 'all are empty'}. "
            "Map each class to the table's words with `classes`, such as {glioma: [GBM, LGG]}."
        )
    return class_of


def rows_of(table: Path, columns: tuple[str, str, str | None], root: str) -> dict[str, Row]:
    """Return the rows of a table by their path below the root."""
    cells = read_cells(table, columns)
    nothing = [None] * len(cells[0])
    rows: dict[str, Row] = {}
    for path, word, patient in zip(*cells, *[nothing] * (3 - len(cells)), strict=True):
        place = posixpath.normpath((path or "").replace("\\", "/")).removeprefix(f"{root}/" if root else "")
        row = Row(word, patient)
        if rows.setdefault(place, row) != row:
            raise BrainmriError(
                f"{table} names '{place}' twice, with {' and '.join(map(described, (rows[place], row)))}: "
                "keep the row that is right."
            )
    return rows


def described(row: Row) -> str:
    """Return a row in words."""
    return f"the label '{row.word or ''}'" + (f" of patient '{row.patient}'" if row.patient else "")


def read_cells(table: Path, columns: tuple[str, str, str | None]) -> list[list[str | None]]:
    """Return the texts in some columns of a table; None where a cell is empty."""
    wished = [column for column in columns if column is not None]
    try:
        if table.suffix.lower() == ".parquet":
            file = pq.ParquetFile(table)
            refuse_missing(columns, file.schema_arrow.names, table)
            cells = file.read(columns=wished).to_pydict()
        else:
            with table.open(encoding="utf-8-sig") as lines:
                head = lines.readline()
            # Excel writes semicolons where the decimal sign is a comma.
            as_text = {"sep": max(",;\t", key=head.count), "dtype": str, "keep_default_na": False}
            # Of rows with more cells than the head, the last would be left out.
            with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
                frame = pd.read_csv(table, **as_text, index_col=False, encoding="utf-8-sig")
            refuse_missing(columns, list(frame), table)
            cells = frame[wished].to_dict("list")
    except FileNotFoundError:
        raise BrainmriError(f"layout.table is '{table}', and there is no such file.") from None
    except OSError as error:
        raise unreadable(table, error, "mend it or its permissions") from None
    except (ValueError, pd.errors.ParserWarning) as error:  # also what pyarrow raises of a damaged file
        raise BrainmriError(f"{table} is no table that can be read ({first_line(error)}).") from None
    return [[str(cell).strip() or None if is_told(cell) else None for cell in cells[name]] for name in wished]


def is_told(cell) -> bool:
    """Return whether a cell holds something; what is no number is not equal to itself."""
    return cell is not None and cell == cell


def refuse_missing(columns: tuple[str, str, str | None], known: list[str], table: Path) -> None:
    """Raise where a table lacks a column that is to be read."""
    for kind, column in zip(("path", "label", "patient"), columns, strict=True):
        if column is not None and column not in known:
            without = ", or null where no column names the patient" if kind == "patient" else ""
            raise BrainmriError(
                f"{table} has no column '{column}'. {nearest(column, known)} "
                f"Set layout.{kind}_column to the right one{without}."
            )
