"""Decode an image file's bytes to gray, with the claims of its header checked before."""

import cv2
import numpy as np

from brainmri.errors import BrainmriError
from brainmri.images.header import Header, HeaderError, read_header, sniff_unsupported
from brainmri.images.limits import MAXIMUM_PIXELS
from brainmri.images.png_chunks import still_png

# A side of fewer pixels shows nothing that could be classified: icons, markers, spacers of web pages.
MINIMUM_SIDE = 16

# Colour is converted by the decoder (JPEG: its own luma plane). The depth is kept, to be scaled below;
# an EXIF orientation is not applied, so that width, height and boxes are those of the stored pixels.
FLAGS = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION


class DecodeError(BrainmriError):
    """An image that is not decoded.

    Parameters
    ----------
    status
        The inventory's word for it: ``empty``, ``corrupt``, ``unsupported`` or ``oversized``.
    reason
        Why, in words.
    name
        What the message calls the image.
    """

    def __init__(self, status: str, reason: str, name: str = "The image"):
        super().__init__(f"{name} cannot be used ({status}): {reason}.")
        self.status = status
        self.reason = reason


def checked_header(data: bytes, name: str = "The image", maximum_pixels: int = MAXIMUM_PIXELS) -> Header:
    """Return an image's header, or raise a DecodeError where decoding makes no sense or is unsafe."""
    header = told_header(data, name)
    check_header(header, name, maximum_pixels)
    return header


def told_header(data: bytes, name: str = "The image") -> Header:
    """Return what an image file says of itself, or raise a DecodeError where nothing can be made of it."""
    if not data:
        raise DecodeError("empty", "the file holds no bytes", name)
    try:
        header = read_header(data)
    except HeaderError as error:
        raise DecodeError(error.status, str(error), name) from None
    if header is None:
        other = sniff_unsupported(data)
        if other:
            raise DecodeError("unsupported", f"{other} is not supported: convert it to PNG", name)
        raise DecodeError("corrupt", "the content is no image", name)
    return header


def check_header(header: Header, name: str = "The image", maximum_pixels: int = MAXIMUM_PIXELS) -> None:
    """Raise a DecodeError where what a header says makes decoding senseless or unsafe."""
    if header.width * header.height > maximum_pixels:
        raise DecodeError(
            "oversized",
            f"the header says {header.width} x {header.height} pixels, over {maximum_pixels} in all",
            name,
        )
    if not header.complete:
        raise DecodeError("corrupt", "the file is cut off: the end of the image is missing", name)
    if header.problem is not None:
        raise DecodeError(*header.problem, name)
    if min(header.width, header.height) < MINIMUM_SIDE:
        raise DecodeError(
            "unsupported",
            f"{header.width} x {header.height} pixels, a side under {MINIMUM_SIDE}: too small to classify",
            name,
        )


def to_8_bits(gray: np.ndarray) -> np.ndarray:
    """Scale a gray image of any depth to 8 bits.

    Integers lose as many low bits as it takes for the largest value to fit, so 12-bit values in 16-bit
    files do not turn black, and 8-bit values in 16-bit files stay as they are. Floating-point values are
    scaled so that the largest becomes 255. Negative and undefined values become 0.

    Parameters
    ----------
    gray : ndarray, shape (height, width)

    Returns
    -------
    ndarray of uint8, shape (height, width)
    """
    if gray.dtype == np.uint8:
        return gray
    if np.issubdtype(gray.dtype, np.floating):
        gray = np.nan_to_num(gray.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0).clip(min=0)
        largest = gray.max()
        return np.rint(gray * (255 / largest) if largest > 0 else gray).astype(np.uint8)
    gray = gray.clip(min=0)
    surplus = max(0, int(gray.max()).bit_length() - 8)
    return (gray >> surplus).astype(np.uint8)


def decode_gray(data: bytes, name: str = "The image", maximum_pixels: int = MAXIMUM_PIXELS) -> np.ndarray:
    """Decode an image to 8-bit gray, as stored: an EXIF orientation is not applied.

    Of a file with several frames or pages, the first counts. Alpha of PNG, WebP and colour TIFF is laid over
    black, the ground of every MRI: what was made transparent is hidden, whatever colour lies under it. An
    alpha that hides all is taken for filling, and dropped, as is that of a BMP. DICOM: see
    `brainmri.images.dicom`.

    Parameters
    ----------
    data
        The bytes of a JPEG, PNG, BMP, TIFF, WebP or DICOM file.
    name
        What the error message calls the image.
    maximum_pixels
        A header that claims more is refused before anything is decoded.

    Returns
    -------
    ndarray of uint8, shape (height, width)

    Raises
    ------
    DecodeError
        If the bytes are no whole image of a supported format, or one of too many pixels.
    """
    return decode_checked(data, checked_header(data, name, maximum_pixels), name)


def decode_checked(data: bytes, header: Header, name: str = "The image") -> np.ndarray:
    """Decode an image whose header has been checked; see `decode_gray`."""
    if header.format == "dicom":
        # Imported where one is met: pydicom takes a quarter of a second, and few data sets need it.
        from brainmri.images.dicom import decode_dicom

        try:
            return decode_dicom(data)
        except HeaderError as error:
            raise DecodeError(error.status, str(error), name) from None
    if header.format == "png" and b"acTL" in data:
        data = still_png(data)
    try:
        gray = cv2.imdecode(np.frombuffer(data, np.uint8), FLAGS)
    except (cv2.error, MemoryError):
        gray = None
    if gray is None:
        raise DecodeError("corrupt", f"the {header.format} data cannot be decoded", name)
    # libtiff turns an image whose orientation says so, whatever the flags: the sides may be swapped.
    if sorted(gray.shape) != sorted((header.height, header.width)):
        raise DecodeError(
            "corrupt",
            f"the header says {header.width} x {header.height} pixels, the data {gray.shape[1]} x "
            f"{gray.shape[0]}",
            name,
        )
    if "alpha" in header.remarks and header.format in ("png", "webp"):
        return over_black(to_8_bits(gray), data)
    return to_8_bits(gray)


def over_black(gray: np.ndarray, data: bytes) -> np.ndarray:
    """Lay a gray image over black with the alpha of its file."""
    colour = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if colour is None or colour.ndim != 3 or colour.shape[2] != 4 or colour.shape[:2] != gray.shape:
        return gray  # A gray level of a PNG that stands for transparency; the decoder tells no alpha.
    largest = np.iinfo(colour.dtype).max
    alpha = colour[..., 3]
    if not alpha.any() or (alpha == largest).all():
        return gray
    return np.rint(gray * (alpha / np.float32(largest))).astype(np.uint8)
