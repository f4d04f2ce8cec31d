"""Augmentation as it is applied: two backends for the warp, one arithmetic for all the rest.

On the CPU OpenCV moves bytes, image by image; elsewhere one `grid_sample` moves a batch. They differ by at
most 0.51 of 255 gray values (0.52 at 512 pixels): the rounding to bytes, and that of coordinates. What
follows is the same code for both.
"""

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from brainmri.training.augment import Erasure, Noise, Transforms


def warped_by_opencv(images: np.ndarray, rows: np.ndarray, matrices: np.ndarray | None) -> np.ndarray:
    """Gather images and move them by their matrices, bilinearly.

    Black comes in from outside, as around a head. Images go from where they are stored straight into the
    batch, without a copy in between.

    Parameters
    ----------
    images : array of uint8, shape (N, S, S)
        Where they are stored, such as a memory-mapped file.
    rows : array of int64, shape (n,)
        Which of them.
    matrices : array of float, shape (n, 2, 3), or None
        From result to image; None: nothing moves.

    Returns
    -------
    array of uint8, shape (n, S, S)
    """
    if matrices is None:
        return images[rows]
    size = images.shape[1:]
    moved = np.empty((len(rows), *size), np.uint8)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    for row, matrix, result in zip(rows, matrices, moved, strict=True):
        cv2.warpAffine(images[row], matrix, size, result, flags, cv2.BORDER_CONSTANT, 0)
    return moved


def warped_by_torch(images: Tensor, matrices: np.ndarray | None) -> Tensor:
    """Move images by their matrices as `warped_by_opencv` does, all at once, on any device.

    Parameters
    ----------
    images : Tensor of uint8, shape (n, S, S)
        A batch.
    matrices : array of float, shape (n, 2, 3), or None
        From result to image; None gives `images` back.

    Returns
    -------
    Tensor of float32, shape (n, S, S)
        Gray values up to 255.
    """
    if matrices is None:
        return images
    size = images.shape[1]
    # Written out: `affine_grid` multiplies matrices, which TF32 and autocast would shorten to a few bits.
    maps = to_device(unit_matrices(matrices, size), images.device)[:, :, :, None, None]
    axis = torch.linspace(-1, 1, size, device=images.device)
    grid = maps[:, :, 0] * axis + maps[:, :, 1] * axis[:, None] + maps[:, :, 2]
    # On a GPU cuDNN's own kernel would be taken, by another formula than that of the CPU, which is tested.
    with torch.backends.cudnn.flags(enabled=False):
        moved = functional.grid_sample(
            images.float().unsqueeze(1), grid.permute(0, 2, 3, 1), "bilinear", "zeros", align_corners=True
        )
    return moved.squeeze(1)


def unit_matrices(matrices: np.ndarray, size: int) -> np.ndarray:
    """Return maps of pixels as maps of coordinates that are -1 and 1 at the outer pixels' centres, float32.

    A pixel x lies at u = x / c - 1, with c = (size - 1) / 2. So the linear part stays, as c is the same for
    both axes, and the offset o becomes (A · (c, c) + o) / c - 1.
    """
    centre = (size - 1) / 2
    offset = (matrices[:, :, :2].sum(axis=2) * centre + matrices[:, :, 2]) / centre - 1
    return np.concatenate([matrices[:, :, :2], offset[:, :, None]], axis=2).astype(np.float32)


def finished(images: Tensor, transforms: Transforms, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Apply all but the matrices, and normalise.

    Contrast changes about each image's mean, then brightness; values stay within [0, 1]. Noise comes next,
    then the rectangle. Dividing by 255, contrast, brightness and normalisation are one multiplication and
    one addition a pixel.

    Parameters
    ----------
    images : Tensor, shape (n, S, S)
        Gray values from 0 to 255, on any device; uint8, or float32, which is overwritten.
    transforms
        What was drawn for them.
    mean, std
        By which gray values in [0, 1] are normalised; the defaults leave them as they are.

    Returns
    -------
    Tensor of float32, shape (n, S, S)
    """
    values = images.float()
    black, white = -mean / std, (1 - mean) / std
    gain, shift = 1 / (255 * std), 0.0
    if transforms.contrast is not None:
        contrast = per_image(transforms.contrast, values.device)
        gain, shift = contrast * gain, values.mean(dim=(1, 2), keepdim=True) * (1 - contrast) * gain
    if transforms.brightness is not None:
        brightness = per_image(transforms.brightness, values.device)
        gain, shift = brightness * gain, brightness * shift
    values.mul_(gain).add_(shift + black)
    if transforms.contrast is not None or transforms.brightness is not None:
        values.clamp_(black, white)
    if transforms.noise is not None:
        add_noise(values, transforms.noise, std)
        values.clamp_(black, white)
    if transforms.erasure is not None:
        erase(values, transforms.erasure, mean, std)
    return values


def add_noise(values: Tensor, noise: Noise, std: float) -> None:
    """Add noise to normalised values.

    The noise of a whole batch is drawn, whichever of its images these are: so several processes that share it
    see what one would. Each kind of device draws its own numbers from a seed.
    """
    generator = torch.Generator(values.device).manual_seed(noise.seed)
    shape = (noise.count, *values.shape[1:])
    drawn = torch.randn(shape, generator=generator, device=values.device)
    if noise.places is not None:
        drawn = drawn.index_select(0, to_device(noise.places, values.device))
    values.addcmul_(drawn, per_image(noise.levels / np.float32(std), values.device))


def erase(values: Tensor, erasure: Erasure, mean: float, std: float) -> None:
    """Fill a rectangle of each image that has one, in normalised values; all at once, as a GPU likes it."""
    left, top, right, bottom = (per_image(edge, values.device) for edge in erasure.rectangles.T)
    place = torch.arange(values.shape[1], device=values.device)
    across, down = place, place[:, None]
    inside = (across >= left) & (across < right) & (down >= top) & (down < bottom)
    grays = per_image(((erasure.grays - mean) / std).astype(np.float32), values.device)
    torch.where(inside, grays, values, out=values)


def per_image(numbers: np.ndarray, device: torch.device) -> Tensor:
    """Return a number an image as a tensor (n, 1, 1) on a device."""
    return to_device(numbers, device)[:, None, None]


def to_device(array: np.ndarray, device: torch.device) -> Tensor:
    """Return an array as a tensor on a device, without waiting for what the device is at.

    Only page-locked memory travels behind the host's back; torch keeps it until it has arrived.
    """
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
