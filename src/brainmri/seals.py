"""The digest that a Parquet file holds of itself: damage is noticed before anything is read from it.

The digest is over the whole file, footer included, with zeros where it stands itself. It is looked for in
the bytes, so that a parser never sees a damaged footer.
"""

import hashlib
import re
from pathlib import Path

KEY = b"brainmri.whole"
PLACEHOLDER = "0" * 64
# A key and its value in the footer (Thrift's compact protocol: field, then length in bytes).
SEAL = re.compile(KEY + rb"\x18\x40([0-9a-f]{64})")
# Earlier versions took the digest of what stands before the footer.
EARLIER_SEAL = re.compile(rb"brainmri\.content\x18\x40([0-9a-f]{64})")
FOOTER_END = 8  # bytes: its length, and the signature
SIGNATURE = b"PAR1"


def seal(path: Path) -> None:
    """Write the digest of a finished Parquet file over the placeholder that stands in it under `KEY`."""
    with path.open("r+b") as file:
        data = file.read()
        place = last(SEAL, data)
        file.seek(place.start(1))
        file.write(digest_around(data, place).encode())


def seal_of(data: bytes) -> tuple[str | None, str | None]:
    """Return the digest that a Parquet file holds of itself, and the one that it has; None where none.

    Parameters
    ----------
    data
        All bytes of the file.
    """
    if place := last(SEAL, data):
        return place[1].decode(), digest_around(data, place)
    if place := last(EARLIER_SEAL, data):
        return place[1].decode(), hashlib.sha256(memoryview(data)[: -footer_bytes(data)]).hexdigest()
    return None, None


def damage_of(data: bytes) -> str | None:
    """Return what is wrong with the bytes of a Parquet file, as far as they tell; None where sound."""
    if len(data) < 3 * len(SIGNATURE) or data[:4] != SIGNATURE:
        return "it does not begin as one" if data else "it holds no bytes"
    if data[-4:] != SIGNATURE:
        return "its end is missing"
    kept, found = seal_of(data)
    return None if kept == found else "its content is not what its digest was taken of"


def digest_around(data: bytes, place: re.Match) -> str:
    """Return the digest of bytes with zeros where a digest stands."""
    view, (start, end) = memoryview(data), place.span(1)
    digest = hashlib.sha256(view[:start])
    digest.update(PLACEHOLDER.encode())
    digest.update(view[end:])
    return digest.hexdigest()


def last(pattern: re.Pattern, data: bytes) -> re.Match | None:
    """Return the last match in a file's last part, where a footer is."""
    found = list(pattern.finditer(data, max(0, len(data) - footer_bytes(data))))
    return found[-1] if found else None


def footer_bytes(data: bytes) -> int:
    """Return how many bytes at the end of a file its footer takes, by its own word."""
    return FOOTER_END + int.from_bytes(data[-FOOTER_END:-4], "little")
