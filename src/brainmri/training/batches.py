"""Batches straight from the packed array: gathered, augmented and normalised without worker processes."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from brainmri.models.classifier import Classifier
from brainmri.training.augment import Transforms, draw_transforms
from brainmri.training.augmented import finished, to_device
from brainmri.training.image_sources import ImageSource, Request
from brainmri.training.mixing import Mixing, with_partners
from brainmri.training.parts import Part, TrainingData
from brainmri.training.recipe import Recipe
from brainmri.training.sampling import epoch_order

# Evaluation keeps no activations for a backward pass, so its batches can be larger.
EVALUATION_BATCH = {"cpu": 128, "cuda": 512}


def batch_sizes(image_count: int, batch_size: int, world: int = 1) -> list[int]:
    """Return how many images each batch of an epoch has, over all processes."""
    slices = batch_slices(image_count, batch_size, world)
    return [min(slice_.stop, image_count) - slice_.start for slice_ in slices]


def batch_slices(image_count: int, batch_size: int, world: int = 1) -> list[slice]:
    """Return the slices of an epoch's batches; a last one without two images a process is left out.

    Batch norm cannot learn from a single image; which ones are left out changes every epoch.
    """
    slices = [slice(start, start + batch_size) for start in range(0, image_count, batch_size)]
    if len(slices) > 1 and image_count - slices[-1].start < 2 * world:
        slices.pop()
    return slices


def training_batches(
    source: ImageSource,
    data: TrainingData,
    model: Classifier,
    recipe: Recipe,
    seed: int,
    epoch: int,
    device: torch.device,
    first_step: int = 0,
    rank: int = 0,
    world: int = 1,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the batches of one epoch, shuffled, augmented and mixed as the recipe says.

    What is drawn follows from `seed` and `epoch` alone, so an epoch that is run again after a kill, from
    whichever step, sees the same batches; and so do several processes together that share each batch.

    Parameters
    ----------
    source
        Where the images come from.
    data
        Labels, and which images train.
    model
        Knows how its images are normalised.
    recipe
        Batch size, augmentation, mixing and sampler.
    seed, epoch
        What all randomness follows from.
    device
        Where the batches are wanted.
    first_step
        Batches before this one are left out.
    rank, world
        This process takes the images `rank`, `rank + world` and so on of every batch.

    Yields
    ------
    Tensor of float32, shape (n, 1, S, S)
        Normalised images on `device`. One channel lies alike in both layouts: the network's decides.
    Tensor on `device`
        Labels, int64 of shape (n,); where images are mixed, the share of each class, float32 of shape (n, C).
    """
    mixing = Mixing(recipe, len(data.classes)) if recipe.mixes_images else None
    requests = training_requests(data, recipe, seed, epoch, rank, world)
    for images, request in source.moved(request for request in requests if request.step >= first_step):
        batch = finished(images, request.transforms, model.mean, model.std).unsqueeze(1)
        labels = to_device(request.labels, device)
        if mixing is None:
            yield batch, labels
        else:
            batch, targets = mixing.mixed(batch, labels, [seed, epoch, request.step])
            yield batch[: request.own], targets[: request.own]


def training_requests(
    data: TrainingData, recipe: Recipe, seed: int, epoch: int, rank: int, world: int
) -> Iterator[Request]:
    """Yield what this process takes of each batch of an epoch; drawn for whole batches, then shared out."""
    generator = np.random.default_rng([seed, epoch])
    order = epoch_order(data.train.labels, recipe.sampler, generator)
    size = data.images.shape[1]
    for step, slice_ in enumerate(batch_slices(len(order), recipe.batch_size, world)):
        chosen = order[slice_]
        transforms = draw_transforms(generator, len(chosen), size, recipe.augmentation)
        own = places = np.arange(rank, len(chosen), world)
        if recipe.mixes_images and (world > 1 or len(chosen) % 2):
            places = with_partners(own, len(chosen))
        if world > 1 or len(places) > len(chosen):
            chosen, transforms = chosen[places], transforms.taken(places)
        yield Request(data.train.rows[chosen], data.train.labels[chosen], transforms, step, len(own))


def evaluation_batches(
    source: ImageSource,
    part: Part,
    model: Classifier,
    device: torch.device,
    batch_size: int,
    rank: int = 0,
    world: int = 1,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the batches of a part in order, not augmented; shapes and shares as in `training_batches`."""
    # A multiple of the processes, so that the shares of all batches together interleave too; none is empty.
    batch_size += -batch_size % world
    shares = [
        slice(start, min(start - rank + batch_size, len(part)), world)
        for start in range(rank, len(part), batch_size)
    ]
    requests = [Request(part.rows[share], part.labels[share], Transforms()) for share in shares]
    for images, request in source.moved(requests):
        batch = finished(images, request.transforms, model.mean, model.std).unsqueeze(1)
        yield batch, to_device(request.labels, device)
