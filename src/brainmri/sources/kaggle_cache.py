"""The archive of a Kaggle set in kagglehub's cache, with a record of what it must be.

The record lies beside the archive: handle, version, bytes, SHA-256, licence. kagglehub itself notes no
more than that a download ended.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from brainmri.artefacts import read_json, write_json
from brainmri.digests import file_digest
from brainmri.errors import BrainmriError


@dataclass(frozen=True)
class CachedArchive:
    """Where the archive of one version of a Kaggle set lies, or will.

    Parameters
    ----------
    handle, version
        Which data set.
    path
        The archive, ``{KAGGLEHUB_CACHE}/datasets/{owner}/{name}/{version}.archive``: where kagglehub looks.
    """

    handle: str
    version: int
    path: Path

    @property
    def record(self) -> Path:
        """The file that says what the archive must be."""
        return self.path.with_suffix(".brainmri.json")

    def verified(self) -> dict | None:
        """Return the record if the archive is, to the bit, what it says; else None."""
        try:
            record = read_json(self.record)
            whole = self.path.stat().st_size == record["bytes"] and file_digest(self.path) == record["sha256"]
        except (BrainmriError, OSError, KeyError, TypeError):
            return None
        return record if whole else None

    def keep(self, licence: str | None) -> dict:
        """Record an archive that has proved good, and return the record."""
        record = {
            "handle": self.handle,
            "version": self.version,
            "bytes": self.path.stat().st_size,
            "sha256": file_digest(self.path),
            "licence": licence,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        write_json(record, self.record)
        return record

    def discard(self) -> None:
        """Remove the archive, its record, and what kagglehub may have unpacked from it."""
        from kagglehub.cache import delete_from_cache
        from kagglehub.handle import DatasetHandle

        self.path.unlink(missing_ok=True)
        self.record.unlink(missing_ok=True)
        delete_from_cache(DatasetHandle(*self.handle.split("/"), self.version))


@contextmanager
def cached_archive(handle: str, version: int) -> Iterator[CachedArchive]:
    """Give the archive's place in the cache, to one process at a time.

    Two that append to one file would spoil it; the second waits and then finds the archive.

    Raises
    ------
    BrainmriError
        If the cache cannot be written.
    """
    from kagglehub.cache import get_cached_archive_path
    from kagglehub.handle import DatasetHandle

    path = Path(get_cached_archive_path(DatasetHandle(*handle.split("/"), version)))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_suffix(".lock").open("w")
    except OSError as error:
        raise BrainmriError(
            f"Cannot write in Kaggle's cache {path.parent} ({error.strerror}): mend its permissions, or set "
            "KAGGLEHUB_CACHE to another folder."
        ) from None
    with lock:
        # Some network file systems have no locks; a spoilt archive is found out by its checksum.
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield CachedArchive(handle, version, path)
