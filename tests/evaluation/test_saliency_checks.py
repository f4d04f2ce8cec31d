"""The checks of saliency maps: known answers on maps and models of which everything is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainmri.evaluation import saliency_checks as checks
from brainmri.evaluation.saliency import GRID, centre_grid, occluded, occlusion, random_grid
from brainmri.images.enlarge import enlarged
from brainmri.images.probed import kept_pixels

SIZE = 40


def linear_score(weights: np.ndarray):
    """Return a model whose answer is a weighted sum of the pixels."""
    return lambda images: images.reshape(len(images), -1).astype(float) @ weights.ravel() / 255


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def test_similarity_is_one_of_a_map_with_itself_and_near_none_of_random_ones(generator):
    one = enlarged(random_grid(generator), SIZE)
    assert checks.similarity(one, one) == pytest.approx(1)
    assert checks.similarity(one, np.exp(5 * one)) == pytest.approx(1)
    assert checks.similarity(one, -one) == pytest.approx(-1)
    others = [checks.similarity(one, enlarged(random_grid(generator), SIZE)) for _ in range(40)]
    assert abs(np.mean(others)) < 0.1
    assert np.isnan(checks.similarity(one, np.zeros_like(one)))


def test_curves_of_a_linear_model_are_the_sums_of_its_weights(generator):
    image = generator.integers(256, size=(SIZE, SIZE), dtype=np.uint8)
    weights = generator.random((SIZE, SIZE))
    score = linear_score(weights)
    order = checks.ranking(weights, generator)
    ((deletion, insertion),) = checks.curve_areas(score(checks.masked_images(image, [order])))
    # By hand: the answer is the blurred image's plus what the sharp pixels add.
    soft = checks.blurred(image)
    added = (weights * (image.astype(float) - soft) / 255).ravel()[order]
    sums = [added[: round(step * order.size / checks.STEPS)].sum() for step in range(checks.STEPS + 1)]
    base = score(soft[None])[0]
    assert insertion == pytest.approx(np.trapezoid(base + np.array(sums), dx=1 / checks.STEPS))
    assert deletion == pytest.approx(np.trapezoid(base + added.sum() - np.array(sums), dx=1 / checks.STEPS))


def test_the_best_order_of_a_linear_model_beats_random_and_reversed_ones(generator):
    image = generator.integers(256, size=(SIZE, SIZE), dtype=np.uint8)
    weights = generator.random((SIZE, SIZE))
    adds = weights * (image.astype(float) - checks.blurred(image))
    orders = [checks.ranking(values, generator) for values in (adds, generator.random(adds.shape), -adds)]
    areas = checks.curve_areas(linear_score(weights)(checks.masked_images(image, orders)))
    (best_deletion, best_insertion), (deletion, insertion), (worst_deletion, worst_insertion) = areas
    assert best_insertion > insertion > worst_insertion
    assert best_deletion < deletion < worst_deletion


@given(seed=st.integers(0, 10_000), size=st.integers(8, 48))
@settings(max_examples=25, deadline=None)
def test_every_order_names_each_pixel_once_and_begins_and_ends_alike(seed, size):
    generator = np.random.default_rng(seed)
    image = generator.integers(256, size=(size, size), dtype=np.uint8)
    order = checks.ranking(generator.integers(3, size=(size, size)), generator)
    assert sorted(order) == list(range(size * size))
    made = checks.masked_images(image, [order])
    np.testing.assert_array_equal(made[0], image)
    np.testing.assert_array_equal(made[1], checks.blurred(image))
    # What one curve has blurred, the other has sharp.
    half = 2 + checks.STEPS - 1
    for one, other in zip(made[2:half], made[half:], strict=True):
        total = one.astype(int) + other
        np.testing.assert_array_equal(total, image.astype(int) + checks.blurred(image))


def test_mass_is_counted_where_it_lies(generator):
    values = np.zeros((SIZE, SIZE))
    values[0, 0], values[20, 20], values[21, 20] = 1, 3, -8
    border = kept_pixels("border", SIZE)
    assert checks.mass_share(values, border) == pytest.approx(0.25)
    assert np.isnan(checks.mass_share(np.zeros((SIZE, SIZE)), border))
    assert checks.mass_share(np.ones((SIZE, SIZE)), border) == pytest.approx(0.36)


def test_a_head_has_its_dark_ventricles_and_no_ground():
    image = np.zeros((SIZE, SIZE), np.uint8)
    image[10:30, 10:30] = 150
    image[18:22, 18:22] = 0
    head = checks.head_mask(image, 45)
    assert head[20, 20]
    assert not head[2:7].any()
    assert not checks.head_mask(np.zeros((SIZE, SIZE), np.uint8), 45).any()
    # A skull with a gap still encloses what is dark in it.
    image[10:30, 10:30] = 0
    image[10:30, [10, 11, 28, 29]] = image[[10, 11, 28, 29], 10:30] = 150
    image[20:22, 10:12] = 0
    assert checks.head_mask(np.kron(image, np.ones((4, 4), np.uint8)), 45)[80, 80]


def test_overlap_with_a_lesion(generator):
    mask = np.zeros((SIZE, SIZE), bool)
    mask[5:15, 5:15] = True
    assert checks.overlap(checks.ranking(mask.astype(float), generator), mask) == (True, 1.0)
    assert checks.overlap(checks.ranking(1.0 - mask, generator), mask) == (False, 0.0)
    half = np.roll(mask, 5, axis=0).astype(float)
    assert checks.overlap(checks.ranking(half, generator), mask)[1] == pytest.approx(50 / 150)


def test_occlusion_finds_the_pixels_that_a_model_reads(generator):
    image = generator.integers(100, 200, size=(SIZE, SIZE), dtype=np.uint8)
    image[28:34, 6:12] = 255
    weights = np.zeros((SIZE, SIZE))
    weights[28:34, 6:12] = 1
    grid = occlusion(linear_score(weights), image)
    row, column = np.unravel_index(enlarged(grid, SIZE).argmax(), (SIZE, SIZE))
    assert 26 <= row <= 36
    assert 4 <= column <= 14


@pytest.mark.parametrize("size", [16, 40, 81])
def test_the_windows_cover_every_pixel_and_nothing_else_changes(size, generator):
    image = generator.integers(1, 120, size=(size, size), dtype=np.uint8)
    gray = round(float(image.mean()))
    copies = occluded(image)
    assert len(copies) == GRID**2
    changed = copies != image
    assert (changed.any(axis=0) | (image == gray)).all()
    assert (copies[changed] == gray).all()


def test_the_centre_map_is_highest_in_the_centre():
    assert np.unravel_index(centre_grid().argmax(), (GRID, GRID)) == (GRID // 2, GRID // 2)
