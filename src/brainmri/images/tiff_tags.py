"""The directory in which TIFF files and EXIF blocks tell what they are (TIFF 6.0, section 2)."""

import struct

ORIENTATION = 274
# Size and depth, photometric interpretation, orientation, samples, tiles, extra samples.
WANTED = {256, 257, 258, 262, ORIENTATION, 277, 322, 323, 338}
# Of the image and of its tiles: what they claim must be what the decoder reads.
SIZES = {256, 257, 322, 323}
# No encoder writes so many chunks before the pixels.
MAXIMUM_CHUNKS = 1000
# SHORT and LONG, the only types of the tags that are wanted.
TYPES = {3: ("H", 2), 4: ("I", 4)}


def first_directory(data: bytes) -> tuple[dict[int, int], int]:
    """Return the first value of each wanted tag, and where the next directory lies (0: there is none).

    Raises
    ------
    struct.error
        If the directory is cut off, lies outside the data, or has a tag twice or a size of a strange type.
    """
    order = "<" if data[:2] == b"II" else ">"
    (at,) = struct.unpack_from(order + "I", data, 4)
    (entries,) = struct.unpack_from(order + "H", data, at)
    tags = {}
    for entry in range(at + 2, at + 2 + 12 * entries, 12):
        tag, kind = struct.unpack_from(order + "HH", data, entry)
        if tag not in WANTED:
            continue
        if tag in tags or (tag in SIZES and kind not in TYPES):  # The decoder might take the other one.
            raise struct.error("a tag stands twice, or its type is strange")
        if kind not in TYPES:
            continue
        letter, size = TYPES[kind]
        (count,) = struct.unpack_from(order + "I", data, entry + 4)
        place = entry + 8
        if count * size > 4:  # Too long to stand here: this is where the values lie.
            (place,) = struct.unpack_from(order + "I", data, place)
        if tag in SIZES or place + size <= len(data):
            (tags[tag],) = struct.unpack_from(order + letter, data, place)
    end = at + 2 + 12 * entries
    following = struct.unpack_from(order + "I", data, end)[0] if end + 4 <= len(data) else 0
    return tags, following


def orientation_of(exif: bytes) -> int:
    """Return the orientation (1-8) that an EXIF block tells; 1, as stored, where it tells none."""
    try:
        found = first_directory(exif)[0].get(ORIENTATION, 1)
    except struct.error:
        return 1
    return found if 1 <= found <= 8 else 1


def webp_orientation(data: bytes) -> int:
    """Return the orientation that the EXIF chunk of a WebP tells; 1 where there is none."""
    at = 12
    for _ in range(MAXIMUM_CHUNKS):
        if at + 8 > len(data):
            break
        (length,) = struct.unpack_from("<I", data, at + 4)
        if data[at : at + 4] == b"EXIF":
            return orientation_of(data[at + 8 : at + 8 + length].removeprefix(b"Exif\0\0"))
        at += 8 + length + length % 2
    return 1
