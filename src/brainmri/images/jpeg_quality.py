"""The quality that a JPEG was written with, estimated from its luma quantisation table."""

from bisect import bisect_left
from functools import cache

# ITU-T T.81, table K.1: the table that libjpeg, and all that is built on it, scales by the quality.
LUMA = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17,
    22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78,
    87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip


@cache
def sums() -> list[int]:
    """Return the sum of the scaled luma table for each quality from 100 down to 1: ascending.

    The scaling is libjpeg's (``jpeg_quality_scaling`` and ``jpeg_add_quant_table`` in jcparam.c).
    """
    found = []
    for quality in range(100, 0, -1):
        scale = 5000 // quality if quality < 50 else 200 - 2 * quality
        found.append(sum(min(255, max(1, (value * scale + 50) // 100)) for value in LUMA))
    return found


def quality_of(segment: bytes) -> int | None:
    """Return the quality (1-100) whose luma table has the sum nearest to that of table 0, or None.

    The sum does not depend on the order of the table, and grows strictly as the quality falls. For tables
    that are not libjpeg's (Photoshop's, for one) it is the nearest in strength.

    Parameters
    ----------
    segment
        A DQT segment behind its length (ITU-T T.81, B.2.4.1).
    """
    at = 0
    while at < len(segment):
        size = 128 if segment[at] >> 4 else 64
        table = segment[at + 1 : at + 1 + size]
        if segment[at] & 15 == 0 and len(table) == size:
            total = sum(table) if size == 64 else sum(table[1::2]) + 256 * sum(table[::2])
            known = sums()
            place = min(bisect_left(known, total), len(known) - 1)
            if place and total - known[place - 1] < known[place] - total:
                place -= 1
            return 100 - place
        at += 1 + size
    return None
