"""The chunks of a PNG (W3C PNG, section 5)."""

from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# The chunks of an animation.
ANIMATION = (b"acTL", b"fcTL", b"fdAT")


def chunks_of(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the type of each whole chunk, and where its content begins and ends, up to the last (IEND).

    It stops before a chunk that is said to be longer than the file.
    """
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        start, end = at + 8, at + 8 + int.from_bytes(data[at : at + 4], "big")
        if end + 4 > len(data):
            return
        kind = data[at + 4 : start]
        yield kind, start, end
        if kind == b"IEND":
            return
        at = end + 4


def still_png(data: bytes) -> bytes:
    """Return an animated PNG without its animation: OpenCV 5.0 crashes on damaged ones.

    What is left is the picture that programs show which know no animation, nearly always the first frame.
    """
    kept = [data[start - 8 : end + 4] for kind, start, end in chunks_of(data) if kind not in ANIMATION]
    return b"".join([SIGNATURE, *kept])
