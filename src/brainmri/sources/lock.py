"""The lock: the SHA-256 of each file of a data set, as `sha256sum` writes and checks it.

Comments, which `sha256sum --check` skips, say what a lock holds for: a Kaggle set, so that it does not stop
another set of the same name; and one archive of it, where several honest ones go round (a version resized
by others, say).
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from brainmri.artefacts import write_text
from brainmri.errors import BrainmriError

LOCK_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
SCOPE_LINE = re.compile(r"#\s*(source|archive-sha256):\s*(\S*)\s*")
# So many names of each kind of difference are told; the rest is counted.
TOLD = 10


@dataclass(frozen=True)
class Lock:
    """What a lock says.

    Parameters
    ----------
    files
        The SHA-256 of each path, relative to the raw folder.
    source
        The Kaggle handle that the lock holds for; None where it holds for any source.
    archive
        The SHA-256 of the one archive that it holds for; None where it holds for any.
    """

    files: dict[str, str]
    source: str | None = None
    archive: str | None = None

    def why_not(self, fetched: dict) -> str:
        """Return why the lock does not hold for what was fetched (`fetch.json`); empty where it does.

        Where nothing is known about the fetch, it does.
        """
        if not fetched:
            return ""
        if self.source not in (None, fetched.get("source")):
            return f"it holds for {self.source} on Kaggle, and these are from elsewhere"
        if self.archive not in (None, fetched.get("archive_sha256")):
            came = fetched.get("archive_sha256") or "that is not known"
            return f"it holds for the archive with SHA-256 {self.archive}, and these are from the one {came}"
        return ""


def write_lock_file(lock: Lock, path: Path) -> None:
    """Write a lock, sorted by path."""
    head = f"# source: {lock.source}\n" if lock.source else ""
    head += f"# archive-sha256: {lock.archive}\n" if lock.archive else ""
    lines = (f"{digest}  {name}\n" for name, digest in sorted(lock.files.items()))
    write_text(head + "".join(lines), path)


def read_lock(path: Path) -> Lock:
    """Read a lock.

    Raises
    ------
    BrainmriError
        If it cannot be read, a line is none of `sha256sum`, or a path comes twice.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BrainmriError(f"{path} cannot be read ({error}).") from None
    files, scope = {}, {}
    for number, line in enumerate(lines, start=1):
        if match := SCOPE_LINE.fullmatch(line):
            scope[match[1]] = match[2]
            if match[1] == "archive-sha256" and not re.fullmatch("[0-9a-f]{64}", match[2]):
                raise BrainmriError(f"{path}, line {number}, names no SHA-256 of an archive: write it anew.")
        if not line or line.startswith("#"):
            continue
        match = LOCK_LINE.fullmatch(line)
        if match is None:
            raise BrainmriError(
                f"{path}, line {number}, is not '<sha256>  <path>': mend it or write it anew."
            )
        digest, name = match[1], match[2].removeprefix("./")
        if name in files:
            raise BrainmriError(f"{path}, line {number}, names '{name}' again: keep one line.")
        files[name] = digest
    return Lock(files, scope.get("source"), scope.get("archive-sha256"))


def compare_with_lock(dataset: str, found: dict[str, str], path: Path, fetched: dict) -> None:
    """Compare a data set's files with a lock; a lock of something else is told, and stops nobody.

    Parameters
    ----------
    dataset
        The data set's name.
    found
        The SHA-256 of each path.
    path
        The lock.
    fetched
        What `fetch.json` says; empty where there is none.

    Raises
    ------
    BrainmriError
        If the files differ: it names those added, removed and changed.
    """
    lock = read_lock(path)
    if why := lock.why_not(fetched):
        print(
            f"warning: the {len(found)} files of {dataset} are NOT compared with the lock {path}: {why}. To "
            "lock these: brainmri checksum with --record, --lock, --write_lock, --lock_archive.",
            file=sys.stderr,
        )
        return
    differences = {
        "added": sorted(found.keys() - lock.files.keys()),
        "removed": sorted(lock.files.keys() - found.keys()),
        "changed": sorted(
            name for name in found.keys() & lock.files.keys() if found[name] != lock.files[name]
        ),
    }
    told = [
        f"{len(names)} {kind}: " + ", ".join(names[:TOLD]) + (", ..." if len(names) > TOLD else "")
        for kind, names in differences.items()
        if names
    ]
    if told:
        raise BrainmriError(
            f"The files of {dataset} are not those that {path} locks; {'; '.join(told)}. Fetch the locked "
            "version, or write the lock anew if the change is meant (brainmri checksum --write_lock)."
        )
