"""Stratified assignment of whole groups to parts."""

import numpy as np
import pandas as pd

from brainmri.errors import BrainmriError


def assign_groups(groups: np.ndarray, labels: np.ndarray, shares: dict[str, float], seed: int) -> np.ndarray:
    """Assign every group to one part, so that each class has the wished share of images in each part.

    Groups of several classes go first, one by one, to the part that lacks their classes most. Then,
    class by class, the groups of equal size are dealt out together, large sizes before small ones, in
    proportion to what each part still lacks; single images come last and even out what the large groups
    left. The cost grows with the number of distinct sizes, not of groups.

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
        If a class has fewer groups than there are parts.
    """
    parts = list(shares)
    wished_shares = np.array(list(shares.values()))
    classes, label_index = np.unique(np.asarray(labels, str), return_inverse=True)
    group_names, group_index = np.unique(np.asarray(groups, str), return_inverse=True)
    counts = np.zeros((len(group_names), len(classes)), int)
    np.add.at(counts, (group_index, label_index), 1)
    refuse_too_few_groups(classes, counts, parts)

    lacking = counts.sum(axis=0)[:, None] * wished_shares  # (classes, parts): images still to come
    shuffled = np.random.default_rng(seed).permutation(len(group_names))
    part_of_group = np.full(len(group_names), -1)
    is_mixed = (counts > 0).sum(axis=1) > 1
    assign_mixed_groups(counts, shuffled[is_mixed[shuffled]], lacking, part_of_group)
    for class_index in range(len(classes)):
        pure = shuffled[~is_mixed[shuffled] & (counts[shuffled, class_index] > 0)]
        assign_pure_groups(counts[:, class_index], pure, lacking[class_index], part_of_group)
    give_each_part_a_group(counts, part_of_group, shuffled, len(parts))
    return np.array(parts, object)[part_of_group[group_index]]


def refuse_too_few_groups(classes: np.ndarray, counts: np.ndarray, parts: list[str]) -> None:
    """Raise BrainmriError where a class has fewer groups than parts: no split could give each part one."""
    for name, available in zip(classes, (counts > 0).sum(axis=0), strict=True):
        if available < len(parts):
            groups = f"{available} group" + ("" if available == 1 else "s")
            raise BrainmriError(
                f"The class '{name}' has {groups}, but {len(parts)} parts ({', '.join(parts)}) need at "
                "least one each: add images of other patients, or ask for fewer parts."
            )


def assign_mixed_groups(
    counts: np.ndarray, mixed: np.ndarray, lacking: np.ndarray, part_of_group: np.ndarray
) -> None:
    """Give each group of several classes to the part that lacks its classes most; in place."""
    total = np.maximum(counts.sum(axis=0), 1)
    by_size = mixed[np.argsort(-counts[mixed].sum(axis=1), kind="stable")]
    for group in by_size:
        part = int(np.argmax((counts[group] / total) @ lacking))
        part_of_group[group] = part
        lacking[:, part] -= counts[group]


def assign_pure_groups(
    sizes: np.ndarray, pure: np.ndarray, lacking: np.ndarray, part_of_group: np.ndarray
) -> None:
    """Deal out the groups of one class, largest sizes first; in place.

    Parameters
    ----------
    sizes
        Images of this class in each group.
    pure
        The groups of this class alone, shuffled.
    lacking
        Shape (parts,): images of this class that each part still lacks.
    part_of_group
        The result: the part of each group.
    """
    by_size = pure[np.argsort(-sizes[pure], kind="stable")]
    distinct, first = np.unique(-sizes[by_size], return_index=True)
    for size, dealt in zip(-distinct, np.split(by_size, first[1:]), strict=True):
        hand_sizes = deal(len(dealt), lacking / size)
        part_of_group[dealt] = np.repeat(np.arange(len(lacking)), hand_sizes)
        lacking -= hand_sizes * size


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


def give_each_part_a_group(
    counts: np.ndarray, part_of_group: np.ndarray, shuffled: np.ndarray, parts: int
) -> None:
    """Move the smallest group of a class to each part that got none of that class; in place."""
    for class_index in range(counts.shape[1]):
        members = shuffled[counts[shuffled, class_index] > 0]
        held = np.bincount(part_of_group[members], minlength=parts)
        for part in np.flatnonzero(held == 0):
            spare = members[held[part_of_group[members]] > 1]
            moved = spare[np.argmin(counts[spare].sum(axis=1))]
            held[part_of_group[moved]] -= 1
            held[part] += 1
            part_of_group[moved] = part


def share_deviation(parts: pd.Series, labels: pd.Series, shares: dict[str, float]) -> float:
    """Return the largest distance, over classes and parts, between a share of images and the wished one."""
    table = pd.crosstab(labels, parts, normalize="index").reindex(columns=list(shares), fill_value=0.0)
    return float((table - pd.Series(shares)).abs().to_numpy().max())
