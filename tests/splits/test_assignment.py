"""Properties of the stratified group assignment."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


def test_seeds_differ_and_one_seed_repeats():
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
