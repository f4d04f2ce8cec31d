"""The stage `checksum`: the SHA-256 of every file, compared with the lock."""

import re
from pathlib import Path

import pandas as pd
import pyarrow as pa

from brainmri.artefacts import file_digest, write_parquet, written_atomically
from brainmri.errors import BrainmriError
from brainmri.sources.files import list_files
from brainmri.sources.parallel import in_parallel

SCHEMA = pa.schema([("path", pa.string()), ("bytes", pa.int64()), ("sha256", pa.string())])
LOCK_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
# So many names of each kind of difference are told; the rest is counted.
TOLD = 10


def checksum(
    dataset: str,
    raw: Path,
    output: Path,
    lock: Path | None = None,
    write_lock: bool = False,
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
    write_lock
        Write the lock instead of comparing with it.
    workers
        How many files to read at a time; 0 for as many as there are cores.
    """
    if write_lock and lock is None:
        raise BrainmriError("--write_lock needs --lock, the file to write.")
    paths = list_files(raw)
    if not paths:
        raise BrainmriError(f"{raw} holds no file: run the stage fetch first.")

    def rows_of(chunk: list[str]) -> list[tuple[str, int, str]]:
        return [row_of(raw, path) for path in chunk]

    rows = in_parallel(rows_of, paths, workers=workers, description=f"checksum {dataset}", unit="file")
    table = pd.DataFrame(rows, columns=SCHEMA.names)
    if write_lock:
        with written_atomically(lock) as temporary:
            lines = (f"{row.sha256}  {row.path}\n" for row in table.itertuples())
            temporary.write_text("".join(lines), encoding="utf-8")
    elif lock is not None and lock.exists():
        compare_with_lock(dataset, dict(zip(table["path"], table["sha256"], strict=True)), lock)
    write_parquet(table, output, config={"dataset": dataset}, schema=SCHEMA)


def row_of(raw: Path, path: str) -> tuple[str, int, str]:
    """Return path, bytes and SHA-256 of a file."""
    file = raw / path
    try:
        return path, file.stat().st_size, file_digest(file)
    except OSError as error:
        raise BrainmriError(f"{file} cannot be read ({error.strerror}): run the stage fetch again.") from None


def read_lock(lock: Path) -> dict[str, str]:
    """Return the SHA-256 of each path that a lock names.

    Raises
    ------
    BrainmriError
        If the lock cannot be read, a line is none of `sha256sum`, or a path comes twice.
    """
    try:
        lines = lock.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BrainmriError(f"{lock} cannot be read ({error}).") from None
    locked = {}
    for number, line in enumerate(lines, start=1):
        if not line or line.startswith("#"):
            continue
        match = LOCK_LINE.fullmatch(line)
        if match is None:
            raise BrainmriError(
                f"{lock}, line {number}, is not '<sha256>  <path>': mend it or write it anew."
            )
        digest, path = match.groups()
        path = path.removeprefix("./")
        if path in locked:
            raise BrainmriError(f"{lock}, line {number}, names '{path}' again: keep one line.")
        locked[path] = digest
    return locked


def compare_with_lock(dataset: str, found: dict[str, str], lock: Path) -> None:
    """Raise an error that names the files added, removed and changed against the lock."""
    locked = read_lock(lock)
    differences = {
        "added": sorted(found.keys() - locked.keys()),
        "removed": sorted(locked.keys() - found.keys()),
        "changed": sorted(path for path in found.keys() & locked.keys() if found[path] != locked[path]),
    }
    told = [
        f"{len(paths)} {kind}: " + ", ".join(paths[:TOLD]) + (", ..." if len(paths) > TOLD else "")
        for kind, paths in differences.items()
        if paths
    ]
    if told:
        raise BrainmriError(
            f"The files of {dataset} are not those that {lock} locks; {'; '.join(told)}. Fetch the locked "
            "version, or write the lock anew if the change is meant (brainmri checksum --write_lock true)."
        )
