"""Mixup (Zhang 2018) and CutMix (Yun 2019) through timm: images and labels of a batch mixed in pairs."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from torch import Tensor

from brainmri.training.recipe import Recipe


class Mixing:
    """Mixes the batches of a training; what is drawn follows from seed, epoch and step alone.

    The first image of a batch is mixed with the last, the second with the last but one, all by one share.

    Parameters
    ----------
    recipe
        Its `mixup` and `cutmix`; one of them is above 0.
    class_count
        Number of classes.
    """

    def __init__(self, recipe: Recipe, class_count: int):
        # timm takes ten seconds to import: only where something is mixed.
        from timm.data import Mixup

        # Labels are smoothed by the loss, for every recipe alike.
        self.mixup = Mixup(recipe.mixup, recipe.cutmix, label_smoothing=0.0, num_classes=class_count)

    def mixed(self, images: Tensor, labels: Tensor, mark: list[int]) -> tuple[Tensor, Tensor]:
        """Return images (n, 1, S, S), which are overwritten, and targets (n, C), mixed.

        Parameters
        ----------
        images, labels
            An even number, as timm wants it.
        mark
            Seed, epoch and step.
        """
        with seeded_numpy(mark):
            return self.mixup(images, labels)


@contextmanager
def seeded_numpy(mark: list[int]) -> Iterator[None]:
    """Seed numpy's global generator, from which timm draws, and put it back as it was afterwards."""
    before = np.random.get_state()  # noqa: NPY002 (timm draws from it)
    np.random.seed(np.random.SeedSequence(mark).generate_state(4))  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(before)  # noqa: NPY002


def with_partners(places: np.ndarray, count: int) -> np.ndarray:
    """Return places in a batch of `count`, then their partners, so that each faces its own from the end.

    For a share of a batch, and for an odd one, where the image in the middle is its own partner.
    """
    return np.concatenate([places, (count - 1 - places)[::-1]])
