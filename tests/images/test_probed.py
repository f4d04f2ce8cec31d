"""What each probe leaves of an image: exact, square, and blanked in the file that everyone reads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainmri.errors import BrainmriError
from brainmri.images.probed import PROBES, blanked, kept_pixels, write_blanked
from brainmri.images.store import open_images

SIZES = st.integers(16, 300)


@settings(max_examples=25, deadline=None)
@given(SIZES)
def test_the_border_is_a_frame_a_tenth_wide(size):
    kept, width = kept_pixels("border", size), round(0.1 * size)
    assert kept[:width].all() and kept[:, :width].all() and kept[-width:].all() and kept[:, -width:].all()
    assert not kept[width:-width, width:-width].any()


@settings(max_examples=25, deadline=None)
@given(SIZES)
def test_the_centre_is_a_disc_of_half_the_pixels(size):
    kept = kept_pixels("centre_masked", size)
    assert not kept[size // 2, size // 2] and kept[0, 0] and kept[0, size // 2]
    assert (1 - kept.mean()) == pytest.approx(np.pi * 0.4**2, abs=2 / size)
    distance = np.hypot(*(np.indices((size, size)) - (size - 1) / 2))
    assert kept[distance >= 0.4 * size + 1e-9].all() and not kept[distance < 0.4 * size - 1e-9].any()


@settings(max_examples=25, deadline=None)
@given(SIZES, st.sampled_from(PROBES))
def test_turns_and_mirrors_change_nothing(size, probe):
    kept = kept_pixels(probe, size)
    assert np.array_equal(kept, np.rot90(kept)) and np.array_equal(kept, kept[:, ::-1])


def test_the_control_and_shuffled_labels_leave_every_pixel():
    assert kept_pixels("unaltered", 40).all() and kept_pixels("shuffled_labels", 40).all()
    assert kept_pixels("border", 80).mean() == pytest.approx(0.36)


def test_an_unknown_probe_is_refused_by_name():
    with pytest.raises(BrainmriError, match="no probe 'middle'; there are unaltered, border"):
        kept_pixels("middle", 32)


def test_the_file_holds_the_rows_in_their_places_blanked(tmp_path):
    images = np.random.default_rng(0).integers(1, 256, (700, 20, 20)).astype(np.uint8)
    rows, kept = np.r_[600, 3:400, 5], kept_pixels("border", 20)
    write_blanked(images, rows, kept, tmp_path / "new" / "images.npy")
    written = open_images(tmp_path / "new" / "images.npy")
    assert np.array_equal(written[rows], blanked(images[rows], kept))
    assert (written[rows][:, kept] == images[rows][:, kept]).all() and not written[rows][:, ~kept].any()
    assert not written[np.setdiff1d(np.arange(700), rows)].any()
