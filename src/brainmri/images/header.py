"""What an image file says of itself, read from its first bytes without decoding.

Hostile files claim sizes that would fill the memory: the claim is read here first.
"""

import struct
from dataclasses import dataclass, replace

from brainmri.images.jpeg_quality import quality_of
from brainmri.images.png_chunks import chunks_of
from brainmri.images.tiff_tags import first_directory, orientation_of, webp_orientation

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
    ".dcm": "dicom",
    ".dicom": "dicom",
    ".ima": "dicom",
}
# Endings of other image formats; what lies under them is an image all the same, and is named as such.
UNSUPPORTED_EXTENSIONS = {
    ".gif", ".nii", ".gz", ".mat", ".mha", ".mhd", ".nrrd", ".jp2", ".jxl", ".avif",
    ".heic", ".psd", ".exr", ".npy", ".npz", ".hdf5", ".h5",
}  # fmt: skip
# How other image formats begin: named in the reason, so that their owner knows what to convert.
UNSUPPORTED = (
    (0, b"GIF8", "GIF"),
    # Without preamble and file meta information nothing tells the transfer syntax.
    (0, b"\x08\x00\x05\x00", "DICOM without its file header (PS3.10)"),
    (0, b"\x08\x00\x08\x00", "DICOM without its file header (PS3.10)"),
    (0, b"\x08\x00\x00\x00\x04\x00\x00\x00", "DICOM without its file header (PS3.10)"),
    (0, b"\x02\x00\x00\x00UL\x04\x00", "DICOM without its preamble (PS3.10)"),
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
# More scans than any encoder writes: a small progressive file could keep the decoder busy for hours.
MAXIMUM_SCANS = 100
# A decoder keeps a whole tile in memory, however small the image.
MAXIMUM_TILE_PIXELS = 1 << 22
TINY_SIDE = 32


class HeaderError(ValueError):
    """The first bytes say which format it is, and then are cut off or make no sense.

    Parameters
    ----------
    reason
        Why, in words.
    status
        The inventory's word for it.
    """

    def __init__(self, reason: str, status: str = "corrupt"):
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class Header:
    """What an image file says of itself.

    Parameters
    ----------
    format
        ``jpeg``, ``png``, ``bmp``, ``tiff``, ``webp`` or ``dicom``.
    width, height
        Pixels, as stored.
    channels
        Values stored for one pixel; an index into a palette is one.
    complete
        False where the end mark of the format is missing: the file is cut off.
    remarks
        What is odd about it, in the words of `brainmri.images.remarks.REMARKS`.
    jpeg_quality
        Of a JPEG: the quality (1-100) that its luma quantisation table tells.
    patient
        Of a DICOM file: a pseudonym of the patient.
    problem
        The inventory's status and the reason why it is not decoded, where its header tells.
    """

    format: str
    width: int
    height: int
    channels: int
    complete: bool = True
    remarks: tuple[str, ...] = ()
    jpeg_quality: int | None = None
    patient: str | None = None
    problem: tuple[str, str] | None = None


def sniff(data: bytes) -> str | None:
    """Return the format that the first bytes show: a key of `READERS`, or None."""
    if data[128:132] == b"DICM":  # What stands before is free, and may look like a TIFF.
        return "dicom"
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
    if min(header.width, header.height) < TINY_SIDE:
        return replace(header, remarks=(*header.remarks, "tiny"))
    return header


def remarks_if(**conditions: bool) -> tuple[str, ...]:
    """Return the names of the conditions that hold."""
    return tuple(name for name, holds in conditions.items() if holds)


def read_jpeg(data: bytes) -> Header:
    """Read the frame header of a JPEG (ITU-T T.81, B.2.2), and look for the end mark behind the scan."""
    frame, is_sequential, quality, orientation, at = None, False, None, 1, 2
    while True:
        marker = data[at + 1]
        if data[at] != 0xFF or marker == 0x00:  # libjpeg goes on right behind FF 00, without a length.
            raise HeaderError("the jpeg header is damaged: a marker is missing")
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
            frame, is_sequential = (width, height, channels), marker in (0xC0, 0xC1)
        elif marker == 0xDB and quality is None:
            quality = quality_of(data[at + 4 : at + 2 + length])
        elif marker == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
            orientation = orientation_of(data[at + 10 : at + 2 + length])
        elif marker == 0xDA:
            if frame is None:
                raise HeaderError("the jpeg has a scan and no frame")
            # A sequential scan of all channels is the only one: libjpeg refuses a second, and the data need
            # not be searched for it.
            if not is_sequential or data[at + 4] < frame[2]:
                scans = data.count(b"\xff\xda", at)
                if scans > MAXIMUM_SCANS:
                    raise HeaderError(f"the jpeg has {scans} scans, over {MAXIMUM_SCANS}")
            remarks = remarks_if(cmyk=frame[2] == 4, exif_rotated=orientation > 1)
            complete = data.rfind(b"\xff\xd9", at) >= 0
            return Header("jpeg", *frame, complete, remarks, quality)
        at += 2 + max(length, 2)


def read_png(data: bytes) -> Header:
    """Read the chunks of a PNG (W3C PNG, 11.2.1 and 11.3)."""
    if data[12:16] != b"IHDR":
        raise HeaderError("the png does not begin with its header")
    width, height, depth, colour_type = struct.unpack_from(">IIBB", data, 16)
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour_type]
    alpha, animated, orientation, kind = colour_type in (4, 6), False, 1, b""
    # A length that lies makes the decoder ask for gigabytes, so that all chunks are walked through.
    for kind, start, end in chunks_of(data):
        alpha |= kind == b"tRNS"
        animated |= kind == b"acTL"
        if kind == b"eXIf":
            orientation = orientation_of(data[start:end])
    remarks = remarks_if(
        palette=colour_type == 3,
        sixteen_bit=depth == 16,
        alpha=alpha,
        exif_rotated=orientation > 1,
        animated=animated,
    )
    return Header("png", width, height, channels, kind == b"IEND", remarks)


def read_bmp(data: bytes) -> Header:
    """Read the information header of a BMP (OS/2 1.x or Windows 3 and later)."""
    (size,) = struct.unpack_from("<I", data, 14)
    if size == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
    else:
        width, height, _, bits = struct.unpack_from("<iiHH", data, 18)
    # The fourth byte of most 32-bit files is filling; newer headers have a mask that tells alpha.
    alpha = bits == 32 and size >= 56 and any(data[66:70])
    return Header("bmp", width, abs(height), max(1, bits // 8), remarks=remarks_if(alpha=alpha))


def read_tiff(data: bytes) -> Header:
    """Read the first directory of a TIFF (TIFF 6.0, sections 2, 8, 15, 16 and 18)."""
    tags, next_directory = first_directory(data)
    tile = (tags.get(322, 1), tags.get(323, 1))
    if tile[0] * tile[1] > max(tags[256] * tags[257], MAXIMUM_TILE_PIXELS):
        raise HeaderError(f"the tiff header says tiles of {tile[0]} x {tile[1]} pixels")
    remarks = remarks_if(
        cmyk=tags.get(262) == 5,
        palette=tags.get(262) == 3,
        sixteen_bit=tags.get(258, 1) > 8,
        alpha=tags.get(338, 0) in (1, 2),
        exif_rotated=tags.get(274, 1) > 1,
        animated=next_directory != 0,
    )
    return Header("tiff", tags[256], tags[257], tags.get(277, 1), remarks=remarks)


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
        remarks = remarks_if(
            alpha=bool(flags & 0x10),
            exif_rotated=bool(flags & 0x08) and webp_orientation(data) > 1,
            animated=bool(flags & 0x02),
        )
        return Header("webp", width, height, 4 if flags & 0x10 else 3, complete, remarks)
    if chunk == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        alpha = bits >> 28 & 1
        size = (1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
        return Header("webp", *size, 3 + alpha, complete, remarks_if(alpha=bool(alpha)))
    if chunk == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return Header("webp", width & 0x3FFF, height & 0x3FFF, 3, complete)
    raise HeaderError("the webp holds no image")


def read_dicom(data: bytes) -> Header:
    """Read the elements of a DICOM file before its pixels; see `brainmri.images.dicom`."""
    # Imported where one is met: pydicom takes a quarter of a second, and few data sets need it.
    from brainmri.images.dicom import read_dicom_header

    return read_dicom_header(data)


READERS = {
    "jpeg": read_jpeg,
    "png": read_png,
    "bmp": read_bmp,
    "tiff": read_tiff,
    "webp": read_webp,
    "dicom": read_dicom,
}
