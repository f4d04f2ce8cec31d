"""Augmentation: exact where it can be, within its ranges everywhere, the same on both backends."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from brainmri.training.augment import Erasure, Noise, Transforms, cropped, draw_transforms, source_matrices
from brainmri.training.augmented import finished, warped_by_opencv, warped_by_torch
from brainmri.training.recipe import STANDARD_AUGMENTATION, AugmentSettings

SIZE = 24
ALL = np.arange(6)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (6, SIZE, SIZE), np.uint8)


def one_matrix(flipped=False, angle=0.0, zoom=(1.0, 1.0), shift=(0.0, 0.0), size=SIZE):
    arrays = np.array([flipped]), np.array([angle]), np.array([zoom]), np.array([shift])
    return source_matrices(*arrays, size)


def warp(images, matrices):
    return warped_by_opencv(images, np.arange(len(images)), matrices)


def draw(seed=0, count=6, size=SIZE, **amounts):
    return draw_transforms(np.random.default_rng(seed), count, size, AugmentSettings(**amounts))


def test_none_changes_nothing(images):
    transforms = draw()
    assert transforms == Transforms()
    np.testing.assert_array_equal(warped_by_opencv(images, np.array([3, 1]), None), images[[3, 1]])
    stored = torch.from_numpy(images)
    assert warped_by_torch(stored, None) is stored
    torch.testing.assert_close(finished(stored, transforms), stored / 255)
    torch.testing.assert_close(finished(stored, transforms, 0.3, 0.2), (stored / 255 - 0.3) / 0.2)


def test_identity_matrices_give_the_image_back(images):
    np.testing.assert_array_equal(warp(images[:1], one_matrix()), images[:1])


def test_a_flip_is_exact_and_happens_as_often_as_asked(images):
    np.testing.assert_array_equal(warp(images[:1], one_matrix(flipped=True)), images[:1, :, ::-1])
    np.testing.assert_array_equal(warp(images, draw(horizontal_flip=1.0).matrices), images[:, :, ::-1])
    half = draw(count=4000, horizontal_flip=0.5)
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


@pytest.mark.parametrize(
    "amount", [{"rotation": 9.0}, {"shift": 0.2}, {"shift": [0.0, 0.2]}, {"zoom": [0.5, 0.9]}]
)
def test_each_movement_moves_images_by_itself(images, amount):
    assert not np.array_equal(warp(images, draw(**amount).matrices), images)


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
    sides=st.tuples(st.floats(0.2, 1), st.floats(0.2, 1)),
    place=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_the_composed_matrix_is_flip_zoom_turn_shift_crop_in_that_order(
    flipped, angle, zoom, shift, sides, place
):
    turn, centre = np.deg2rad(angle), (SIZE - 1) / 2
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    point = np.array([5.0, 17.0])
    moved = (point - centre) * (-1 if flipped else 1, 1) * zoom
    moved = rotation @ moved + centre + shift
    matrix = one_matrix(flipped, angle, zoom, shift)
    np.testing.assert_allclose(matrix[0] @ [*moved, 1], point, atol=1e-8)
    corner = np.array(place) * (1 - np.array(sides)) * (SIZE - 1)
    enlarged = (moved - corner) / sides
    window = cropped(matrix, np.array([sides]), np.array([place]), SIZE)
    np.testing.assert_allclose(window[0] @ [*enlarged, 1], point, atol=1e-8)


def test_a_crop_of_half_the_sides_is_that_quarter_enlarged(images):
    matrix = cropped(None, np.array([[0.5, 0.5]]), np.array([[1.0, 0.0]]), SIZE)
    np.testing.assert_allclose(matrix[0] @ [[0, SIZE - 1], [0, SIZE - 1], [1, 1]], [[11.5, 23], [0, 11.5]])
    found = warp(images[:1], matrix)[0]
    np.testing.assert_array_equal(found[::2, 1::2], images[0, :12, 12:])


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), low=st.floats(0.05, 1), high=st.floats(0.05, 1))
def test_windows_have_the_area_and_ratio_asked_for_and_stay_inside(seed, low, high):
    low, high = sorted((low, high))
    drawn = draw(seed, 64, crop=[low, high])
    width, height = drawn.matrices[:, 0, 0], drawn.matrices[:, 1, 1]
    assert not drawn.matrices[:, [0, 1], [1, 0]].any()
    assert ((width * height > low - 1e-9) & (width * height < high + 1e-9)).all()
    assert ((width / height > 3 / 4 - 1e-9) & (width / height < 4 / 3 + 1e-9)).all()
    corners = drawn.matrices @ np.array([[0, SIZE - 1], [0, SIZE - 1], [1, 1]])
    assert corners.min() > -1e-9
    assert corners.max() < SIZE - 1 + 1e-9


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32),
    size=st.integers(16, 80),
    rotation=st.floats(0, 180),
    zoom=st.tuples(st.floats(0.3, 1), st.floats(1, 3)),
    shift=st.floats(0, 0.5),
    crop=st.one_of(st.none(), st.tuples(st.floats(0.05, 0.5), st.floats(0.5, 1))),
    amount=st.floats(0, 1),
)
def test_both_backends_agree(seed, size, rotation, zoom, shift, crop, amount):
    """To 0.51 gray values of 255: OpenCV rounds to bytes (0.5), and interpolates in single precision."""
    generator = np.random.default_rng(seed)
    images = cv2.GaussianBlur(generator.integers(0, 256, (size, size, 4), np.uint8), (0, 0), 1)
    images = np.ascontiguousarray(images.transpose(2, 0, 1))
    wanted = AugmentSettings(
        horizontal_flip=0.5, rotation=rotation, shift=shift, zoom=list(zoom), crop=crop and list(crop)
    )
    tones = AugmentSettings(brightness=amount, contrast=amount, noise=amount / 4, erase=amount)
    matrices = draw_transforms(generator, 4, size, wanted).matrices
    host = torch.from_numpy(warp(images, matrices))
    device = warped_by_torch(torch.from_numpy(images), matrices)
    assert (host - device).abs().max() < 0.51
    # Contrast and brightness at most double what differs, and the mean that contrast keeps.
    transforms = draw_transforms(generator, 4, size, tones)
    first, second = finished(host, transforms), finished(device, transforms)
    assert (first - second).abs().max() < 0.51 / 255 * (1 + amount) * (1 + 2 * amount)


def test_warping_agrees_with_an_independent_resampling(images):
    matrices = draw_transforms(np.random.default_rng(1), 6, SIZE, STANDARD_AUGMENTATION).matrices
    y, x = np.mgrid[:SIZE, :SIZE]
    for image, matrix, found in zip(images, matrices, warp(images, matrices), strict=True):
        across, down = np.tensordot(matrix, np.stack([x, y, np.ones_like(x)]), 1)
        expected = map_coordinates(image.astype(float), [down, across], order=1, mode="grid-constant")
        assert np.abs(found - expected).max() < 0.51


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), rotation=st.floats(0.1, 45), low=st.floats(0.5, 1), high=st.floats(1, 2))
def test_what_is_drawn_stays_in_its_range(seed, rotation, low, high):
    drawn = draw(
        seed, 32, rotation=rotation, shift=[0.1, 0.2], zoom=[low, high], brightness=0.2, contrast=0.3
    )
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
    gray = torch.rand(2, 8, 8) * 50 + 100
    before = gray / 255
    factors = np.array([0.8, 1.2], np.float32)
    stretched = finished(gray.clone(), Transforms(contrast=factors))
    torch.testing.assert_close(stretched.mean(dim=(1, 2)), before.mean(dim=(1, 2)))
    torch.testing.assert_close(stretched.std(dim=(1, 2)), before.std(dim=(1, 2)) * torch.from_numpy(factors))
    torch.testing.assert_close(
        finished(gray.clone(), Transforms(brightness=factors))[1], before[1] * factors[1]
    )
    assert finished(torch.full((2, 8, 8), 255.0), Transforms(brightness=factors)).max() == 1
    both = finished(gray.clone(), Transforms(brightness=factors, contrast=factors[::-1].copy()), 0.4, 0.3)
    wanted = finished(gray.clone(), Transforms(contrast=factors[::-1].copy()))
    wanted = (wanted * torch.from_numpy(factors)[:, None, None] - 0.4) / 0.3
    torch.testing.assert_close(both, wanted, atol=1e-5, rtol=1e-5)


def test_noise_has_its_deviation_and_values_stay_gray():
    levels = np.array([0.0, 0.05, 0.1], np.float32)
    gray = torch.full((3, 64, 64), 127.5)
    noisy = finished(gray.clone(), Transforms(noise=Noise(levels, 7, 3)))
    assert noisy.std(dim=(1, 2)).tolist() == pytest.approx(levels, rel=0.05, abs=1e-6)
    assert noisy.mean(dim=(1, 2)).tolist() == pytest.approx([0.5] * 3, abs=0.01)
    normalised = finished(gray.clone(), Transforms(noise=Noise(levels, 7, 3)), 0.3, 0.2)
    torch.testing.assert_close(normalised, (noisy - 0.3) / 0.2, atol=1e-5, rtol=1e-5)
    white = finished(torch.full((3, 64, 64), 255.0), Transforms(noise=Noise(levels, 7, 3)))
    assert white.max() == 1
    drawn = draw(count=1000, noise=0.2).noise.levels
    assert (drawn.min(), drawn.max()) == pytest.approx((0, 0.2), abs=0.01)


def test_an_erased_rectangle_is_one_gray_and_nothing_else_changes(images):
    rectangles, grays = np.zeros((6, 4), int), np.full(6, 0.5, np.float32)
    rectangles[2] = 3, 5, 10, 20
    found = finished(torch.from_numpy(images), Transforms(erasure=Erasure(rectangles, grays)), 0.25, 0.5)
    before = finished(torch.from_numpy(images), Transforms(), 0.25, 0.5)
    assert (found[2, 5:20, 3:10] == 0.5).all()
    before[2, 5:20, 3:10] = 0.5
    assert torch.equal(found, before)


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), size=st.integers(16, 300), share=st.floats(0.01, 1))
def test_rectangles_lie_inside_and_have_the_area_asked_for(seed, size, share):
    drawn = draw(seed, 200, size, erase=share).erasure
    left, top, right, bottom = drawn.rectangles.T
    erased = right > left
    assert abs(erased.mean() - share) < 0.2
    assert not drawn.rectangles[~erased].any()
    assert drawn.rectangles.min() >= 0
    assert drawn.rectangles.max() <= size
    width, height = (right - left)[erased], (bottom - top)[erased]
    # Half a pixel of rounding either way.
    assert ((width - 0.5) * (height - 0.5) <= 0.33 * size**2 + 1e-6).all()
    assert ((width + 0.5) * (height + 0.5) >= 0.02 * size**2 - 1e-6).all()
    assert ((drawn.grays >= 0) & (drawn.grays < 1)).all()


EVERYTHING = AugmentSettings(
    horizontal_flip=0.5, rotation=20, crop=[0.5, 1.0], brightness=0.2, contrast=0.2, noise=0.1, erase=0.5
)


def test_the_same_generator_draws_the_same():
    first, second = (draw_transforms(np.random.default_rng(3), 5, SIZE, EVERYTHING) for _ in range(2))
    np.testing.assert_array_equal(first.matrices, second.matrices)
    np.testing.assert_array_equal(first.contrast, second.contrast)
    np.testing.assert_array_equal(first.erasure.rectangles, second.erasure.rectangles)
    assert first.noise.seed == second.noise.seed


def test_some_images_of_a_batch_become_what_they_become_in_the_whole(images):
    transforms = draw_transforms(np.random.default_rng(3), 6, SIZE, EVERYTHING)
    places = np.array([4, 1, 1])
    taken = transforms.taken(places)
    some, whole = (
        finished(torch.from_numpy(warped_by_opencv(images, rows, drawn.matrices)), drawn)
        for rows, drawn in ((places, taken), (ALL, transforms))
    )
    assert torch.equal(some, whole[places])
    again = taken.taken(np.array([0]))
    row = torch.from_numpy(warped_by_opencv(images, np.array([4]), again.matrices))
    assert torch.equal(finished(row, again), whole[[4]])
