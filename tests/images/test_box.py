"""The crop finds the head, stays inside the image, and falls back where it must."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from brainmri.errors import BrainmriError
from brainmri.images.box import Box, CropSettings, find_box, head_box
from brainmri.images.prepare import prepare_image

ANY_IMAGE = arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40))


def ellipse(height, width, centre, axes, gray=120):
    """Return a black image with one filled ellipse."""
    image = np.zeros((height, width), np.uint8)
    cv2.ellipse(image, centre, axes, 0, 0, 360, gray, -1)
    return image


@st.composite
def heads(draw):
    """Draw a head: a scalp around a brain, both torn by noise, and a label burnt in."""
    height, width = draw(st.integers(30, 120)), draw(st.integers(30, 120))
    centre = (draw(st.integers(width // 3, 2 * width // 3)), draw(st.integers(height // 3, 2 * height // 3)))
    axes = (draw(st.integers(width // 4, width // 2)), draw(st.integers(height // 4, height // 2)))
    image = ellipse(height, width, centre, axes, draw(st.integers(50, 250)))
    gap = draw(st.floats(0.6, 0.95))
    cv2.ellipse(image, centre, [int(axis * gap) for axis in axes], 0, 0, 360, 0, -1)
    cv2.ellipse(
        image, centre, [int(axis * gap**2) for axis in axes], 0, 0, 360, draw(st.integers(40, 200)), -1
    )
    cv2.rectangle(image, (2, 2), (2 + draw(st.integers(0, 9)), 8), 255, -1)
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    noisy = image + rng.normal(0, draw(st.integers(0, 40)), image.shape) * (image > 0)
    return noisy.clip(0, 255).astype(np.uint8)


def reference_contours(gray, threshold):
    """Return what the reference takes the largest of: its five steps, one after another."""
    bright = cv2.threshold(cv2.GaussianBlur(gray, (5, 5), 0), threshold, 255, cv2.THRESH_BINARY)[1]
    opened = cv2.dilate(cv2.erode(bright, None, iterations=2), None, iterations=2)
    return cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]


@settings(max_examples=200, deadline=None)
@given(image=heads(), threshold=st.integers(20, 80))
def test_the_box_is_that_of_the_reference_also_in_a_mirror(image, threshold):
    contours = sorted(reference_contours(image, threshold), key=cv2.contourArea)
    box = head_box(image, threshold)
    if not contours:
        assert box is None
        return
    if len(contours) > 1 and cv2.contourArea(contours[-2]) == cv2.contourArea(contours[-1]):
        return  # Two largest regions: either is right.
    left, top, width, height = cv2.boundingRect(contours[-1])
    assert box == Box(left, top, left + width, top + height)
    mirrored = head_box(np.ascontiguousarray(image[:, ::-1]), threshold)
    assert mirrored == Box(image.shape[1] - box.right, box.top, image.shape[1] - box.left, box.bottom)
    flipped = head_box(np.ascontiguousarray(image[::-1]), threshold)
    assert flipped == Box(box.left, image.shape[0] - box.bottom, box.right, image.shape[0] - box.top)


def test_head_is_found_within_three_pixels():
    image = ellipse(512, 512, (240, 270), (150, 190))
    image[20:24, 20:26] = 255  # a label burnt in
    noise = np.random.default_rng(0).integers(0, 20, image.shape, np.uint8)
    box, fallback = find_box(cv2.add(image, noise), CropSettings())
    assert not fallback
    truth = (90, 80, 391, 461)
    assert (
        max(abs(a - b) for a, b in zip((box.left, box.top, box.right, box.bottom), truth, strict=True)) <= 3
    )


def test_box_includes_the_last_row_and_column_of_a_head_that_fills_the_image():
    box, fallback = find_box(np.full((100, 80), 200, np.uint8), CropSettings())
    assert (box, fallback) == (Box(0, 0, 80, 100), False)


def test_margin_is_kept_as_far_as_the_image_goes():
    image = ellipse(200, 200, (100, 100), (80, 80))
    tight, _ = find_box(image, CropSettings())
    wide, _ = find_box(image, CropSettings(margin=5))
    assert wide == Box(tight.left - 5, tight.top - 5, tight.right + 5, tight.bottom + 5)
    assert find_box(image, CropSettings(margin=1000))[0] == Box(0, 0, 200, 200)


def test_small_crop_is_rejected_and_told():
    image = ellipse(200, 200, (100, 100), (30, 30))
    assert find_box(image, CropSettings()) == (Box(0, 0, 200, 200), True)
    box, fallback = find_box(image, CropSettings(minimum_area=0.05))
    assert not fallback
    assert box.area < 0.25 * image.size


def test_the_centre_is_what_enlarging_to_256_and_cropping_to_224_keeps():
    image = np.zeros((512, 512), np.uint8)
    assert find_box(image, CropSettings("centre")) == (Box(32, 32, 480, 480), False)
    assert find_box(image, CropSettings("centre", centre=1.0)) == (Box(0, 0, 512, 512), False)


def test_threshold_decides_what_is_head():
    image = ellipse(200, 200, (100, 100), (80, 80), gray=40)
    assert find_box(image, CropSettings())[1]
    assert not find_box(image, CropSettings(threshold=20))[1]


def test_method_none_keeps_all_and_is_no_fallback():
    image = ellipse(200, 300, (100, 100), (80, 80))
    assert find_box(image, CropSettings(method="none")) == (Box(0, 0, 300, 200), False)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (3, 3), (1, 5000), (5000, 1), (4, 30000)])
@pytest.mark.parametrize("gray", [0, 255])
def test_odd_shapes_all_black_and_all_white(shape, gray):
    image = np.full(shape, gray, np.uint8)
    prepared, box, _ = prepare_image(image, 24, CropSettings())
    assert prepared.shape == (24, 24)
    assert (prepared == gray).all()
    assert box.area <= image.size


@settings(max_examples=300, deadline=None)
@given(
    image=ANY_IMAGE,
    threshold=st.integers(0, 254),
    margin=st.integers(0, 50),
    minimum=st.floats(0, 1),
    method=st.sampled_from(["contour", "none"]),
    size=st.integers(1, 50),
)
def test_any_image_gives_a_box_inside_it_and_a_square(image, threshold, margin, minimum, method, size):
    before = image.copy()
    crop = CropSettings(method=method, threshold=threshold, margin=margin, minimum_area=minimum)
    prepared, box, fallback = prepare_image(image, size, crop)
    height, width = image.shape
    assert 0 <= box.left < box.right <= width
    assert 0 <= box.top < box.bottom <= height
    assert box.area >= minimum * image.size
    if fallback:
        assert box == Box(0, 0, width, height)
    assert prepared.shape == (size, size)
    assert prepared.dtype == np.uint8
    assert (image == before).all()


def test_of_two_regions_the_larger_is_the_head():
    image = ellipse(300, 300, (180, 150), (110, 140)) | ellipse(300, 300, (20, 20), (18, 18), gray=255)
    box, _ = find_box(image, CropSettings())
    assert abs(box.left - 70) <= 3


def test_an_image_of_the_right_size_is_not_resampled_and_not_shared():
    image = np.random.default_rng(0).integers(0, 256, (32, 32), np.uint8)
    prepared, _, _ = prepare_image(image, 32, CropSettings(method="none"))
    assert (prepared == image).all()
    prepared[:] = 0
    assert image.any()


def test_shrinking_averages_and_does_not_alias():
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    prepared, _, _ = prepare_image(stripes, 32, CropSettings(method="none"))
    assert abs(prepared.astype(int) - 128).max() <= 1


@pytest.mark.parametrize(
    ("shape", "size"),
    [((200, 200), 32), ((150, 200), 32), ((99, 70), 32), ((200, 500), 224), ((40, 1000), 224)],
)
def test_shrinking_by_a_broken_factor_and_of_strips_averages_too(shape, size):
    stripes = np.zeros(shape, np.uint8)
    stripes[:, ::2] = 255
    for image in (stripes, np.ascontiguousarray(stripes.T)):
        prepared, _, _ = prepare_image(image, size, CropSettings(method="none"))
        assert abs(prepared.astype(int) - 128).max() <= 64


def test_enlarging_is_smooth():
    ramp = np.tile(np.arange(0, 240, 16, dtype=np.uint8), (15, 1))
    prepared, _, _ = prepare_image(ramp, 60, CropSettings(method="none"))
    assert np.diff(prepared[30].astype(int)).max() <= 8


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("method", "contours"),
        ("threshold", 255),
        ("threshold", -1),
        ("margin", -1),
        ("minimum_area", 1.5),
        ("centre", 0),
    ],
)
def test_settings_that_make_no_sense_name_their_key(key, value):
    with pytest.raises(BrainmriError, match=f"crop.{key}"):
        CropSettings(**{key: value})
