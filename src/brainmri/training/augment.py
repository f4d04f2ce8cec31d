"""Augmentation as it is drawn: for each image of a batch one affine map, two factors, noise and a rectangle.

Rotation, zoom of each axis, shift, flip and crop compose into one matrix, so that an image is resampled once
instead of five times. Drawing is apart from applying (`brainmri.training.augmented`): what is drawn does not
depend on where it is applied, nor on how many processes share a batch.
"""

from dataclasses import dataclass, replace

import numpy as np

from brainmri.training.augment_settings import AugmentSettings

# Width to height of a random window, and share of the area and height to width of an erased rectangle.
WINDOW_RATIOS = (3 / 4, 4 / 3)
ERASED_AREAS = (0.02, 0.33)
ERASED_RATIOS = (0.3, 3.3)


@dataclass(frozen=True)
class Noise:
    """Gaussian noise of the images of a batch.

    Parameters
    ----------
    levels : array of float32, shape (n,)
        Standard deviation for each image, as a share of white.
    seed
        Of the generator that draws the noise of a whole batch, on the device where it is wanted.
    count
        Images of the whole batch.
    places : array of int64, shape (n,), or None
        Which images of the whole batch these are; None: all, in order.
    """

    levels: np.ndarray
    seed: int
    count: int
    places: np.ndarray | None = None

    def taken(self, places: np.ndarray) -> "Noise":
        """Return the noise of some of the images."""
        before = np.arange(self.count) if self.places is None else self.places
        return replace(self, levels=self.levels[places], places=before[places])


@dataclass(frozen=True)
class Erasure:
    """Rectangles that are filled with one gray each.

    Parameters
    ----------
    rectangles : array of int64, shape (n, 4)
        Left, top, right, bottom, half open; all 0 where nothing is erased.
    grays : array of float32, shape (n,)
        What they are filled with, as a share of white.
    """

    rectangles: np.ndarray
    grays: np.ndarray


@dataclass(frozen=True)
class Transforms:
    """What happens to each image of a batch, in this order.

    Parameters
    ----------
    matrices : array of float64, shape (n, 2, 3), or None
        For each pixel (x, y, 1) of the result, where in the image it comes from; None: nothing moves.
    brightness, contrast : array of float32, shape (n,), or None
        Factors; None: all are 1.
    noise, erasure
        None: nothing of the kind.
    """

    matrices: np.ndarray | None = None
    brightness: np.ndarray | None = None
    contrast: np.ndarray | None = None
    noise: Noise | None = None
    erasure: Erasure | None = None

    def taken(self, places: np.ndarray) -> "Transforms":
        """Return the transforms of some of the images, the very same as in the whole batch."""
        erasure = self.erasure and Erasure(self.erasure.rectangles[places], self.erasure.grays[places])
        arrays = (self.matrices, self.brightness, self.contrast)
        taken = (None if drawn is None else drawn[places] for drawn in arrays)
        return Transforms(*taken, noise=self.noise and self.noise.taken(places), erasure=erasure)


def draw_transforms(
    generator: np.random.Generator, count: int, size: int, settings: AugmentSettings
) -> Transforms:
    """Draw the transforms of a batch.

    Parameters
    ----------
    generator
        The source of randomness.
    count
        Number of images.
    size
        Pixels a side.
    settings
        The largest amounts.
    """
    brightness = draw_factors(generator, count, settings.brightness)
    contrast = draw_factors(generator, count, settings.contrast)
    matrices = noise = erasure = None
    if settings.horizontal_flip or settings.rotation or any(settings.shifts) or set(settings.zoom) != {1}:
        flipped = generator.random(count) < settings.horizontal_flip
        angle = generator.uniform(-settings.rotation, settings.rotation, count)
        zoom = generator.uniform(*settings.zoom, (count, 2))
        reach = np.array(settings.shifts) * size
        shift = generator.uniform(-reach, reach, (count, 2))
        matrices = source_matrices(flipped, angle, zoom, shift, size)
    if settings.crop is not None:
        matrices = cropped(matrices, *draw_windows(generator, count, settings.crop), size)
    if settings.noise:
        levels = generator.uniform(0, settings.noise, count).astype(np.float32)
        noise = Noise(levels, int(generator.integers(2**63)), count)
    if settings.erase:
        erasure = draw_erasure(generator, count, size, settings.erase)
    return Transforms(matrices, brightness, contrast, noise, erasure)


def draw_factors(generator: np.random.Generator, count: int, amount: float) -> np.ndarray | None:
    """Return factors of 1 ± `amount` at most, in single precision; None where all are 1."""
    return generator.uniform(1 - amount, 1 + amount, count).astype(np.float32) if amount else None


def draw_windows(
    generator: np.random.Generator, count: int, areas: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Draw random windows: their sides, and where they lie, each (n, 2) along x and y.

    Sides are shares of the image's. Places run from 0, where the window touches the left or top, to 1. The
    logarithm of width to height is uniform over what fits into the image, so the area is as drawn: no draw
    has to be thrown away.
    """
    area = generator.uniform(*areas, count)
    lowest, highest = np.maximum(WINDOW_RATIOS[0], area), np.minimum(WINDOW_RATIOS[1], 1 / area)
    ratio = np.exp(generator.uniform(np.log(lowest), np.log(highest)))
    return np.sqrt(np.stack([area * ratio, area / ratio], axis=1)), generator.random((count, 2))


def draw_erasure(generator: np.random.Generator, count: int, size: int, probability: float) -> Erasure:
    """Draw which images lose a rectangle, which one, and what fills it; the ratio's logarithm is uniform."""
    chosen = generator.random(count) < probability
    area = generator.uniform(*ERASED_AREAS, count)
    ratio = np.exp(generator.uniform(*np.log(ERASED_RATIOS), count))
    sides = np.sqrt(np.stack([area / ratio, area * ratio], axis=1)) * size
    sides = np.clip(np.rint(sides), 1, size).astype(np.int64)
    corners = (generator.random((count, 2)) * (size - sides + 1)).astype(np.int64)
    rectangles = np.concatenate([corners, corners + sides], axis=1) * chosen[:, None]
    return Erasure(rectangles, generator.random(count).astype(np.float32))


def source_matrices(
    flipped: np.ndarray, angle: np.ndarray, zoom: np.ndarray, shift: np.ndarray, size: int
) -> np.ndarray:
    """Return the maps from result to image of: flip, zoom, turn about the centre, then shift.

    With centre c, forward that is ``result = c + R · diag(±zoom_x, zoom_y) · (image - c) + shift``; the map
    wanted is its inverse, in closed form.

    Parameters
    ----------
    flipped : array of bool, shape (n,)
        Whether left and right change places.
    angle : array, shape (n,)
        Degrees, from the x axis towards the y axis (clockwise as seen).
    zoom : array, shape (n, 2)
        Magnification along x and y.
    shift : array, shape (n, 2)
        Pixels along x and y.
    size
        Pixels a side.

    Returns
    -------
    array of float64, shape (n, 2, 3)
    """
    turn = np.deg2rad(angle)
    cosine, sine = np.cos(turn), np.sin(turn)
    shrink = 1 / np.stack([np.where(flipped, -zoom[:, 0], zoom[:, 0]), zoom[:, 1]], axis=1)
    transposed = np.stack([np.stack([cosine, sine], 1), np.stack([-sine, cosine], 1)], axis=1)
    linear = shrink[:, :, None] * transposed
    centre = np.full(2, (size - 1) / 2)
    offset = centre - np.einsum("nij,nj->ni", linear, centre + shift)
    return np.concatenate([linear, offset[:, :, None]], axis=2)


def cropped(matrices: np.ndarray | None, sides: np.ndarray, places: np.ndarray, size: int) -> np.ndarray:
    """Return maps that cut a window from what `matrices` give, and enlarge it to full size.

    The crop comes last, so a window beside a turned image's corner holds image, not black. Windows reach from
    pixel centre to pixel centre: none takes in what lies outside.

    Parameters
    ----------
    matrices : array, shape (n, 2, 3), or None
        From result to image; None: nothing moves before the crop.
    sides, places : array, shape (n, 2)
        As `draw_windows` gives them.
    size
        Pixels a side.
    """
    corner = places * (1 - sides) * (size - 1)
    windows = np.concatenate([sides[:, :, None] * np.eye(2), corner[:, :, None]], axis=2)
    if matrices is None:
        return windows
    composed = matrices[:, :, :2] @ windows
    composed[:, :, 2] += matrices[:, :, 2]
    return composed
