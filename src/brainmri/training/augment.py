"""Augmentation: one affine map and two photometric factors an image, drawn together, applied once.

Rotation, zoom of each axis, shift and flip compose into one matrix, so that an image is resampled once
instead of four times. Drawing is apart from applying: what is drawn does not depend on where it is applied.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from brainmri.training.recipe import AugmentSettings


@dataclass(frozen=True)
class Transforms:
    """What happens to each image of a batch.

    Parameters
    ----------
    matrices : array of float64, shape (n, 2, 3), or None
        For each pixel (x, y, 1) of the result, where in the image it comes from; None: nothing moves.
    brightness, contrast : array of float32, shape (n,), or None
        Factors; None: all are 1.
    """

    matrices: np.ndarray | None
    brightness: np.ndarray | None
    contrast: np.ndarray | None


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
    brightness = contrast = None
    if settings.brightness:
        brightness = generator.uniform(1 - settings.brightness, 1 + settings.brightness, count)
    if settings.contrast:
        contrast = generator.uniform(1 - settings.contrast, 1 + settings.contrast, count)
    moves = settings.horizontal_flip or settings.rotation or any(settings.shifts) or set(settings.zoom) != {1}
    if not moves:
        return Transforms(None, as_factors(brightness), as_factors(contrast))
    flipped = generator.random(count) < settings.horizontal_flip
    angle = generator.uniform(-settings.rotation, settings.rotation, count)
    zoom = generator.uniform(*settings.zoom, (count, 2))
    reach = np.array(settings.shifts) * size
    shift = generator.uniform(-reach, reach, (count, 2))
    matrices = source_matrices(flipped, angle, zoom, shift, size)
    return Transforms(matrices, as_factors(brightness), as_factors(contrast))


def as_factors(drawn: np.ndarray | None) -> np.ndarray | None:
    """Return drawn factors in single precision."""
    return None if drawn is None else drawn.astype(np.float32)


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


def warp(images: np.ndarray, matrices: np.ndarray | None) -> np.ndarray:
    """Move images by their matrices, bilinearly; black comes in from outside, as around a head.

    Parameters
    ----------
    images : array of uint8, shape (n, S, S)
        A batch.
    matrices : array of float, shape (n, 2, 3), or None
        From result to image; None gives `images` back.
    """
    if matrices is None:
        return images
    moved = np.empty_like(images)
    size = images.shape[1:]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    for image, matrix, result in zip(images, matrices, moved, strict=True):
        cv2.warpAffine(image, matrix, size, result, flags, cv2.BORDER_CONSTANT, 0)
    return moved


def adjust(images: Tensor, transforms: Transforms) -> Tensor:
    """Change contrast about each image's mean, then brightness; keep the values in [0, 1].

    Parameters
    ----------
    images : Tensor of float, shape (n, S, S)
        Gray values in [0, 1], on any device.
    transforms
        Their factors.
    """
    if transforms.brightness is None and transforms.contrast is None:
        return images
    if transforms.contrast is not None:
        factor = torch.from_numpy(transforms.contrast).to(images.device)[:, None, None]
        mean = images.mean(dim=(1, 2), keepdim=True)
        images = (images - mean) * factor + mean
    if transforms.brightness is not None:
        images = images * torch.from_numpy(transforms.brightness).to(images.device)[:, None, None]
    return images.clamp(0, 1)
