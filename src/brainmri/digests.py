"""SHA-256 of values, files and sets of files."""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

READ_BYTES = 2**18
READ_ONLY = os.O_RDONLY | getattr(os, "O_BINARY", 0)


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


def named_digests(paths: Iterable[Path]) -> list[list[str]]:
    """Return name and SHA-256 of each of some files, sorted."""
    return sorted([Path(path).name, file_digest(path)] for path in paths)


def inputs_digest(paths: Iterable[Path]) -> str:
    """Return one digest for a set of input files: over their names and contents, in any order."""
    return digest_of(named_digests(paths))
