"""What a network is fed: images, or the features of images where only the head is trained."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from brainmri.models.classifier import Classifier
from brainmri.training.batches import batch_sizes, batch_slices, evaluation_batches, training_batches
from brainmri.training.image_sources import ImageSource
from brainmri.training.parts import TrainingData
from brainmri.training.ranks import ALONE, Ranks
from brainmri.training.recipe import Recipe
from brainmri.training.sampling import epoch_order


class Feed(Protocol):
    """Batches for the part of a classifier that is trained.

    Attributes
    ----------
    sizes
        How many images each batch of an epoch has, over all processes.
    """

    sizes: list[int]

    def part(self, model: Classifier) -> nn.Module:
        """Return the part of the classifier that takes these batches and gives logits."""

    def training(self, epoch: int, first_step: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield inputs and targets of one epoch, shuffled, from a step on; the same whenever asked for."""

    def validation(self, batch_size: int) -> Iterator[Tensor]:
        """Yield the inputs of the part `val` in order; with several processes, each its share."""


class ImageFeed:
    """Images, augmented in training, for a whole classifier.

    Parameters
    ----------
    data
        Images and labels.
    source
        Where the images come from.
    model
        Knows how its images are normalised.
    recipe
        Batch size, augmentation, mixing and sampler.
    seed
        Order and augmentation follow from it.
    device
        Where the batches are wanted.
    ranks
        Which of the processes that train together this is.
    """

    def __init__(
        self,
        data: TrainingData,
        source: ImageSource,
        model: Classifier,
        recipe: Recipe,
        seed: int,
        device: torch.device,
        ranks: Ranks = ALONE,
    ):
        self.data, self.source, self.model, self.recipe = data, source, model, recipe
        self.seed, self.device, self.ranks = seed, device, ranks
        self.sizes = batch_sizes(len(data.train), recipe.batch_size, ranks.world)

    def part(self, model: Classifier) -> nn.Module:
        """Return the whole classifier."""
        return model

    def training(self, epoch: int, first_step: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield normalised images (n, 1, S, S) and their targets."""
        return training_batches(
            self.source,
            self.data,
            self.model,
            self.recipe,
            self.seed,
            epoch,
            self.device,
            first_step,
            self.ranks.rank,
            self.ranks.world,
        )

    def validation(self, batch_size: int) -> Iterator[Tensor]:
        """Yield normalised images (n, 1, S, S)."""
        for images, _ in evaluation_batches(
            self.source,
            self.data.val,
            self.model,
            self.device,
            batch_size,
            rank=self.ranks.rank,
            world=self.ranks.world,
        ):
            yield images


class FeatureFeed:
    """Features that a frozen body made once, for the head alone: hundreds of times cheaper than images.

    Parameters
    ----------
    train, val : Tensor of float, shape (n, F)
        Features of the two parts, on the device.
    labels : Tensor of int64, shape (n,)
        Of the part `train`, on the device.
    recipe
        Batch size and sampler.
    seed
        The order follows from it.
    ranks
        Which of the processes that train together this is.
    """

    def __init__(
        self, train: Tensor, val: Tensor, labels: Tensor, recipe: Recipe, seed: int, ranks: Ranks = ALONE
    ):
        self.train, self.val, self.labels = train, val, labels
        self.recipe, self.seed, self.ranks = recipe, seed, ranks
        self.sizes = batch_sizes(len(train), recipe.batch_size, ranks.world)

    def part(self, model: Classifier) -> nn.Module:
        """Return the head."""
        return model.head

    def training(self, epoch: int, first_step: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield features (n, F) and their labels."""
        generator = np.random.default_rng([self.seed, epoch])
        order = epoch_order(self.labels.cpu().numpy(), self.recipe.sampler, generator)
        order = torch.from_numpy(order).to(self.train.device)
        for places in batch_slices(len(self.train), self.recipe.batch_size, self.ranks.world)[first_step:]:
            chosen = order[places][self.ranks.rank :: self.ranks.world]
            yield self.train[chosen], self.labels[chosen]

    def validation(self, batch_size: int) -> Iterator[Tensor]:
        """Yield features (n, F)."""
        yield from self.val[self.ranks.rank :: self.ranks.world].split(batch_size)
