"""Durations in words."""

import pytest

from brainmri.durations import duration


@pytest.mark.parametrize(
    ("seconds", "text"), [(4.25, "4.2 s"), (190, "3 min 10 s"), (7500, "2 h 05 min"), (None, "–")]
)
def test_durations_are_said_as_people_say_them(seconds, text):
    assert duration(seconds) == text
