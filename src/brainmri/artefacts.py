"""Artefacts on disk: written whole or not at all, read with errors for people, traceable by digest."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from brainmri import __version__
from brainmri.errors import BrainmriError

READ_BYTES = 2**18
READ_ONLY = os.O_RDONLY | getattr(os, "O_BINARY", 0)


@contextmanager
def written_atomically(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` on success, remove it on failure.

    The temporary name carries the process id, so two processes that write the same artefact
    never share a file: the last to finish wins, with a whole file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
    except OSError as error:
        raise BrainmriError(
            f"Cannot write {path}: {error.strerror or error}. Free space or mend permissions, then run again."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def digest_of(value) -> str:
    """Return the SHA-256 (hexadecimal) of a JSON-able value in canonical form."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 (hexadecimal) of a file's bytes."""
    return size_and_digest(path)[1]


def size_and_digest(path: Path | str) -> tuple[int, str]:
    """Return how many bytes a file holds, and their SHA-256 (hexadecimal).

    Bare system calls: for a file of a few KB, Python's file objects and the zeroed buffer of
    `hashlib.file_digest` cost more than the hash, and keep threads from running side by side.
    """
    descriptor = os.open(path, READ_ONLY)
    try:
        size, digest = 0, hashlib.sha256()
        while chunk := os.read(descriptor, READ_BYTES):
            size += len(chunk)
            digest.update(chunk)
    finally:
        os.close(descriptor)
    return size, digest.hexdigest()


def inputs_digest(paths: Iterable[Path]) -> str:
    """Return one digest for a set of input files: over their names and contents, in any order."""
    return digest_of(sorted([Path(path).name, file_digest(path)] for path in paths))


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
        The files it was made from; their digest is stored as ``brainmri.inputs``.
    schema
        The columns' Arrow types; inferred where None. Give it wherever a column can be all null.
    """
    table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
    provenance = {
        "brainmri.version": __version__,
        "brainmri.config": digest_of(config),
        "brainmri.inputs": inputs_digest(inputs),
    }
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **provenance})
    with written_atomically(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_parquet(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a table, or say in a sentence why it cannot be read.

    Raises
    ------
    BrainmriError
        If the file is missing, is not whole, or lacks one of `columns`.
    """
    try:
        return pq.read_table(path, columns=columns).to_pandas()
    except FileNotFoundError:
        raise BrainmriError(f"{path} does not exist: run the stage that makes it first.") from None
    except (pa.ArrowException, KeyError, OSError) as error:
        raise BrainmriError(
            f"{path} is no readable Parquet table ({error}): delete it and run again."
        ) from error


def write_json(document: dict, path: Path) -> None:
    """Write a JSON document atomically, indented, with keys in the given order."""
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    with written_atomically(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> dict:
    """Read a JSON document, or say in a sentence why it cannot be read.

    Raises
    ------
    BrainmriError
        If the file is missing or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BrainmriError(f"{path} does not exist: run the stage that makes it first.") from None
    except (OSError, ValueError) as error:
        raise BrainmriError(
            f"{path} is no readable JSON document ({error}): delete it and run again."
        ) from error
