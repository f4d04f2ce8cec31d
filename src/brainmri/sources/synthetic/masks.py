"""Where head and lesion lie in an image: boxes, and masks as bytes."""

import cv2
import numpy as np

from brainmri.errors import BrainmriError


def box_of(mask: np.ndarray) -> tuple[int, int, int, int] | tuple[None, None, None, None]:
    """Return (left, top, right, bottom), half open, of what is True in a mask (height, width)."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if columns.size == 0:
        return None, None, None, None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def mask_bytes(mask: np.ndarray) -> bytes:
    """Return a mask (height, width) bool as the bytes of a 1-bit PNG file."""
    image = mask.astype(np.uint8) * 255
    _, data = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_BILEVEL, 1, cv2.IMWRITE_PNG_COMPRESSION, 3])
    return data.tobytes()


def lesion_mask(data: bytes) -> np.ndarray:
    """Return the lesion's mask from a row of the truth table.

    Parameters
    ----------
    data
        The cell of column ``lesion_mask``: a 1-bit PNG file of the image's size, white on the lesion.

    Returns
    -------
    numpy.ndarray, shape (height, width), bool

    Raises
    ------
    BrainmriError
        If these are not the bytes of such a mask, as where the image has no lesion.
    """
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) if data else None
    if image is None:
        raise BrainmriError("There is no lesion mask in this row: ask only where lesion_area is above 0.")
    return image > 127


def image_truth(head: np.ndarray, lesion: np.ndarray) -> dict:
    """Return the truth columns that follow from an image's masks (height, width) bool."""
    row = dict(zip(("head_left", "head_top", "head_right", "head_bottom"), box_of(head), strict=True))
    row.update(
        zip(("lesion_left", "lesion_top", "lesion_right", "lesion_bottom"), box_of(lesion), strict=True)
    )
    area = int(lesion.sum())
    return {
        "height": int(head.shape[0]),
        "width": int(head.shape[1]),
        **row,
        "lesion_area": area if area else None,
        "lesion_mask": mask_bytes(lesion) if area else None,
    }
