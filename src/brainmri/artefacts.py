"""Artefacts on disk: written whole or not at all, read with errors for people, traceable by digest."""

import json
import os
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from brainmri import __version__
from brainmri.columns import mismatch_of
from brainmri.digests import digest_of, named_digests
from brainmri.errors import BrainmriError, first_line, shown, unwritable
from brainmri.seals import KEY, PLACEHOLDER, damage_of, seal

# Where a document and a table keep the digest of what they hold, and those of the files they were made from.
# These guard against slips and careless edits, not against a forger, who can renew a digest.
CONTENT_KEY, SOURCES_KEY = "content_sha256", "made_from"
TABLE_SOURCES_KEY = b"brainmri.made_from"
AGAIN = "delete it and run the same command again, or the stage that makes it."
# What damage that no digest shows can raise on the way from Parquet to pandas.
UNREADABLE = (pa.ArrowException, OSError, KeyError, ValueError, TypeError, MemoryError)

# What `written_atomically` calls a file until it is whole.
HALF_WRITTEN = re.compile(r"\..+\.\d+-[0-9a-f]{8}\.tmp")


@contextmanager
def written_atomically(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` on success, remove it on failure.

    The temporary name carries the process id and a random word, so two processes that write the same
    artefact, on one machine or on several, never share a file: the last to finish wins, with a whole file.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        with suppress(OSError):  # where nothing may be written, nothing was
            temporary.unlink(missing_ok=True)


def write_text(text: str, path: Path) -> None:
    """Write a text atomically, in UTF-8."""
    with written_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def existing(path: Path) -> Path:
    """Return the path of an artefact, or raise BrainmriError where there is none."""
    path = Path(path)
    if not path.is_file():
        fault = "is no file" if path.exists() else "does not exist"
        raise BrainmriError(f"{path} {fault}: run the stage that makes it first.")
    return path


def write_parquet(
    frame: pd.DataFrame,
    path: Path,
    *,
    config: dict,
    inputs: Iterable[Path] = (),
    schema: pa.Schema | None = None,
) -> None:
    """Write a table atomically, with its provenance in the schema metadata.

    Parameters
    ----------
    frame
        The table; its index is dropped.
    path
        Where to write.
    config
        The parameters that shaped the table; their digest is stored as ``brainmri.config``.
    inputs
        The files it was made from; their digest is stored as ``brainmri.inputs``, and each one's as
        ``brainmri.made_from``. ``brainmri.whole`` is the digest of the file; see `brainmri.seals`.
    schema
        The columns' Arrow types; inferred where None. Give it wherever a column can be all null.
    """
    table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
    sources = named_digests(inputs)
    provenance = {
        "brainmri.version": __version__,
        "brainmri.config": digest_of(config),
        "brainmri.inputs": digest_of(sources),
        TABLE_SOURCES_KEY: json.dumps(sources),
    }
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **provenance})
    with written_atomically(path) as temporary:
        with pq.ParquetWriter(temporary, table.schema, compression="zstd") as writer:
            writer.write_table(table)
            writer.add_key_value_metadata({KEY: PLACEHOLDER})
        seal(temporary)


def read_parquet(
    path: Path,
    columns: list[str] | None = None,
    needed: Iterable[str] = (),
    unique: str | list[str] | None = None,
    words: dict[str, Collection[str]] | None = None,
) -> pd.DataFrame:
    """Read a table, or say in a sentence why it cannot be read.

    Parameters
    ----------
    path
        The file.
    columns
        Which columns to read; all where None.
    needed
        Columns that must be there where all are read.
    unique
        A column in which no value may stand twice; several that no two rows may share together.
    words
        By column, the only words that it may hold.

    Raises
    ------
    BrainmriError
        If the file is missing, is damaged, lacks one of `columns`, or holds under a known name what does not
        belong there.
    """
    data = table_bytes(path)
    try:
        table = pq.read_table(pa.BufferReader(data), columns=columns)
        found = mismatch_of(table, [*(columns or ()), *needed])
        if found:
            raise BrainmriError(f"{path} {found}: {AGAIN}")
        frame = table.to_pandas()
        if unique is not None and frame[unique].duplicated().any():
            twice = frame.loc[frame[unique].duplicated(), unique].iloc[0]
            told = shown(twice if isinstance(unique, str) else ", ".join(map(str, twice)))
            raise BrainmriError(f"{path} lists {told} twice: {AGAIN}")
        for name, known in (words or {}).items():
            strange = frame.loc[~frame[name].isin(known), name]
            if len(strange):
                raise BrainmriError(
                    f"{path} holds {shown(strange.iloc[0])} in its column '{name}', where one of "
                    f"{', '.join(known)} is wanted: {AGAIN}"
                )
        return frame
    except UNREADABLE as error:
        raise unreadable_table(path, error) from error


def table_metadata(path: Path) -> dict[bytes, bytes]:
    """Return what stands in the footer of a table about itself.

    Raises
    ------
    BrainmriError
        If the file is missing or damaged.
    """
    return metadata_in(table_bytes(path), path)


def metadata_in(data: bytes, path: Path) -> dict[bytes, bytes]:
    """Return what stands in the footer of a table, given all its bytes; the path is for messages."""
    try:
        return pq.read_metadata(pa.BufferReader(data)).metadata or {}
    except UNREADABLE as error:
        raise unreadable_table(path, error) from error


def sources_of(path: Path) -> list[list[str]]:
    """Return name and SHA-256 of each file that a table was made from; none where it does not say.

    Raises
    ------
    BrainmriError
        If the file is missing or damaged.
    """
    return sources_in(table_metadata(path), path)


def sources_in(metadata: dict[bytes, bytes], path: Path) -> list[list[str]]:
    """Return the sources that stand in the footer of a table; the path is for messages."""
    try:
        return json.loads(metadata.get(TABLE_SOURCES_KEY, b"[]"))
    except ValueError as error:
        raise unreadable_table(path, error) from error


def table_bytes(path: Path) -> bytes:
    """Return the bytes of a Parquet file whose digest of itself holds, or raise BrainmriError."""
    data = any_table_bytes(path)
    damage = damage_of(data)
    if damage:
        raise unreadable_table(path, damage)
    return data


def any_table_bytes(path: Path) -> bytes:
    """Return the bytes of a Parquet file, whole or not, or raise BrainmriError."""
    try:
        return existing(path).read_bytes()
    except OSError as error:
        raise unreadable_table(path, error) from error


def unreadable_table(path: Path, reason: Exception | str) -> BrainmriError:
    """Return the error that says why a table cannot be read, and what to do."""
    return BrainmriError(f"{path} is no readable Parquet table ({first_line(reason)}): {AGAIN}")


def write_json(document: dict, path: Path, *, inputs: Iterable[Path] = ()) -> None:
    """Write a JSON document atomically, indented, with keys in the given order.

    Parameters
    ----------
    document
        What to write; the digest of it is added as ``content_sha256``.
    path
        Where to write.
    inputs
        Files it was made from; name and digest of each are added as ``made_from``.
    """
    sources = named_digests(inputs)
    document = {key: value for key, value in document.items() if key != CONTENT_KEY}
    document |= {SOURCES_KEY: sources} if sources else {}
    # The digest of what will be read: JSON has no tuples and no keys that are numbers.
    content = digest_of(json.loads(json_text(document)))
    write_text(json_text(document | {CONTENT_KEY: content}) + "\n", path)


def json_text(document: dict) -> str:
    """Return a document as the text that is written."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)


def read_json(path: Path) -> dict:
    """Read a JSON document, without the digest of itself, or say in a sentence why it cannot be read.

    Raises
    ------
    BrainmriError
        If the file is missing, or is no JSON document that maps names to values.
    """
    document = read_whole_json(path)
    if not isinstance(document, dict):
        raise BrainmriError(f"{path} is no readable JSON document (it holds no mapping): {AGAIN}")
    document.pop(CONTENT_KEY, None)
    return document


def read_whole_json(path: Path) -> dict:
    """Read a JSON document with the digest of itself; otherwise as `read_json`."""

    def refuse(word: str):
        raise ValueError(f"{word} is no number of JSON")

    try:
        # Nothing is written with a NaN, and none would stop at a comparison.
        return json.loads(existing(path).read_text(encoding="utf-8"), parse_constant=refuse)
    # Brackets in brackets, thousands deep, are a RecursionError.
    except (OSError, ValueError, RecursionError) as error:
        raise BrainmriError(f"{path} is no readable JSON document ({error}): {AGAIN}") from error
