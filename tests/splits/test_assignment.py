"""Properties of the stratified group assignment."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from brainmri.errors import BrainmriError
from brainmri.splits.assignment import assign_groups, deal, share_deviation

SHARES = {"train": 0.7, "val": 0.15, "test": 0.15}


@st.composite
def grouped_images(draw):
    """Images of up to four classes in groups of up to nine; every class has at least six groups."""
    groups, labels = [], []
    for label in range(draw(st.integers(1, 4))):
        for index, size in enumerate(draw(st.lists(st.integers(1, 9), min_size=6, max_size=60))):
            groups += [f"{label}-{index}"] * size
            labels += [f"class{label}"] * size
    for index, pair in enumerate(draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=4))):
        groups += [f"mixed{index}"] * 2
        labels += [f"class{label}" if f"class{label}" in labels else "class0" for label in pair]
    return np.array(groups), np.array(labels)


@settings(deadline=None)
@given(grouped_images(), st.integers(0, 5))
def test_groups_stay_whole_and_every_class_is_in_every_part(images, seed):
    groups, labels = images
    parts = assign_groups(groups, labels, SHARES, seed)
    frame = pd.DataFrame({"group": groups, "label": labels, "part": parts})
    assert frame.groupby("group")["part"].nunique().max() == 1
    assert (frame.groupby("label")["part"].nunique() == 3).all()


@settings(deadline=None)
@given(grouped_images(), st.integers(0, 5), st.randoms())
def test_the_order_of_rows_does_not_matter(images, seed, random):
    groups, labels = images
    order = list(range(len(groups)))
    random.shuffle(order)
    straight = assign_groups(groups, labels, SHARES, seed)
    shuffled = assign_groups(groups[order], labels[order], SHARES, seed)
    assert (straight[order] == shuffled).all()


@settings(deadline=None)
@given(st.lists(st.integers(100, 400), min_size=1, max_size=4), st.integers(0, 99))
def test_shares_are_within_one_image_where_groups_are_single_images(class_sizes, seed):
    labels = np.repeat([f"c{i}" for i in range(len(class_sizes))], class_sizes)
    groups = np.array([f"i{i}" for i in range(len(labels))])
    parts = assign_groups(groups, labels, SHARES, seed)
    counts = pd.crosstab(labels, parts)
    for row, size in enumerate(class_sizes):
        for part, share in SHARES.items():
            assert abs(counts[part].iloc[row] - share * size) <= 1


def test_shares_are_within_one_percent_with_groups_of_very_unequal_size():
    random = np.random.default_rng(3)
    sizes = np.concatenate([[150, 90, 60], random.geometric(0.3, 600)])
    groups = np.repeat([f"g{i}" for i in range(len(sizes))], sizes)
    labels = np.repeat(np.where(random.random(len(sizes)) < 0.4, "glioma", "no_tumor"), sizes)
    parts = assign_groups(groups, labels, SHARES, seed=0)
    assert share_deviation(pd.Series(parts), pd.Series(labels), SHARES) < 0.01


def images_of(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return group and label of each image, from the images of each class (columns) in each group (rows)."""
    group, label = (np.repeat(index, counts.ravel()) for index in np.indices(counts.shape).reshape(2, -1))
    return np.char.add("g", group.astype(str)), np.char.add("c", label.astype(str))


def least_deviation(counts: np.ndarray, shares: np.ndarray) -> float | None:
    """Try every assignment that gives each part each class; return the smallest largest deviation."""
    parts = np.array(list(product(range(len(shares)), repeat=len(counts))))
    in_part = (parts[..., None] == np.arange(len(shares))).astype(float)
    held = np.einsum("agp,gc->acp", in_part, counts)
    deviation = np.abs(held / counts.sum(axis=0)[:, None] - shares).max(axis=(1, 2))
    whole = (held > 0).all(axis=(1, 2))
    return float(deviation[whole].min()) if whole.any() else None


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 6)), min_size=3, max_size=8),
    st.sampled_from([(0.7, 0.3), (0.6, 0.2, 0.2), (0.7, 0.15, 0.15)]),
    st.integers(0, 3),
)
def test_no_assignment_at_all_is_a_tenth_better(rows, shares, seed):
    counts = np.array([row for row in rows if sum(row)] or [(1, 1)])
    counts = counts[:, counts.sum(axis=0) > 0]
    least = least_deviation(counts, np.array(shares))
    wished = {f"part{index}": share for index, share in enumerate(shares)}
    groups, labels = images_of(counts)
    if least is None:
        with pytest.raises(BrainmriError, match="parts"):
            assign_groups(groups, labels, wished, seed)
        return
    parts = assign_groups(groups, labels, wished, seed)
    assert share_deviation(pd.Series(parts), pd.Series(labels), wished) <= 1.1 * least + 1e-9


@pytest.mark.parametrize("seed", range(3))
def test_the_deviation_is_no_larger_than_scikit_learns(seed):
    random = np.random.default_rng(seed)
    counts = np.minimum(random.geometric(0.06, (150, 4)), 60) * (random.random((150, 4)) < 0.35)
    counts = counts[counts.sum(axis=1) > 0]
    groups, labels = images_of(counts)
    shares = {f"fold{index}": 0.2 for index in range(5)}
    theirs = np.empty(len(labels), object)
    for name, (_, test) in zip(shares, StratifiedGroupKFold(5).split(labels, labels, groups), strict=True):
        theirs[test] = name
    ours = assign_groups(groups, labels, shares, seed)
    deviations = [share_deviation(pd.Series(parts), pd.Series(labels), shares) for parts in (ours, theirs)]
    assert deviations[0] <= deviations[1]
    assert deviations[0] < 0.005


@pytest.mark.parametrize("seed", range(3))
def test_seeds_differ_where_no_two_groups_are_alike_too(seed):
    counts = np.arange(2, 42).reshape(20, 2)
    groups, labels = images_of(counts)
    parts = [assign_groups(groups, labels, SHARES, own) for own in (seed, seed, seed + 1)]
    assert (parts[0] == parts[1]).all()
    assert (parts[0] != parts[2]).any()


def test_seeds_differ_and_and_one_seed_repeats():
    labels = np.repeat(["a", "b"], 100)
    groups = np.array([f"i{i}" for i in range(200)])
    first, again, other = (assign_groups(groups, labels, SHARES, seed) for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()


def test_a_class_with_too_few_groups_is_refused_by_name():
    groups = np.array(["p1", "p1", "p2", "a", "b", "c"])
    labels = np.array(["glioma"] * 3 + ["no_tumor"] * 3)
    with pytest.raises(BrainmriError, match="'glioma' has 2 groups, but 3 parts"):
        assign_groups(groups, labels, SHARES, seed=0)


@given(st.integers(0, 500), st.lists(st.floats(-10, 1000), min_size=2, max_size=5))
def test_deal_gives_out_every_group(count, wanted):
    hands = deal(count, np.array(wanted))
    assert hands.sum() == count
    assert (hands >= 0).all()


def test_a_million_rows_are_assigned():
    random = np.random.default_rng(0)
    groups = random.integers(0, 400_000, 1_000_000).astype(str)
    labels = np.array(["a", "b", "c", "d"])[random.integers(0, 4, 400_000)][groups.astype(int)]
    parts = assign_groups(groups, labels, SHARES, seed=0)
    assert share_deviation(pd.Series(parts), pd.Series(labels), SHARES) < 0.001
