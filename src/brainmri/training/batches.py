"""Batches straight from the packed array: gathered, augmented and normalised without worker processes."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from brainmri.models.classifier import Classifier
from brainmri.training.augment import adjust, draw_transforms, warp
from brainmri.training.parts import Part, TrainingData
from brainmri.training.recipe import AugmentSettings

# Evaluation keeps no activations for a backward pass, so its batches can be larger.
EVALUATION_BATCH = 128


def batch_count(image_count: int, batch_size: int) -> int:
    """Return the number of steps in an epoch."""
    return len(batch_slices(image_count, batch_size))


def batch_slices(image_count: int, batch_size: int) -> list[slice]:
    """Return the slices of an epoch's batches; a last one of a single image is left out.

    Batch norm cannot learn from a single image; which one is left out changes every epoch.
    """
    slices = [slice(start, start + batch_size) for start in range(0, image_count, batch_size)]
    if len(slices) > 1 and image_count - slices[-1].start == 1:
        slices.pop()
    return slices


def training_batches(
    data: TrainingData,
    model: Classifier,
    batch_size: int,
    settings: AugmentSettings,
    seed: int,
    epoch: int,
    device: torch.device,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the batches of one epoch, shuffled and augmented.

    Order and augmentation follow from `seed` and `epoch` alone, so an epoch that is run again after a kill
    sees the same batches.

    Yields
    ------
    Tensor of float32, shape (n, 1, S, S), channels last
        Normalised images on `device`.
    Tensor of int64, shape (n,)
        Their labels on `device`.
    """
    generator = np.random.default_rng([seed, epoch])
    order = generator.permutation(len(data.train))
    for places in batch_slices(len(data.train), batch_size):
        chosen = order[places]
        gathered = data.images[data.train.rows[chosen]]
        transforms = draw_transforms(generator, len(chosen), gathered.shape[1], settings)
        images = to_gray_values(warp(gathered, transforms.matrices), device)
        yield model.normalised(adjust(images, transforms)), to_device(data.train.labels[chosen], device)


def evaluation_batches(
    images: np.ndarray, part: Part, model: Classifier, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the batches of a part in order, not augmented; shapes as in `training_batches`."""
    for start in range(0, len(part), EVALUATION_BATCH):
        places = slice(start, start + EVALUATION_BATCH)
        gathered = to_gray_values(images[part.rows[places]], device)
        yield model.normalised(gathered), to_device(part.labels[places], device)


def to_gray_values(images: np.ndarray, device: torch.device) -> Tensor:
    """Return 8-bit images as gray values in [0, 1] on a device; the narrow bytes travel, not the floats."""
    return to_device(images, device).float().div_(255)


def to_device(array: np.ndarray, device: torch.device) -> Tensor:
    """Return an array as a tensor on a device."""
    return torch.from_numpy(np.ascontiguousarray(array)).to(device)
