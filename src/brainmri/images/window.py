"""From the values of a DICOM slice to 0-255: lookup tables and windows (DICOM PS3.3 C.11.1 and C.11.2)."""

import math

import numpy as np


def first_number(value) -> float | None:
    """Return the first of one or several decimal strings, or None where it is no finite number."""
    if value is not None and not isinstance(value, str | int | float):
        value = value[0] if len(value) else None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def windowed(values: np.ndarray, dataset) -> np.ndarray | None:
    """Return values through the first window (C.11.2.1.2 and C.11.2.1.3), 0-255, or None without one.

    Parameters
    ----------
    values : ndarray of float32
        After the modality transformation.
    dataset
        Has or lacks ``WindowCenter``, ``WindowWidth`` and ``VOILUTFunction``.
    """
    center, width = first_number(dataset.get("WindowCenter")), first_number(dataset.get("WindowWidth"))
    if center is None or width is None or width <= 0:
        return None
    function = str(dataset.get("VOILUTFunction") or "LINEAR").strip().upper()
    if function == "SIGMOID":
        # Beyond +-60 it is 0 or 1 to every digit, and would overflow.
        return 255 / (1 + np.exp((-4 / width * (values - center)).clip(-60, 60)))
    if function != "LINEAR_EXACT":
        if width < 1:
            return None
        center, width = center - 0.5, width - 1
    if width == 0:
        return np.where(values > center, np.float32(255), np.float32(0))
    return (((values - np.float32(center)) / np.float32(width) + 0.5) * 255).clip(0, 255)


def spread(values: np.ndarray, shown: np.ndarray | None = None) -> np.ndarray:
    """Return values spread from their least to their largest over 0-255; constant ones become 0.

    Parameters
    ----------
    values : ndarray of float32
    shown : ndarray of bool or None
        Those that count; padding beside the picture does not. All count where none is shown.
    """
    counted = values[shown] if shown is not None and shown.any() else values
    low, high = float(counted.min()), float(counted.max())
    if low == high:
        return np.zeros_like(values)
    return ((values - low) * (255 / (high - low))).clip(0, 255)


def looked_up(values: np.ndarray, table, little_endian: bool) -> np.ndarray:
    """Return what a lookup table gives for integer values; those beyond its ends take the end's (C.11.1.1).

    Parameters
    ----------
    values : ndarray of int
    table
        An item with ``LUTDescriptor`` (entries, first value mapped, bits) and ``LUTData``.
    little_endian
        The byte order of tables that are stored as plain bytes.
    """
    entries, first = int(table.LUTDescriptor[0]) or 1 << 16, int(table.LUTDescriptor[1])
    content = table.LUTData
    if isinstance(content, bytes):
        is_packed = len(content) < 2 * entries  # Tables of 8 bits may have one byte an entry.
        content = np.frombuffer(content, np.uint8 if is_packed else "<u2" if little_endian else ">u2")
    lut = np.asarray(content)[:entries]
    return lut[(values.astype(np.int64) - first).clip(0, len(lut) - 1)]
