"""Single slices of DICOM, to 8-bit gray as a viewer shows them.

From stored values to gray goes as DICOM PS3.3 C.11 says: the modality LUT or the rescale (C.11.1), then
the VOI LUT or the first window (C.11.2), where there is neither from the slice's least value to its
largest; MONOCHROME1 is inverted (C.7.6.3.1.2). Colour is converted to gray.

Nobody's name or id leaves this module: a patient is told by the digest of the id alone, which is a
pseudonym and no anonymisation.
"""

import hashlib
import logging
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

import cv2
import numpy as np
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.encaps import get_frame
from pydicom.pixels import apply_color_lut, get_decoder, pixel_array
from pydicom.uid import DeflatedExplicitVRLittleEndian, RLELossless, UID_dictionary

from brainmri.images.header import Header, HeaderError, read_jpeg, remarks_if
from brainmri.images.window import first_number, looked_up, spread, windowed

IMAGE_TAGS = [
    "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration",
    "NumberOfFrames", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue",
]  # fmt: skip
HEADER_TAGS = [*IMAGE_TAGS, "SOPClassUID", "PatientID", "StudyInstanceUID", "BurnedInAnnotation"]
PIXEL_TAGS = [
    *IMAGE_TAGS, "PixelData", "FloatPixelData", "DoubleFloatPixelData", "ModalityLUTSequence",
    "RescaleSlope", "RescaleIntercept", "VOILUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction",
    "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData", "BluePaletteColorLookupTableData",
    "SegmentedRedPaletteColorLookupTableData", "SegmentedGreenPaletteColorLookupTableData",
    "SegmentedBluePaletteColorLookupTableData",
]  # fmt: skip
MONOCHROME = ("MONOCHROME1", "MONOCHROME2")
# The decoders give all of these as RGB, but for the palette.
COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "PALETTE COLOR")
OTHER_COLOURS = ("HSV", "ARGB", "CMYK", "YBR_PARTIAL_420", "YBR_PARTIAL_422", "XYB")
# How pixels in a float, a double or an integer element begin, in both byte orders.
PIXEL_ELEMENTS = {b"\xe0\x7f" + low for low in (b"\x10\x00", b"\x08\x00", b"\x09\x00")} | {
    b"\x7f\xe0" + low for low in (b"\x00\x10", b"\x00\x08", b"\x00\x09")
}
# RLE can blow two bytes up to 128; so many of them stay within a gigabyte.
MAXIMUM_RLE_BYTES = 1 << 24
# Ids that anonymisers leave to everybody: they say nothing of who is whose sibling.
PLACEHOLDERS = {"", "0", "1", "na", "none", "null", "unknown", "removed", "id", "patient", "patientid"}
PLACEHOLDER_STARTS = ("anon", "deident", "deid", "xxx", "000")

# Its messages quote what stands in a file: the names of patients, for one.
logging.getLogger("pydicom").propagate = False

# `warnings` are filtered for all threads at once, and pydicom holds Python's lock in any case.
_one_at_a_time = threading.RLock()


@dataclass(frozen=True)
class Stored:
    """A slice as it is stored, with what it takes to show it."""

    values: np.ndarray
    dataset: Dataset


@contextmanager
def readable() -> Iterator[None]:
    """Turn whatever pydicom raises on damaged data into a HeaderError, and keep its warnings quiet."""
    try:
        with _one_at_a_time, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except HeaderError:
        raise
    # Damaged elements raise nearly anything, from struct.error to RecursionError.
    except Exception as error:
        raise HeaderError(f"the DICOM data cannot be read: {sentence(error)}") from None


def sentence(error: Exception) -> str:
    """Return an error's words up to the first that may be from the file itself: what it quotes."""
    text = re.split(r"""['"<]|[^\x20-\x7e]""", " ".join(str(error).split()))[0].strip(" .:")
    return text[:120] or type(error).__name__


def known_name(uid: str | None) -> str | None:
    """Return the name of a UID of the standard; others may be anything that stands in a damaged file."""
    return UID_dictionary[uid][0] if uid in UID_dictionary else None


def read_dicom_header(data: bytes) -> Header:
    """Read the elements before the pixels; nothing is decoded.

    Parameters
    ----------
    data
        The bytes of a DICOM file, with its preamble.

    Raises
    ------
    HeaderError
        If the file holds no image, or is damaged.
    """
    # pydicom would inflate the whole file, to whatever size.
    if DeflatedExplicitVRLittleEndian.encode() in data:
        name = DeflatedExplicitVRLittleEndian.name
        raise HeaderError(f"the transfer syntax {name} is not supported: convert it", "unsupported")
    with readable():
        file = BytesIO(data)
        dataset = dcmread(file, stop_before_pixels=True, specific_tags=HEADER_TAGS)
        place = file.tell()
        if "Rows" not in dataset or "Columns" not in dataset:
            raise_no_image(dataset)
        has_pixels = data[place : place + 4] in PIXEL_ELEMENTS
        photometric = str(dataset.get("PhotometricInterpretation", "")).strip()
        return Header(
            format="dicom",
            width=int(dataset.Columns),
            height=int(dataset.Rows),
            channels=int(dataset.get("SamplesPerPixel", 1)),
            complete=has_pixels,
            remarks=remarks_if(
                palette=photometric == "PALETTE COLOR",
                burned_in=str(dataset.get("BurnedInAnnotation", "")).strip().upper() == "YES",
            ),
            patient=pseudonym(dataset),
            problem=problem_of(dataset, photometric),
        )


def raise_no_image(dataset: Dataset) -> None:
    """Raise a HeaderError for a DICOM file without rows and columns."""
    name = known_name(dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID"))
    if name is None:
        raise HeaderError("the DICOM data is cut off or damaged: it does not tell what it is")
    if "Image Storage" in name:
        raise HeaderError(f"the DICOM data is cut off or damaged: {name} without rows and columns")
    raise HeaderError(f"the DICOM file holds no image ({name})", "unsupported")


def problem_of(dataset: Dataset, photometric: str) -> tuple[str, str] | None:
    """Return status and reason where the header tells that a slice is not decoded, or None."""
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames > 1:
        return "unsupported", f"{frames} frames (NumberOfFrames > 1): export the slices as single files"
    if not photometric:
        return "corrupt", "the DICOM data does not tell its photometric interpretation"
    if photometric not in (*MONOCHROME, *COLOURS):
        name = photometric if photometric in OTHER_COLOURS else "that it tells"
        return "unsupported", f"the photometric interpretation {name} is not supported"
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if not syntax:
        return "corrupt", "the DICOM data does not tell its transfer syntax"
    advice = "convert it to an uncompressed one"
    try:
        if get_decoder(syntax).is_available:
            return None
    except NotImplementedError:
        pass
    name = known_name(syntax) or "that it tells"
    return "unsupported", f"the transfer syntax {name} is not supported: {advice}"


def pseudonym(dataset: Dataset) -> str | None:
    """Return a patient's pseudonym: of the id, or where that is a placeholder, of the study; or None."""
    identity = str(dataset.get("PatientID") or "").strip()
    plain = re.sub(r"[^a-z0-9]", "", identity.lower())
    if plain in PLACEHOLDERS or plain.startswith(PLACEHOLDER_STARTS):
        # The images of one study are of one patient, whoever that is.
        identity = str(dataset.get("StudyInstanceUID") or "").strip()
    return f"dicom-{hashlib.sha256(identity.encode()).hexdigest()[:16]}" if identity else None


def decode_dicom(data: bytes) -> np.ndarray:
    """Decode a slice whose header was read and found free of problems.

    Parameters
    ----------
    data
        The bytes of a DICOM file.

    Returns
    -------
    ndarray of uint8, shape (height, width)

    Raises
    ------
    HeaderError
        If the pixels are damaged, or not as the header says.
    """
    with readable():
        stored = stored_slice(data)
        if str(stored.dataset.PhotometricInterpretation).strip() in MONOCHROME:
            return gray_of(stored)
        return gray_of_colour(stored)


def stored_slice(data: bytes) -> Stored:
    """Return the values of the only frame, as they are stored."""
    dataset = dcmread(BytesIO(data), specific_tags=PIXEL_TAGS)
    shape = (int(dataset.Rows), int(dataset.Columns))
    if dataset.file_meta.TransferSyntaxUID.is_compressed:
        check_frame(dataset, shape)
    try:
        values = pixel_array(dataset)
    except NotImplementedError as error:
        raise HeaderError(f"the DICOM pixels are not decoded: {sentence(error)}", "unsupported") from None
    colour = str(dataset.PhotometricInterpretation).strip() in COLOURS[:-1]
    if values.shape != ((*shape, 3) if colour else shape):
        raise HeaderError(f"the DICOM header says {shape[1]} x {shape[0]} pixels, the data {values.shape}")
    return Stored(values, dataset)


def check_frame(dataset: Dataset, shape: tuple[int, int]) -> None:
    """Raise a HeaderError where a compressed frame, not yet decoded, says another size than the header."""
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    if dataset.file_meta.TransferSyntaxUID == RLELossless:
        expected = shape[0] * shape[1] * int(dataset.SamplesPerPixel) * int(dataset.BitsAllocated) // 8
        if len(frame) > min(MAXIMUM_RLE_BYTES, 2 * expected + 1024):
            raise HeaderError(f"{len(frame)} bytes of RLE data for {expected} bytes of pixels", "oversized")
        return
    if frame[:3] == b"\xff\xd8\xff":
        inner = read_jpeg(frame)
        if not inner.complete:
            raise HeaderError("the file is cut off: the end of the image is missing")
        size = (inner.width, inner.height)
    else:
        with Image.open(BytesIO(frame), formats=["JPEG2000"]) as image:
            size = image.size
    if size != (shape[1], shape[0]):
        raise HeaderError(
            f"the DICOM header says {shape[1]} x {shape[0]} pixels, the data {size[0]} x {size[1]}"
        )


def gray_of(stored: Stored) -> np.ndarray:
    """Apply modality and VOI transformations to a monochrome slice."""
    dataset, values = stored.dataset, stored.values
    little_endian = dataset.file_meta.TransferSyntaxUID.is_little_endian
    padding = dataset.get("PixelPaddingValue")
    shown = values != padding if isinstance(padding, int) else None
    if dataset.get("ModalityLUTSequence"):
        values = looked_up(values, dataset.ModalityLUTSequence[0], little_endian)
    slope = first_number(dataset.get("RescaleSlope")) or 1
    intercept = first_number(dataset.get("RescaleIntercept")) or 0
    values = values.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    gray = windowed(values, dataset)
    if gray is None and dataset.get("VOILUTSequence"):
        table = dataset.VOILUTSequence[0]
        gray = looked_up(np.rint(values).astype(np.int64), table, little_endian)
        gray = (gray * np.float32(255 / (2 ** int(table.LUTDescriptor[2]) - 1))).clip(0, 255)
    if gray is None or gray.min() == gray.max():
        # No window, or one that hides all there is to see.
        gray = spread(values, shown)
    gray = np.rint(gray).astype(np.uint8)
    return 255 - gray if str(dataset.PhotometricInterpretation).strip() == "MONOCHROME1" else gray


def gray_of_colour(stored: Stored) -> np.ndarray:
    """Convert a colour slice to gray."""
    dataset, values = stored.dataset, stored.values
    bits = int(dataset.BitsStored)
    if str(dataset.PhotometricInterpretation).strip() == "PALETTE COLOR":
        values = apply_color_lut(values, dataset)
        bits = 8 * values.dtype.itemsize
    values = (values >> max(0, bits - 8)).astype(np.uint8)
    return cv2.cvtColor(np.ascontiguousarray(values[..., :3]), cv2.COLOR_RGB2GRAY)
