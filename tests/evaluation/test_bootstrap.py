"""Resamples: reproducible, over groups, and each stratum with its weight."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainmri.evaluation.bootstrap import collapsed, grouping_of, resampled_weights


def all_weights(strata, resamples=500, seed=0):
    return np.concatenate(list(resampled_weights(np.asarray(strata), resamples, seed)))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40))
def test_each_stratum_keeps_its_weight_in_every_resample(strata):
    strata = np.array(strata)
    weights = all_weights(strata, resamples=20)
    assert weights.shape == (20, len(strata)) and (weights >= 0).all()
    for stratum in np.unique(strata):
        np.testing.assert_allclose(weights[:, strata == stratum].sum(axis=1), (strata == stratum).sum())


def test_same_seed_same_weights_and_other_seed_others():
    strata = np.repeat([0, 1], 10)
    np.testing.assert_array_equal(all_weights(strata, seed=3), all_weights(strata, seed=3))
    assert (all_weights(strata, seed=3) != all_weights(strata, seed=4)).any()


def test_chunks_add_up_to_the_resamples_asked_for(monkeypatch):
    monkeypatch.setattr("brainmri.evaluation.bootstrap.CHUNK", 100)
    assert len(all_weights(np.zeros(30, dtype=int), resamples=11)) == 11


def test_many_images_part_the_rows_and_change_no_weight(monkeypatch):
    strata = np.repeat([0, 1], 15)
    monkeypatch.setattr("brainmri.evaluation.bootstrap.CHUNK", 3000)
    parts = list(resampled_weights(strata, 250, 0, images=200))
    np.testing.assert_array_equal(np.concatenate(parts), all_weights(strata, resamples=250))
    # So few rows that CHUNK holds them, rounded up to eight.
    assert max(len(part) for part in parts) == 16
    assert all(len(part) <= 8 for part in resampled_weights(strata, 250, 0, images=10**6))


@pytest.mark.parametrize("size", [2, 5])
def test_the_variance_of_a_mean_is_unbiased_for_few_groups(size):
    values = np.arange(size, dtype=float)
    means = all_weights(np.zeros(size, dtype=int), resamples=40_000) @ values / size
    assert means.var() == pytest.approx(values.var(ddof=1) / size, rel=0.05)


def test_a_group_counts_once_and_in_the_stratum_of_its_majority():
    groups = grouping_of(np.array(["b", "b", "b", "a", "a", "c", "c"]), np.array([2, 2, 0, 1, 1, 1, 1]), 3)
    assert groups.count == 3
    assert groups.majority.tolist() == [1, 2, 1]
    assert groups.group.tolist() == [1, 1, 1, 0, 0, 2, 2]


def test_a_stratum_of_one_group_joins_the_smallest_other():
    assert collapsed(np.array([0, 0, 0, 1, 1, 2])).tolist() == [0, 0, 0, 1, 1, 1]
    assert len(set(collapsed(np.array([0, 1, 2])))) == 1
    assert collapsed(np.array([0, 0, 1, 1])).tolist() == [0, 0, 1, 1]
