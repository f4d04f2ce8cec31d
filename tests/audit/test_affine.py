"""Rotated, zoomed and shifted copies: found and aligned, while neighbouring slices are no copies."""

import json

import cv2
import numpy as np
import pandas as pd
import pytest

from brainmri.audit.search import search_copies
from brainmri.audit.turns import TURNS, turned
from brainmri.audit.warps import between_originals, taken_apart, turn_matrix
from brainmri.sources.synthetic.slices import draw_slices

SIZE = 256


def rotation(angle, zoom, shift):
    """The map of an image of 256 pixels that rotates (degrees anticlockwise) and zooms about the middle."""
    cosine, sine = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    linear = np.array([[cosine, sine], [-sine, cosine]]) @ np.diag(zoom)
    middle = np.full(2, (SIZE - 1) / 2)
    return np.column_stack([linear, middle + shift - linear @ middle])


def search(images, sets=None):
    names = [f"{number:03}.png" for number in range(len(images))]
    table = pd.DataFrame({"image_id": names, "pixel_sha256": names})
    table["width"], table["height"] = SIZE, SIZE
    return search_copies(images, table, sets)


@pytest.fixture(scope="module")
def heads():
    """The slices of three patients."""
    drawn = [one.image for patient in range(3) for one in draw_slices(3, patient, "glioma", 5, SIZE, False)]
    return [cv2.resize(image, (SIZE, SIZE)) for image in drawn]


@pytest.mark.parametrize("before", ["identity", "mirror", "turn90", "mirror+turn270"])
@pytest.mark.parametrize("angle", [-14.0, 5.0])
def test_a_warped_and_retoned_copy_is_found_with_its_matrix(heads, before, angle):
    matrix = rotation(angle, (0.92, 1.07), (6, -8))
    copy = cv2.warpAffine(np.ascontiguousarray(turned(heads[2], before)), matrix, (SIZE, SIZE))
    copy = np.clip(copy * 0.85 + 10, 0, 255).astype(np.uint8)
    pairs, _ = search([*heads, copy])
    pairs = pairs[pairs["kind"] != "neighbour"]
    assert pairs[["image_id_a", "image_id_b", "kind"]].to_numpy().tolist() == [
        ["002.png", "015.png", "affine"]
    ]
    expected = np.vstack([matrix, [0, 0, 1]]) @ turn_matrix(before, SIZE, SIZE)
    corners = np.array([[60, 60, 1], [190, 80, 1], [120, 200, 1]], float).T
    found = np.array(json.loads(pairs["matrix"].iloc[0]))
    assert np.abs(found @ corners - expected[:2] @ corners).max() < 1.0
    told = pairs["transform"].iloc[0]
    assert float(told.split("rotate=")[1].split()[0]) == pytest.approx(angle, abs=0.3)
    assert told.startswith("rotate" if before == "identity" else f"{before} ")


@pytest.mark.parametrize("before", ["identity", "mirror"])
@pytest.mark.parametrize("copy_is_first", [True, False])
def test_a_copy_of_which_a_third_turned_black_is_found(heads, before, copy_is_first):
    whole = np.ascontiguousarray(turned(heads[2], before))
    dark = (np.clip(1.17 * (whole / 255) ** 1.19 - 0.2, 0, 1) * 255).astype(np.uint8)
    assert (dark > 8).sum() < 0.75 * (whole > 8).sum()
    pairs, _ = search([dark, *heads] if copy_is_first else [*heads, dark])
    pairs = pairs[pairs["kind"] != "neighbour"]
    expected = ["000.png", "003.png"] if copy_is_first else ["002.png", "015.png"]
    assert pairs[["image_id_a", "image_id_b"]].to_numpy().tolist() == [expected]
    assert pairs["kind"].iloc[0] == ("near" if before == "identity" else "mirrored")


def test_neighbouring_slices_are_told_as_such_and_never_as_copies():
    dense = [one.image for patient in range(2) for one in draw_slices(0, patient, "glioma", 18, SIZE, False)]
    pairs, _ = search([cv2.resize(image, (SIZE, SIZE)) for image in dense])
    assert set(pairs["kind"]) == {"neighbour"}
    numbers = pairs[["image_id_a", "image_id_b"]].map(lambda name: int(name[:3]) // 18)
    assert len(pairs) >= 5 and (numbers["image_id_a"] == numbers["image_id_b"]).all()


def test_of_two_sets_only_pairs_across_are_sought(heads):
    warped = [cv2.warpAffine(image, rotation(8, (1, 1), (0, 0)), (SIZE, SIZE)) for image in heads[:3]]
    images = [*heads, *warped, heads[0]]
    pairs, _ = search(images, sets=np.repeat([0, 1], [len(heads), 4]))
    assert (pairs["image_id_a"] < "015").all() and (pairs["image_id_b"] >= "015").all()
    copies = pairs[pairs["kind"] != "neighbour"]
    assert {("000.png", "015.png"), ("001.png", "016.png"), ("002.png", "017.png")} <= set(
        copies[["image_id_a", "image_id_b"]].itertuples(index=False, name=None)
    )


def test_blank_images_and_single_images_give_no_pair(heads):
    blank = np.zeros((SIZE, SIZE), np.uint8)
    assert search([blank, blank + 7, heads[0]])[0].empty
    assert search([heads[0]])[0].empty
    assert search([])[0].empty


@pytest.mark.parametrize("transform", TURNS)
def test_the_matrix_of_a_turn_moves_pixels_as_the_turn_does(transform):
    image = np.random.default_rng(0).integers(0, 255, (20, 30)).astype(np.uint8)
    expected = np.ascontiguousarray(turned(image, transform))
    size = expected.shape[::-1]
    warped = cv2.warpAffine(image, turn_matrix(transform, 30, 20)[:2], size, flags=cv2.INTER_NEAREST)
    np.testing.assert_array_equal(warped, expected)


@pytest.mark.parametrize("turn", TURNS)
def test_a_map_is_taken_apart_into_turn_rotation_zoom_and_shift(turn):
    matrix = np.vstack([rotation(-11, (0.9, 1.1), (5, -3)), [0, 0, 1]]) @ turn_matrix(turn, SIZE, SIZE)
    warp = taken_apart(matrix[:2], (SIZE, SIZE), (SIZE, SIZE))
    assert (warp.turn, *np.round([warp.angle, *warp.zoom, *warp.shift], 6)) == (turn, -11, 0.9, 1.1, 5, -3)


def test_a_map_between_squares_is_brought_to_the_originals():
    """A quarter turn of a wide picture is a quarter turn of the square that it was squeezed to."""
    original = turn_matrix("turn90", 300, 200)[:2]
    np.testing.assert_allclose(
        between_originals(turn_matrix("turn90", 128, 128)[:2], 128, (300, 200), (200, 300)),
        original,
        atol=1e-9,
    )
