"""What stays the same throughout a training."""

from dataclasses import dataclass

import torch

from brainmri.training.arithmetic import Arithmetic
from brainmri.training.criterion import Criterion
from brainmri.training.feeds import Feed
from brainmri.training.image_sources import ImageSource
from brainmri.training.parts import TrainingData
from brainmri.training.ranks import ALONE, Ranks
from brainmri.training.recipe import Recipe


@dataclass(frozen=True)
class Plan:
    """What stays the same throughout a training.

    Parameters
    ----------
    recipe
        How to train.
    data
        What to train on.
    source
        Where its images come from.
    feed
        What the network sees of it, batch by batch.
    criterion
        The loss.
    seed
        Order, augmentation and dropout of every epoch follow from it.
    device
        Where the arithmetic runs.
    arithmetic
        In which precision and layout.
    ranks
        Which of the processes that train together this is.
    """

    recipe: Recipe
    data: TrainingData
    source: ImageSource
    feed: Feed
    criterion: Criterion
    seed: int
    device: torch.device
    arithmetic: Arithmetic
    ranks: Ranks = ALONE
