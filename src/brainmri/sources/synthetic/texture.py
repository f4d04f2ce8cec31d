"""Smooth random fields in space, so that neighbouring slices show neighbouring texture.

Each field is a sum of plane waves (the spectral method of Shinozuka and Jan, 1972, "Digital simulation of
random processes"): it can be evaluated on any plane, with no volume in memory. On the regular grid of a slice
the sum is a product of two thin matrices. No BLAS multiplies them: for matrices so small its threads cost
more than they give, and its sums may depend on their number.
"""

from dataclasses import dataclass

import cv2
import numpy as np

PHASE_STEP = 0.8  # radians between two samples of a field that is enlarged to the image's size


@dataclass(frozen=True)
class Grid:
    """The sample points of a slice in space: origin + i * down + j * across, in head units.

    Space is (left-right, back-front, low-high).

    Attributes
    ----------
    origin, down, across : numpy.ndarray, shape (3,)
    height, width : int
        Number of samples along `down` and `across`.
    """

    origin: np.ndarray
    down: np.ndarray
    across: np.ndarray
    height: int
    width: int

    def stretched(self, factor) -> "Grid":
        """Return the grid with space scaled by a factor, or by one factor an axis."""
        factor = np.asarray(factor, dtype=np.float64)
        return Grid(self.origin * factor, self.down * factor, self.across * factor, self.height, self.width)

    def windowed(self, region: tuple[slice, slice]) -> "Grid":
        """Return the part of the grid in some rows and columns."""
        rows, columns = region
        origin = self.origin + rows.start * self.down + columns.start * self.across
        return Grid(origin, self.down, self.across, rows.stop - rows.start, columns.stop - columns.start)

    def thinned(self, step: float) -> "Grid":
        """Return a grid over the same area, one sample each `step` old ones, as `cv2.resize` centres it."""
        height, width = max(1, round(self.height / step)), max(1, round(self.width / step))
        down, across = self.down * (self.height / height), self.across * (self.width / width)
        start = self.origin + (down - self.down) / 2 + (across - self.across) / 2
        return Grid(start, down, across, height, width)

    def axis(self, number: int) -> np.ndarray:
        """Return one coordinate in space (height, width) float32 of all samples."""
        down = np.arange(self.height) * self.down[number] + self.origin[number]
        across = np.arange(self.width) * self.across[number]
        return (down[:, None] + across[None]).astype(np.float32)


@dataclass(frozen=True)
class Waves:
    """Plane waves: wave vectors (K, 3) in radians per head unit and phases (K,)."""

    vectors: np.ndarray
    phases: np.ndarray

    def at(self, points: np.ndarray) -> np.ndarray:
        """Return the field (N,) float32, of mean 0 and variance 1, at points (3, N) float32."""
        vectors = self.vectors.astype(np.float32)
        phase = vectors[:, 0, None] * points[0]
        phase += vectors[:, 1, None] * points[1]
        phase += vectors[:, 2, None] * points[2]
        phase += self.phases.astype(np.float32)[:, None]
        np.cos(phase, out=phase)
        return phase.sum(axis=0) * np.float32(np.sqrt(2 / len(self.phases)))

    def over(self, grid: Grid) -> np.ndarray:
        """Return the field (height, width) float32, of mean 0 and variance 1, on a grid.

        cos(a + b) = cos a cos b - sin a sin b parts rows from columns. Slow fields are summed
        on a thinned grid.
        """
        fastest = max(np.abs(self.vectors @ grid.down).max(), np.abs(self.vectors @ grid.across).max())
        coarse = grid.thinned(max(1.0, PHASE_STEP / fastest))
        start = self.vectors @ coarse.origin + self.phases
        down = np.arange(coarse.height)[:, None] * (self.vectors @ coarse.down) + start
        across = np.arange(coarse.width)[:, None] * (self.vectors @ coarse.across)
        left = np.concatenate([np.cos(down), -np.sin(down)], axis=1).astype(np.float32)
        right = np.concatenate([np.cos(across), np.sin(across)], axis=1).astype(np.float32)
        field = np.einsum("hk,wk->hw", left, right) * np.float32(np.sqrt(2 / len(self.phases)))
        return enlarge(field, grid.height, grid.width)


def draw_waves(rng: np.random.Generator, wavelength: float, count: int = 16) -> Waves:
    """Return waves of about one length (head units) in random directions of space."""
    direction = rng.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    number = 2 * np.pi / wavelength * rng.uniform(0.75, 1.25, (count, 1))
    return Waves(direction * number, rng.uniform(0, 2 * np.pi, count))


def slice_grid(plane: str, matrix: np.ndarray, level: float, height: int, width: int) -> Grid:
    """Return the grid of a slice's pixels in space.

    In sagittal slices the face looks to the left: the plane's right is the back of the head.

    Parameters
    ----------
    plane : {'axial', 'coronal', 'sagittal'}
    matrix : numpy.ndarray, shape (2, 3)
        From (right, up) in head units to pixels.
    level
        Position across the plane, in head units.
    height, width
        Of the image, in pixels.
    """
    inverse = cv2.invertAffineTransform(matrix)

    def lift(right: float, up: float, depth: float) -> np.ndarray:
        spots = {"axial": (right, up, depth), "coronal": (right, depth, up), "sagittal": (depth, -right, up)}
        return np.array(spots[plane])

    return Grid(
        lift(inverse[0, 2], inverse[1, 2], level),
        lift(*inverse[:, 1], 0.0),
        lift(*inverse[:, 0], 0.0),
        height,
        width,
    )


def enlarge(field: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a coarse field (h, w) float32 at the image's own size, bilinear."""
    return cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR)
