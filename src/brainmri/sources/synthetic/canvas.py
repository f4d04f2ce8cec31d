"""A slice plane as a drawing surface: smooth closed curves in head units, anti-aliased onto pixels.

One head unit is about 95 mm: the head is two units long. Curves are Catmull-Rom splines (Catmull and Rom,
1974, "A class of local interpolating splines") through a few control points.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import cv2
import numpy as np

SHIFT = 4  # sub-pixel bits of OpenCV's drawing functions
STEPS = 8  # spline points between two control points
BLOB_POINTS = 12  # control points of an ellipse


@lru_cache(maxsize=1)
def _spline_basis() -> np.ndarray:
    """Return the (STEPS, 4) weights of four control points along one span."""
    t = np.linspace(0, 1, STEPS, endpoint=False)
    powers = np.stack([np.ones_like(t), t, t**2, t**3], axis=1)
    spline = 0.5 * np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]])
    return powers @ spline


def smooth(points, closed: bool = True) -> np.ndarray:
    """Return a smooth curve through control points.

    Parameters
    ----------
    points : array_like, shape (K, 2)
        Control points in head units.
    closed
        Whether the curve returns to its start.

    Returns
    -------
    numpy.ndarray, shape (K * STEPS, 2) where closed, else ((K - 1) * STEPS + 1, 2)
    """
    points = np.asarray(points, dtype=np.float64)
    if closed:
        padded = np.concatenate([points[-1:], points, points[:2]])
    else:
        padded = np.concatenate([points[:1], points, points[-1:]])
    spans = np.stack([padded[i : len(padded) - 3 + i] for i in range(4)], axis=1)
    curve = np.einsum("sf,kfd->ksd", _spline_basis(), spans).reshape(-1, 2)
    return curve if closed else np.concatenate([curve, points[-1:]])


def mirrored(half) -> np.ndarray:
    """Return control points of a left-right symmetric outline from its right half, top to bottom.

    Points on the midline (first coordinate 0) are not doubled.
    """
    half = np.asarray(half, dtype=np.float64)
    left = half[::-1][np.abs(half[::-1, 0]) > 1e-9] * [-1, 1]
    return np.concatenate([half, left])


def offset(curve: np.ndarray, distance) -> np.ndarray:
    """Return a closed, clockwise curve moved outwards along its normals.

    Parameters
    ----------
    curve : numpy.ndarray, shape (N, 2)
        In head units, second coordinate upwards.
    distance : float or numpy.ndarray, shape (N,)
        How far, in head units.
    """
    tangent = np.roll(curve, -1, axis=0) - np.roll(curve, 1, axis=0)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    normal /= np.maximum(np.hypot(normal[:, 0], normal[:, 1]), 1e-9)[:, None]
    return curve + normal * np.reshape(distance, (-1, 1))


def blob(center, radii, angle: float = 0.0) -> np.ndarray:
    """Return control points of an ellipse, clockwise; `angle` in radians."""
    t = -np.linspace(0, 2 * np.pi, BLOB_POINTS, endpoint=False)
    x, y = radii[0] * np.cos(t), radii[1] * np.sin(t)
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.stack([center[0] + cosine * x - sine * y, center[1] + sine * x + cosine * y], axis=1)


@dataclass(frozen=True)
class Frame:
    """Where a slice lies in its image.

    Attributes
    ----------
    matrix : numpy.ndarray, shape (2, 3)
        From head units (right, up) to pixels (column, row).
    height, width : int
        Of the image, in pixels.
    sway : tuple of numpy.ndarray
        A slow displacement of all drawn curves: wave vectors (J, 2), phases (J,), amplitudes (J, 2), so that
        no two patients have the same shapes.
    """

    matrix: np.ndarray
    height: int
    width: int
    sway: tuple

    @cached_property
    def scale(self) -> float:
        """Pixels per head unit."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:, :2]))))

    def bent(self, points: np.ndarray) -> np.ndarray:
        """Return points (N, 2) in head units after the sway, in head units."""
        waves, phases, amplitudes = self.sway
        return points + np.sin(points @ waves.T + phases) @ amplitudes

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Return points (N, 2) in head units as pixel positions (N, 2), sway included."""
        return self.bent(points) @ self.matrix[:, :2].T + self.matrix[:, 2]

    def coordinates(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the head units (right, up) of the pixels' centres.

        Returns
        -------
        tuple of two numpy.ndarray, shape (height, width), float32
        """
        inverse = cv2.invertAffineTransform(self.matrix)
        rows, columns = np.arange(self.height, dtype=float), np.arange(self.width, dtype=float)
        right = inverse[0, 0] * columns[None] + inverse[0, 1] * rows[:, None] + inverse[0, 2]
        up = inverse[1, 0] * columns[None] + inverse[1, 1] * rows[:, None] + inverse[1, 2]
        return right.astype(np.float32), up.astype(np.float32)


class Canvas:
    """An image under construction: 8-bit brightness, painted over in order.

    Attributes
    ----------
    frame : Frame
    image : numpy.ndarray, shape (height, width), uint8
    """

    def __init__(self, frame: Frame):
        self.frame = frame
        self.image = np.zeros((frame.height, frame.width), np.uint8)

    def _fixed(self, curve: np.ndarray) -> np.ndarray:
        return np.round(self.frame.pixels(curve) * (1 << SHIFT)).astype(np.int32)

    def area(self, curve: np.ndarray, value: float) -> None:
        """Fill a closed curve (N, 2) with one brightness."""
        cv2.fillPoly(self.image, [self._fixed(curve)], float(value), cv2.LINE_AA, SHIFT)

    def fill(self, points, value: float) -> None:
        """Fill the smooth outline through control points with one brightness."""
        self.area(smooth(points), value)

    def pair(self, points, value: float) -> None:
        """Fill an outline and its mirror image across the midline."""
        curve = smooth(points)
        self.area(curve, value)
        self.area(curve * [-1, 1], value)

    def line(self, points, value: float, width: float) -> None:
        """Draw a smooth line; `width` in head units, at least one pixel."""
        self.stroke(smooth(points, closed=False), value, width)

    def stroke(self, curve: np.ndarray, value: float, width: float, closed: bool = False) -> None:
        """Draw a ready curve; `width` in head units, at least one pixel."""
        thickness = max(1, round(width * self.frame.scale))
        cv2.polylines(self.image, [self._fixed(curve)], closed, float(value), thickness, cv2.LINE_AA, SHIFT)

    def mask(self, curve: np.ndarray) -> np.ndarray:
        """Return the coverage (height, width) uint8, 0 to 255, of a closed curve, drawing nothing."""
        mask = np.zeros_like(self.image)
        cv2.fillPoly(mask, [self._fixed(curve)], 255, cv2.LINE_AA, SHIFT)
        return mask

    def blend(self, values: np.ndarray, mask: np.ndarray, region: tuple[slice, slice]) -> None:
        """Paint brightness (h, w) float32 into a region (rows, columns) as far as a mask covers."""
        under = self.image[region]
        weight = mask[region].astype(np.float32)
        weight *= np.float32(1 / 255)
        mixed = values - under
        mixed *= weight
        mixed += under
        self.image[region] = cv2.convertScaleAbs(mixed)


def region_of(mask: np.ndarray) -> tuple[slice, slice]:
    """Return the rows and columns that a mask (height, width) uint8 covers."""
    left, top, width, height = cv2.boundingRect(mask)
    return slice(top, top + height), slice(left, left + width)
