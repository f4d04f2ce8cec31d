"""What an image file says of itself, read from its first bytes without decoding.

Hostile files claim sizes that would fill the memory: the claim is read here first.
"""

import struct
from dataclasses import dataclass

# The format that a name's ending promises.
EXTENSIONS = {
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".jpe": "jpeg",
    ".jfif": "jpeg",
    ".png": "png",
    ".bmp": "bmp",
    ".dib": "bmp",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".webp": "webp",
}
# Endings of other image formats; what lies under them is an image all the same, and is named as such.
UNSUPPORTED_EXTENSIONS = {
    ".gif", ".dcm", ".dicom", ".nii", ".gz", ".mat", ".mha", ".mhd", ".nrrd", ".jp2", ".jxl", ".avif",
    ".heic", ".psd", ".exr", ".npy", ".npz", ".hdf5", ".h5",
}  # fmt: skip
# How other image formats begin: named in the reason, so that their owner knows what to convert.
UNSUPPORTED = (
    (0, b"GIF8", "GIF"),
    (128, b"DICM", "DICOM"),
    (0, b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftyphei", "HEIC"),
    (4, b"ftypmif1", "HEIC"),
    (0, b"8BPS", "Photoshop"),
    (0, b"MATLAB 5.0", "MATLAB"),
    (0, b"MATLAB 7.3", "MATLAB"),
    (0, b"NRRD000", "NRRD"),
    (344, b"n+1\x00", "NIfTI"),
    (0, b"II+\x00", "BigTIFF"),
    (0, b"MM\x00+", "BigTIFF"),
    (0, b"v/1\x01", "OpenEXR"),
)
# Sniffing reads this much: the farthest sign above ends there.
SNIFFED_BYTES = 348


class HeaderError(ValueError):
    """The first bytes say which format it is, and then are cut off or make no sense."""


@dataclass(frozen=True)
class Header:
    """What an image file says of itself.

    Parameters
    ----------
    format
        ``jpeg``, ``png``, ``bmp``, ``tiff`` or ``webp``.
    width, height
        Pixels, as stored.
    channels
        Values stored for one pixel; an index into a palette is one.
    complete
        False where the end mark of the format is missing: the file is cut off.
    """

    format: str
    width: int
    height: int
    channels: int
    complete: bool = True


def sniff(data: bytes) -> str | None:
    """Return the format that the first bytes show: a key of `READERS`, or None."""
    if data[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "png"
    if data[:2] == b"BM" and data[6:10] == b"\0\0\0\0":
        return "bmp"
    if data[:4] in (b"II*\0", b"MM\0*"):
        return "tiff"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return None


def sniff_unsupported(data: bytes) -> str | None:
    """Return the name of the image format that is known and not supported, or None."""
    return next((name for at, sign, name in UNSUPPORTED if data[at : at + len(sign)] == sign), None)


def read_header(data: bytes) -> Header | None:
    """Return what an image file says of itself, or None where it is none of the supported formats.

    Raises
    ------
    HeaderError
        If the format is known and the header is cut off or makes no sense.
    """
    kind = sniff(data)
    if kind is None:
        return None
    try:
        header = READERS[kind](data)
    except (struct.error, IndexError, KeyError):
        raise HeaderError(f"the {kind} header is cut off or damaged") from None
    if header.width < 1 or header.height < 1:
        raise HeaderError(f"the {kind} header says {header.width} x {header.height} pixels")
    return header


def read_jpeg(data: bytes) -> Header:
    """Read the frame header of a JPEG (ITU-T T.81, B.2.2), and look for the end mark behind the scan."""
    frame, at = None, 2
    while True:
        if data[at] != 0xFF:
            raise HeaderError("the jpeg header is damaged: a marker is missing")
        marker = data[at + 1]
        if marker == 0xFF:  # Fill bytes may stand before a marker.
            at += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # These stand alone, without a length.
            at += 2
            continue
        if marker == 0xD9:
            raise HeaderError("the jpeg ends before its first scan")
        (length,) = struct.unpack_from(">H", data, at + 2)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width, channels = struct.unpack_from(">HHB", data, at + 5)
            frame = (width, height, channels)
        elif marker == 0xDA:
            if frame is None:
                raise HeaderError("the jpeg has a scan and no frame")
            return Header("jpeg", *frame, complete=data.rfind(b"\xff\xd9", at) >= 0)
        at += 2 + max(length, 2)


def read_png(data: bytes) -> Header:
    """Read the first chunk of a PNG (W3C PNG, 11.2.1), and look for the last."""
    if data[12:16] != b"IHDR":
        raise HeaderError("the png does not begin with its header")
    width, height, _, colour_type = struct.unpack_from(">IIBB", data, 16)
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour_type]
    return Header("png", width, height, channels, complete=data.rfind(b"IEND") >= 0)


def read_bmp(data: bytes) -> Header:
    """Read the information header of a BMP (OS/2 1.x or Windows 3 and later)."""
    (size,) = struct.unpack_from("<I", data, 14)
    if size == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
    else:
        width, height, _, bits = struct.unpack_from("<iiHH", data, 18)
    return Header("bmp", width, abs(height), max(1, bits // 8))


def read_tiff(data: bytes) -> Header:
    """Read the first directory of a TIFF (TIFF 6.0, section 2)."""
    order = "<" if data[:2] == b"II" else ">"
    (at,) = struct.unpack_from(order + "I", data, 4)
    (entries,) = struct.unpack_from(order + "H", data, at)
    tags = {}
    for entry in range(at + 2, at + 2 + 12 * entries, 12):
        tag, kind = struct.unpack_from(order + "HH", data, entry)
        if kind in (3, 4):  # SHORT or LONG, the only types of the tags that are wanted.
            (tags[tag],) = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, entry + 8)
    return Header("tiff", tags[256], tags[257], tags.get(277, 1))


def read_webp(data: bytes) -> Header:
    """Read the first chunk of a WebP (RFC 9649)."""
    (size,) = struct.unpack_from("<I", data, 4)
    complete = len(data) >= size + 8
    chunk = data[12:16]
    if chunk == b"VP8X":
        flags = data[20]
        width = 1 + int.from_bytes(data[24:27], "little")
        height = 1 + int.from_bytes(data[27:30], "little")
        data[29]  # Where the header is cut off, this is an IndexError.
        return Header("webp", width, height, 4 if flags & 0x10 else 3, complete)
    if chunk == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        alpha = bits >> 28 & 1
        return Header("webp", 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF), 3 + alpha, complete)
    if chunk == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return Header("webp", width & 0x3FFF, height & 0x3FFF, 3, complete)
    raise HeaderError("the webp holds no image")


READERS = {"jpeg": read_jpeg, "png": read_png, "bmp": read_bmp, "tiff": read_tiff, "webp": read_webp}
