"""Decode an image file's bytes to gray."""

import cv2
import numpy as np

from brainmri.errors import BrainmriError


def decode_gray(data: bytes, name: str = "The image") -> np.ndarray:
    """Decode an image to 8-bit gray, as stored (an EXIF orientation is not applied).

    Parameters
    ----------
    data
        The bytes of a JPEG, PNG, BMP, TIFF or WebP file.
    name
        What the error message calls the image.

    Returns
    -------
    ndarray of uint8, shape (height, width)

    Raises
    ------
    BrainmriError
        If the bytes are no whole image, or one of too many pixels.
    """
    try:
        gray = cv2.imdecode(
            np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
        )
    except cv2.error:
        gray = None
    if gray is None:
        raise BrainmriError(f"{name} cannot be decoded.")
    return gray
