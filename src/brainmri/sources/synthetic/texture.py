"""Smooth random fields in space, so that neighbouring slices show neighbouring texture.

Each field is a sum of plane waves (the spectral method of Shinozuka and Jan, 1972, "Digital simulation of
random processes"): it can be evaluated at any point of any plane, with no volume in memory.
"""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Waves:
    """Plane waves: wave vectors (K, 3) in radians per head unit and phases (K,), both float32."""

    vectors: np.ndarray
    phases: np.ndarray

    def at(self, points: np.ndarray) -> np.ndarray:
        """Return the field, of mean 0 and variance 1, at points (..., 3) float32."""
        phase = points.reshape(-1, 3) @ self.vectors.T
        phase += self.phases
        np.cos(phase, out=phase)
        total = phase.sum(axis=1) * np.float32(np.sqrt(2 / len(self.phases)))
        return total.reshape(points.shape[:-1])


def draw_waves(rng: np.random.Generator, wavelength: float, count: int = 16) -> Waves:
    """Return waves of about one length (head units) in random directions of space."""
    direction = rng.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    number = 2 * np.pi / wavelength * rng.uniform(0.75, 1.25, (count, 1))
    return Waves((direction * number).astype(np.float32), rng.uniform(0, 2 * np.pi, count).astype(np.float32))


def in_space(plane: str, right: np.ndarray, up: np.ndarray, level: float) -> np.ndarray:
    """Return points (..., 3) float32 = (left-right, back-front, low-high) of a slice's coordinates.

    In sagittal slices the face looks to the left: `right` points to the back of the head.
    """
    depth = np.full_like(right, level)
    axes = {"axial": (right, up, depth), "coronal": (right, depth, up), "sagittal": (depth, -right, up)}
    return np.stack(axes[plane], axis=-1)


def enlarge(field: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a coarse field (h, w) float32 at the image's own size, bilinear."""
    return cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR)
