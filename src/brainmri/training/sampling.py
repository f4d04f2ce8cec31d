"""Which images make an epoch, and in which order."""

import numpy as np


def epoch_order(labels: np.ndarray, sampler: str, generator: np.random.Generator) -> np.ndarray:
    """Draw the places of an epoch's images in their part, in the order in which they are shown.

    Parameters
    ----------
    labels : array of int64, shape (n,)
        Classes of the part's images.
    sampler
        `shuffled`: each image once. `balanced`: each class equally often, to within one image, its images
        drawn with replacement.
    generator
        The source of randomness.

    Returns
    -------
    array of int64, shape (n,)
    """
    if sampler == "shuffled":
        return generator.permutation(len(labels))
    classes = np.unique(labels)
    rounds = -(-len(labels) // len(classes))
    # The last round, of which a part may be wanted, is in another order than that of the classes.
    wanted = np.concatenate([np.tile(classes, rounds - 1), generator.permutation(classes)])[: len(labels)]
    order = np.empty(len(labels), np.int64)
    for label in classes:
        chosen = wanted == label
        order[chosen] = generator.choice(np.flatnonzero(labels == label), chosen.sum())
    return generator.permutation(order)
