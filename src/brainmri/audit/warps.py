"""Affine maps between two images: which turn they are nearest to, and what they do beside it, in words."""

from dataclasses import dataclass

import numpy as np

from brainmri.audit.turns import TURNS


@dataclass(frozen=True)
class Warp:
    """An affine map, taken apart: first a turn, then zooms along x and y (and shear), then a rotation.

    Attributes
    ----------
    turn : str
        A key of `TURNS`.
    angle : float
        Degrees anticlockwise, between -45 and 45.
    zoom : tuple of float
        Along x and y.
    shift : tuple of float
        How far the middle of the first image lies from the middle of the second; pixels of the second.
    """

    turn: str
    angle: float
    zoom: tuple[float, float]
    shift: tuple[float, float]

    def words(self) -> str:
        """Return the map as the column `transform` tells it."""
        turn = "" if self.turn == "identity" else f"{self.turn} "
        zoom, shift = ("{:.3f}x{:.3f}".format(*self.zoom), "{:.1f},{:.1f}".format(*self.shift))
        return f"{turn}rotate={self.angle:.1f} zoom={zoom} shift={shift}"


def turn_matrix(transform: str, width: float, height: float) -> np.ndarray:
    """Return the matrix (3, 3) of pixels that `turned` means for an image of a width and a height."""
    mirror, quarters = TURNS[transform]
    matrix = np.array([[-1.0, 0, width - 1], [0, 1, 0], [0, 0, 1]]) if mirror else np.eye(3)
    for _ in range(quarters):
        matrix = np.array([[0.0, 1, 0], [-1, 0, width - 1], [0, 0, 1]]) @ matrix
        width, height = height, width
    return matrix


def taken_apart(matrix: np.ndarray, size_a: tuple[float, float], size_b: tuple[float, float]) -> Warp:
    """Take apart an affine map (2, 3) between images of two sizes (width, height)."""
    linear = matrix[:, :2]
    found = []
    for name in TURNS:
        rest = linear @ np.linalg.inv(turn_matrix(name, 1, 1)[:2, :2])
        if np.linalg.det(rest) > 0:
            found.append((abs(np.arctan2(-rest[1, 0], rest[0, 0])), name, rest))
    _, turn, rest = min(found, key=lambda one: one[0])
    angle = np.arctan2(-rest[1, 0], rest[0, 0])
    cosine, sine = np.cos(angle), np.sin(angle)
    upright = np.array([[cosine, -sine], [sine, cosine]]) @ rest
    middles = [(np.array(size) - 1) / 2 for size in (size_a, size_b)]
    shift = linear @ middles[0] + matrix[:, 2] - middles[1]
    return Warp(
        turn, float(np.rad2deg(angle)), (float(upright[0, 0]), float(upright[1, 1])), tuple(shift.tolist())
    )


def distance_to_turn(matrix: np.ndarray, turn: str, side: int) -> float:
    """Return how far a map (2, 3) moves the corners of a square from where a turn moves them; pixels."""
    last = side - 1
    corners = np.array([[0, last, 0, last], [0, 0, last, last], [1, 1, 1, 1]], float)
    apart = (matrix - turn_matrix(turn, side, side)[:2]) @ corners
    return float(np.hypot(*apart).max())


def between_originals(
    matrix: np.ndarray, side: int, size_a: tuple[float, float], size_b: tuple[float, float]
) -> np.ndarray:
    """Return a map (2, 3) between squares as the map between the originals, of (width, height) pixels."""
    to_a, to_b = (squeeze_matrix(*size, side) for size in (size_a, size_b))
    return (np.linalg.inv(to_b) @ np.vstack([matrix, [0, 0, 1]]) @ to_a)[:2]


def squeeze_matrix(width: float, height: float, side: int) -> np.ndarray:
    """Return the matrix (3, 3) from pixels of an original to those of its square; centres stay centres."""
    x, y = side / width, side / height
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])
