"""Rotated, zoomed and shifted copies: found and aligned, while different pictures stay apart."""

import cv2
import numpy as np
import pytest

from brainmri.audit.affine import affine_copies, rotation_matrix, turn_matrix
from brainmri.audit.turns import TURNS, turned

SIZE = 128


def heads(count):
    """Ellipses of one outline, each with its own smooth content and a bright mark."""
    generator = np.random.default_rng(0)
    mask = cv2.ellipse(np.zeros((SIZE, SIZE), np.float32), (62, 66), (38, 50), 0, 0, 360, 1.0, -1)
    noise = [cv2.GaussianBlur(generator.normal(0, 1, (SIZE, SIZE)), (0, 0), 3) for _ in range(count)]
    return np.stack([np.clip(mask * (120 + 250 * one), 0, 255).astype(np.uint8) for one in noise])


@pytest.mark.parametrize("before", ["identity", "mirror", "turn90"])
@pytest.mark.parametrize("angle", [-13.0, 4.0, 15.0])
def test_a_warped_copy_is_found_with_its_matrix(before, angle):
    images = heads(6)
    matrix = rotation_matrix(angle, 1.0, SIZE) @ np.array([[0.93, 0, 5], [0, 1.07, -6], [0, 0, 1]])
    copy = cv2.warpAffine(np.ascontiguousarray(turned(images[2], before)), matrix[:2], (SIZE, SIZE))
    found = affine_copies(np.concatenate([images, copy[None]]), np.ones(7))
    assert list(zip(found.a, found.b, strict=True)) == [(2, 6)]
    assert 0.983 <= found.similarity[0] <= 1
    corners = np.array([[40, 30, 1], [90, 40, 1], [60, 100, 1]], float).T
    expected = (matrix @ turn_matrix(before, SIZE))[:2] @ corners
    assert np.abs(found.matrices[0] @ corners - expected).max() < 1.0


def test_different_heads_blank_images_and_single_images_give_no_pair():
    images = np.concatenate([heads(6), np.zeros((2, SIZE, SIZE), np.uint8)])
    assert len(affine_copies(images, np.ones(8)).a) == 0
    assert affine_copies(images[:1], np.ones(1)).matrices.shape == (0, 2, 3)
    assert len(affine_copies(images[:0], np.ones(0)).a) == 0


@pytest.mark.parametrize("transform", TURNS)
def test_the_matrix_of_a_turn_moves_pixels_as_the_turn_does(transform):
    image = heads(1)[0]
    warped = cv2.warpAffine(image, turn_matrix(transform, SIZE)[:2], (SIZE, SIZE), flags=cv2.INTER_NEAREST)
    np.testing.assert_array_equal(warped, turned(image, transform))


def test_a_rotation_takes_the_aspect_of_the_original_into_account():
    wide = np.array([[2.0, 0, 0], [0, 1, 0], [0, 0, 1]])
    linear = (wide @ rotation_matrix(10, 2.0, SIZE) @ np.linalg.inv(wide))[:2, :2]
    np.testing.assert_allclose(linear @ linear.T, np.eye(2), atol=1e-12)
