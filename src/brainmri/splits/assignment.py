"""Stratified assignment of whole groups to parts.

Groups with the same number of images of each class are of one kind, and interchangeable: what is decided is
how many groups of each kind go to each part. So the cost grows with the number of kinds, not of groups; only
the naming of the groups at the end touches each of them.
"""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from brainmri.errors import BrainmriError
from brainmri.splits.improvement import Hands, improve

# Counts of images by class fit into one 64-bit key while their ranges multiply to less than this.
KEY_LIMIT = 2**62
REMEDY = (
    "add images of other patients, or leave the class out of class_names and classes; of folds, ask for fewer"
)


def assign_groups(groups: np.ndarray, labels: np.ndarray, shares: dict[str, float], seed: int) -> np.ndarray:
    """Assign every group to one part, so that each class has the wished share of images in each part.

    Groups are dealt out in proportion to what each part still lacks: those of several classes first, large
    ones before small ones, so that single images even out what the large groups left. Then groups change
    places where that brings the largest deviation down (`brainmri.splits.improvement`).

    The groups' number is no goal: a part whose groups are small has more of them, and that is as it should
    be, since a large group is worth little more than a small one to the width of an interval.

    Parameters
    ----------
    groups
        Shape (N,): the group of each image, strings.
    labels
        Shape (N,): the class of each image, strings, none missing.
    shares
        The wished share of each part; they sum to 1.
    seed
        Seed of the draw; the result does not depend on the order of the rows.

    Returns
    -------
    numpy.ndarray
        Shape (N,), object: the part of each image.

    Raises
    ------
    BrainmriError
        If a class has fewer groups than there are parts, or they cannot be dealt so that each part has one.
    """
    parts = list(shares)
    classes, label_of_image = sorted_codes(labels)
    names, group_of_image = sorted_codes(groups)
    cells = group_of_image * len(classes) + label_of_image
    counts = np.bincount(cells, minlength=len(names) * len(classes)).reshape(len(names), len(classes))
    refuse_too_few_groups(classes, counts, parts)
    generator = np.random.default_rng(seed)
    shuffled = generator.permutation(len(names))
    kinds, kind_of_group = kinds_of_groups(counts)

    hands = Hands(kinds, np.array(list(shares.values())), np.bincount(kind_of_group, minlength=len(kinds)))
    deal_all(hands, generator)
    give_each_part_a_group(hands)
    improve(hands, generator)
    if (hands.held == 0).any():
        lacking = classes[int(np.flatnonzero((hands.held == 0).any(axis=1))[0])]
        raise BrainmriError(
            f"The groups that hold the class '{lacking}' cannot be dealt to {len(parts)} parts "
            f"({', '.join(parts)}) so that each has every class: {REMEDY}."
        )
    # Within a kind, the shuffled groups are cut into one hand a part.
    by_kind = shuffled[np.argsort(kind_of_group[shuffled], kind="stable")]
    part_of_group = np.empty(len(names), np.int64)
    part_of_group[by_kind] = np.repeat(np.tile(np.arange(len(parts)), len(kinds)), hands.number.ravel())
    return np.array(parts, object)[part_of_group[group_of_image]]


def sorted_codes(values: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Return the distinct strings in order, and the place of each value among them."""
    array = pa.array(values, pa.large_string())
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    encoded = array.dictionary_encode()
    order = pc.sort_indices(encoded.dictionary)
    place = np.empty(len(order), np.int64)
    place[order.to_numpy()] = np.arange(len(order))
    return encoded.dictionary.take(order).to_pylist(), place[encoded.indices.to_numpy()]


def refuse_too_few_groups(classes: list[str], counts: np.ndarray, parts: list[str]) -> None:
    """Raise BrainmriError where a class has fewer groups than parts: no split could give each part one."""
    for name, available in zip(classes, (counts > 0).sum(axis=0), strict=True):
        if available < len(parts):
            groups = f"{available} group" + ("" if available == 1 else "s")
            raise BrainmriError(
                f"The class '{name}' has {groups}, but {len(parts)} parts ({', '.join(parts)}) need at "
                f"least one each: {REMEDY}."
            )


def kinds_of_groups(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct rows of images by class, shape (K, C), sorted, and which of them each group is."""
    ranges = [int(largest) + 1 for largest in counts.max(axis=0)]
    product = 1
    for extent in ranges:
        product *= extent
    if product >= KEY_LIMIT:
        kinds, kind_of_group = np.unique(counts, axis=0, return_inverse=True)
        return kinds, kind_of_group.ravel()
    key = np.ravel_multi_index(counts.T, ranges)
    kind_of_group, keys = pd.factorize(key, sort=True)
    return np.stack(np.unravel_index(keys, ranges), axis=1), kind_of_group


def deal_all(hands: Hands, generator: np.random.Generator) -> None:
    """Deal out all groups, kind by kind, in proportion to what each part still lacks; in place.

    Groups of several classes go first, and kinds of twice the size before others; among the like the order
    is drawn, so that seeds differ even where no two groups are alike.
    """
    sizes = hands.kinds.sum(axis=1)
    is_pure = (hands.kinds > 0).sum(axis=1) == 1
    order = np.lexsort([generator.random(len(sizes)), -np.log2(sizes).astype(int), is_pure])
    for kind in order:
        share = hands.share_of_kind[kind]
        # How many groups of this kind would bring each part nearest to its wish.
        wanted = -(share @ hands.off) / (share @ share)
        hands.move(kind, deal(int(hands.available[kind]), wanted))


def deal(count: int, wanted: np.ndarray) -> np.ndarray:
    """Deal `count` equal groups to parts in proportion to what each wants, by largest remainders.

    Returns
    -------
    numpy.ndarray
        Shape (parts,), int, with sum `count`.
    """
    wanted = np.clip(wanted, 0, None)
    if wanted.sum() == 0:
        wanted = np.ones_like(wanted)
    ideal = count * wanted / wanted.sum()
    hands = np.floor(ideal).astype(int)
    order = np.argsort(-(ideal - hands), kind="stable")
    hands[order[: count - hands.sum()]] += 1
    return hands


def give_each_part_a_group(hands: Hands) -> None:
    """Move the smallest group of a class to each part that got none of that class; in place."""
    by_size = np.argsort(hands.kinds.sum(axis=1), kind="stable")
    for class_index, part in np.argwhere(hands.held == 0):
        if hands.held[class_index, part]:
            continue
        for kind in by_size[hands.kinds[by_size, class_index] > 0]:
            touched = hands.kinds[kind] > 0
            givers = (hands.number[kind] > 0) & (hands.held[touched] > 1).all(axis=0)
            if givers.any():
                hands.move(
                    kind, np.eye(len(givers), dtype=int)[part] - np.eye(len(givers), dtype=int)[givers][0]
                )
                break


def share_deviation(parts: pd.Series, labels: pd.Series, shares: dict[str, float]) -> float:
    """Return the largest distance, over classes and parts, between a share of images and the wished one."""
    table = pd.crosstab(labels, parts, normalize="index").reindex(columns=list(shares), fill_value=0.0)
    return float((table - pd.Series(shares)).abs().to_numpy().max())
