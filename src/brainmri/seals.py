"""The digest that a Parquet file holds of itself: damage is noticed before anything is read from it.

The digest is over the whole file, footer included, with zeros where it stands itself. It is looked for in
the bytes, so that a parser never sees a damaged footer.
"""

import hashlib
from pathlib import Path

KEY = b"brainmri.whole"
PLACEHOLDER = "0" * 64
# What stands between a key and its value in the footer (Thrift's compact protocol): a field, a length.
BETWEEN = b"\x18\x40"
SIGNATURE = b"PAR1"


def seal(path: Path) -> None:
    """Write the digest of a finished Parquet file over the placeholder that stands in it under `KEY`."""
    with path.open("r+b") as file:
        data = file.read()
        place = place_of(KEY, data)
        file.seek(place)
        file.write(digest_around(data, place).encode())


def seal_of(data: bytes) -> tuple[str | None, str | None]:
    """Return the digest that a Parquet file holds of itself, and the one that it has; None where none.

    Parameters
    ----------
    data
        All bytes of the file.
    """
    place = place_of(KEY, data)
    return (kept_at(place, data), digest_around(data, place)) if place else (None, None)


def damage_of(data: bytes) -> str | None:
    """Return what is wrong with the bytes of a Parquet file, as far as they tell; None where sound."""
    if len(data) < 3 * len(SIGNATURE) or data[:4] != SIGNATURE:
        return "it does not begin as one" if data else "it holds no bytes"
    if data[-4:] != SIGNATURE:
        return "its end is missing"
    kept, found = seal_of(data)
    return None if kept == found else "its content is not what its digest was taken of"


def place_of(key: bytes, data: bytes) -> int:
    """Return where the value of a key stands in a file; 0 where the key does not."""
    at = data.rfind(key + BETWEEN)
    return 0 if at < 0 else at + len(key) + len(BETWEEN)


def kept_at(place: int, data: bytes) -> str:
    """Return the digest that stands somewhere, damaged or not."""
    return data[place : place + len(PLACEHOLDER)].decode("latin-1")


def digest_around(data: bytes, place: int) -> str:
    """Return the digest of bytes with zeros where a digest stands."""
    view = memoryview(data)
    digest = hashlib.sha256(view[:place])
    digest.update(PLACEHOLDER.encode())
    digest.update(view[place + len(PLACEHOLDER) :])
    return digest.hexdigest()
