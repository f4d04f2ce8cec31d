"""The stage `checksum`: the SHA-256 of every file, compared with the lock."""

from pathlib import Path

import pandas as pd
import pyarrow as pa

from brainmri.artefacts import read_json, write_parquet
from brainmri.digests import size_and_digest
from brainmri.errors import BrainmriError, unreadable
from brainmri.sources.files import list_files
from brainmri.sources.files_digest import digest_of_files
from brainmri.sources.lock import Lock, compare_with_lock, write_lock_file
from brainmri.sources.parallel import in_parallel

# Threads that take small files one by one wait for Python's lock more than they work.
FILES_A_TASK = 128
# Of files smaller than this on average, opening is most of the work, which Python does one at a time: a
# second thread then costs more than it brings (benchmarks/README.md, "Checksums").
WORTH_A_THREAD = 16 * 1024
SAMPLED_FILES = 64
SCHEMA = pa.schema([("path", pa.string()), ("bytes", pa.int64()), ("sha256", pa.string())])


def checksum(
    dataset: str,
    raw: Path,
    output: Path,
    lock: Path | None = None,
    record: Path | None = None,
    write_lock: bool = False,
    lock_archive: bool = False,
    workers: int = 0,
) -> None:
    """Take the SHA-256 of every file of a data set, and compare with the lock where there is one.

    Parameters
    ----------
    dataset
        The data set's name.
    raw
        The folder with the data set's files.
    output
        Where to write the table of path, bytes and SHA-256 (checksums.parquet), sorted by path.
    lock
        A list as `sha256sum` writes it (and `sha256sum --check` reads it, from within the raw folder).
        A file added, removed or changed against it stops the run. Where it does not exist, nothing is
        compared.
    record
        What the stage fetch recorded (fetch.json): the files must be those that were fetched, and a lock
        of one Kaggle set or archive is compared with files from there only.
    write_lock
        Write the lock instead of comparing with it; for a Kaggle set that the record names, it holds for
        that set only.
    lock_archive
        Write a lock that holds only for files from the archive that the record names.
    workers
        How many files to read at a time; 0 for as many as there are cores, or one where files are of a few
        KB.
    """
    if write_lock and lock is None:
        raise BrainmriError("--write_lock needs --lock, the file to write.")
    paths = list_files(raw)
    if not paths:
        raise BrainmriError(f"{raw} holds no file: run the stage fetch first.")

    if workers == 0 and typical_size(raw, paths) < WORTH_A_THREAD:
        workers = 1

    def rows_of(chunk: list[str]) -> list[tuple[str, int, str]]:
        return [row_of(raw, path) for path in chunk]

    rows = in_parallel(
        rows_of, paths, workers=workers, description=f"checksum {dataset}", unit="file", chunk=FILES_A_TASK
    )
    table = pd.DataFrame(rows, columns=SCHEMA.names)
    found = dict(zip(table["path"], table["sha256"], strict=True))
    fetched = read_json(record) if record is not None else {}
    if not write_lock and lock is not None and lock.exists():
        # Before the record: a lock can name the files.
        compare_with_lock(dataset, found, lock, fetched)
    compare_with_record(dataset, found, fetched, record)
    if write_lock:
        write_lock_file(lock_of(found, fetched, lock_archive), lock)
    write_parquet(table, output, config={"dataset": dataset}, schema=SCHEMA)


def typical_size(raw: Path, paths: list[str]) -> float:
    """Return the mean size in bytes of some files, taken evenly from a list."""
    some = paths[:: -(-len(paths) // SAMPLED_FILES)]
    try:
        return sum((raw / path).stat().st_size for path in some) / len(some)
    except OSError:  # Told by name where it is read.
        return 0


def row_of(raw: Path, path: str) -> tuple[str, int, str]:
    """Return path, bytes and SHA-256 of a file."""
    file = f"{raw}/{path}"
    try:
        return path, *size_and_digest(file)
    except OSError as error:
        raise unreadable(file, error) from None


def lock_of(found: dict[str, str], fetched: dict, lock_archive: bool) -> Lock:
    """Return the lock of these files: of their Kaggle set and, if asked for, of their archive."""
    archive = fetched.get("archive_sha256") if lock_archive else None
    if lock_archive and archive is None:
        raise BrainmriError("--lock_archive needs --record, a fetch.json that names an archive.")
    return Lock(found, fetched["source"] if fetched.get("kind") == "kaggle" else None, archive)


def compare_with_record(dataset: str, found: dict[str, str], fetched: dict, record: Path | None) -> None:
    """Raise an error if the files are not those that were fetched."""
    expected = fetched.get("files_sha256")
    if expected is None or expected == digest_of_files(found):
        return
    if fetched.get("files") != len(found):
        what = f"{len(found)} files where {record} says {fetched.get('files')}"
    else:
        what = f"their SHA-256 is not the one in {record}"
    raise BrainmriError(
        f"The files of {dataset} have changed since they were fetched: {what}. Delete {record} and run "
        "again: they are fetched anew."
    )
