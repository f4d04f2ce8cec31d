"""What is left of an image that cannot be used, to show it; never to train on."""

import threading
from io import BytesIO

import numpy as np
from PIL import Image, ImageFile

from brainmri.images.decode import DecodeError, decode_gray
from brainmri.images.limits import MAXIMUM_PIXELS

# Formats that only Pillow reads are shown too: their owner sees what is to be converted.
FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF", "JPEG2000", "AVIF")
# Pillow has one switch for the whole process.
_one_at_a_time = threading.Lock()


def salvaged(data: bytes) -> np.ndarray | None:
    """Return as much of an image as can be decoded, 8-bit gray, or None where there is nothing to see.

    Parameters
    ----------
    data
        The bytes of any file.

    Returns
    -------
    ndarray of uint8, shape (height, width), or None
    """
    try:
        return decode_gray(data)
    except DecodeError as error:
        return None if error.status == "oversized" else torn(data)


def torn(data: bytes) -> np.ndarray | None:
    """Return the part of an image that comes before its damage, the rest black or gray; None for none."""
    with _one_at_a_time:
        before = ImageFile.LOAD_TRUNCATED_IMAGES
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            with Image.open(BytesIO(data), formats=FORMATS) as image:
                if image.width * image.height > MAXIMUM_PIXELS:
                    return None
                gray = np.array(image.convert("L"))
        # Pillow's readers raise nearly anything on damaged data.
        except Exception:
            return None
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = before
    return gray if gray.min() < gray.max() else None
