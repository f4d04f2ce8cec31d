"""Wilson's interval of a share."""

from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainmri.intervals import wilson_interval


@given(st.integers(0, 50), st.integers(1, 50))
def test_wilson_inverts_the_score_test(right, size):
    right = min(right, size)
    low, high = wilson_interval(right / size, size)
    assert 0 <= low <= right / size + 1e-12 and right / size - 1e-12 <= high <= 1
    z = NormalDist().inv_cdf(0.975)
    for limit in (low, high):
        if 0 < limit < 1:
            assert (right / size - limit) ** 2 == pytest.approx(z**2 * limit * (1 - limit) / size, abs=1e-9)


def test_wilson_of_a_textbook_example():
    # Newcombe, Stat. Med. 17 (1998): 81 of 263.
    assert wilson_interval(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
