"""Augmentation: exact where it can be, within its ranges everywhere."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from brainmri.training.augment import Transforms, adjust, draw_transforms, source_matrices, warp
from brainmri.training.recipe import STANDARD_AUGMENTATION, AugmentSettings

SIZE = 24


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (6, SIZE, SIZE), np.uint8)


def one_matrix(flipped=False, angle=0.0, zoom=(1.0, 1.0), shift=(0.0, 0.0), size=SIZE):
    arrays = np.array([flipped]), np.array([angle]), np.array([zoom]), np.array([shift])
    return source_matrices(*arrays, size)


def test_none_changes_nothing(images):
    transforms = draw_transforms(np.random.default_rng(0), 6, SIZE, AugmentSettings())
    assert transforms == Transforms(None, None, None)
    assert warp(images, transforms.matrices) is images
    gray = torch.from_numpy(images) / 255
    assert adjust(gray, transforms) is gray


def test_identity_matrices_give_the_image_back(images):
    np.testing.assert_array_equal(warp(images[:1], one_matrix()), images[:1])


def test_a_flip_is_exact_and_happens_as_often_as_asked(images):
    np.testing.assert_array_equal(warp(images[:1], one_matrix(flipped=True)), images[:1, :, ::-1])
    always = draw_transforms(np.random.default_rng(0), 6, SIZE, AugmentSettings(horizontal_flip=1.0))
    np.testing.assert_array_equal(warp(images, always.matrices), images[:, :, ::-1])
    half = draw_transforms(np.random.default_rng(0), 4000, SIZE, AugmentSettings(horizontal_flip=0.5))
    assert 0.45 < (half.matrices[:, 0, 0] < 0).mean() < 0.55


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_quarter_turns_are_exact(images, turns):
    turned = warp(images[:1], one_matrix(angle=90.0 * turns))
    np.testing.assert_array_equal(turned[0], np.rot90(images[0], -turns))


def test_whole_shifts_are_exact_and_bring_black_in(images):
    moved = warp(images[:1], one_matrix(shift=(3, -2)))[0]
    np.testing.assert_array_equal(moved[: SIZE - 2, 3:], images[0, 2:, : SIZE - 3])
    assert not moved[SIZE - 2 :].any()
    assert not moved[:, :3].any()


def test_zoom_enlarges_about_the_centre_along_each_axis():
    image = np.zeros((1, SIZE, SIZE), np.uint8)
    image[0, 8:16, 8:16] = 200
    wide = warp(image, one_matrix(zoom=(2.0, 1.0)))[0] > 100
    assert (wide.any(axis=0).sum(), wide.any(axis=1).sum()) == (16, 8)
    assert np.argwhere(wide).mean(axis=0) == pytest.approx([(SIZE - 1) / 2] * 2)


@settings(deadline=None, max_examples=50)
@given(
    flipped=st.booleans(),
    angle=st.floats(-180, 180),
    zoom=st.tuples(st.floats(0.5, 2), st.floats(0.5, 2)),
    shift=st.tuples(st.floats(-8, 8), st.floats(-8, 8)),
)
def test_the_composed_matrix_is_flip_zoom_turn_shift_in_that_order(flipped, angle, zoom, shift):
    turn, centre = np.deg2rad(angle), (SIZE - 1) / 2
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    point = np.array([5.0, 17.0])
    moved = (point - centre) * (-1 if flipped else 1, 1) * zoom
    moved = rotation @ moved + centre + shift
    matrix = one_matrix(flipped, angle, zoom, shift)[0]
    np.testing.assert_allclose(matrix @ [*moved, 1], point, atol=1e-8)


def test_warping_agrees_with_an_independent_resampling(images):
    matrices = draw_transforms(np.random.default_rng(1), 6, SIZE, STANDARD_AUGMENTATION).matrices
    y, x = np.mgrid[:SIZE, :SIZE]
    for image, matrix, found in zip(images, matrices, warp(images, matrices), strict=True):
        across, down = np.tensordot(matrix, np.stack([x, y, np.ones_like(x)]), 1)
        expected = map_coordinates(image.astype(float), [down, across], order=1, mode="grid-constant")
        assert np.abs(found - expected).max() < 6  # cv2 interpolates in fixed point
        assert np.abs(found - expected).mean() < 1


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), rotation=st.floats(0.1, 45), low=st.floats(0.5, 1), high=st.floats(1, 2))
def test_what_is_drawn_stays_in_its_range(seed, rotation, low, high):
    wanted = AugmentSettings(
        rotation=rotation, shift=[0.1, 0.2], zoom=[low, high], brightness=0.2, contrast=0.3
    )
    drawn = draw_transforms(np.random.default_rng(seed), 32, SIZE, wanted)
    forward = np.linalg.inv(drawn.matrices[:, :, :2])
    lengths = np.linalg.norm(forward, axis=1)
    assert ((lengths > low - 1e-9) & (lengths < high + 1e-9)).all()
    turn = np.rad2deg(np.arctan2(forward[:, 1, 0], forward[:, 0, 0]))
    assert (np.abs(turn) <= rotation + 1e-9).all()
    centre = (SIZE - 1) / 2
    source = drawn.matrices @ [centre, centre, 1]
    shift = np.einsum("nij,nj->ni", forward, centre - source)
    assert (np.abs(shift) <= np.array([0.1, 0.2]) * SIZE + 1e-9).all()
    assert np.abs(drawn.brightness - 1).max() <= 0.2 + 1e-6
    assert np.abs(drawn.contrast - 1).max() <= 0.3 + 1e-6


def test_contrast_keeps_the_mean_and_brightness_scales_it():
    gray = torch.rand(2, 8, 8) * 0.2 + 0.4
    factors = np.array([0.8, 1.2], np.float32)
    stretched = adjust(gray, Transforms(None, None, factors))
    torch.testing.assert_close(stretched.mean(dim=(1, 2)), gray.mean(dim=(1, 2)))
    torch.testing.assert_close(stretched.std(dim=(1, 2)), gray.std(dim=(1, 2)) * torch.from_numpy(factors))
    torch.testing.assert_close(adjust(gray, Transforms(None, factors, None))[1], gray[1] * 1.2)
    assert adjust(torch.ones(2, 8, 8), Transforms(None, factors, None)).max() == 1


def test_the_same_generator_draws_the_same():
    first, second = (
        draw_transforms(np.random.default_rng(3), 5, SIZE, STANDARD_AUGMENTATION) for _ in range(2)
    )
    np.testing.assert_array_equal(first.matrices, second.matrices)
    np.testing.assert_array_equal(first.contrast, second.contrast)
