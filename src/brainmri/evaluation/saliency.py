"""Maps of what a model's answer hangs on, as coarse grids, and the trivial maps that they must beat."""

import numpy as np

GRID = 7  # cells a side of the occlusion and of the trivial maps: 49 predictions an image
CENTRE_WIDTH = 0.25  # standard deviation of the centre's bump, as a share of the image's side


def occluded(image: np.ndarray) -> np.ndarray:
    """Return an image with one window after the other covered by its mean gray.

    M. D. Zeiler and R. Fergus, "Visualizing and understanding convolutional networks", ECCV 2014. The window
    lies over each cell of the grid and is twice as wide, so that neighbours overlap by half.

    Parameters
    ----------
    image : (S, S) uint8 array

    Returns
    -------
    (GRID², S, S) uint8 array
        In the order of rows, then columns.
    """
    size = len(image)
    copies = np.repeat(image[None], GRID**2, axis=0)
    gray = np.uint8(round(float(image.mean())))
    edges = [
        (max(0, round((index - 0.5) * size / GRID)), round((index + 1.5) * size / GRID))
        for index in range(GRID)
    ]
    for cell in range(GRID**2):
        (top, bottom), (left, right) = edges[cell // GRID], edges[cell % GRID]
        copies[cell, top:bottom, left:right] = gray
    return copies


def occlusion(score, image: np.ndarray) -> np.ndarray:
    """Return by how much the score of an image falls as each window is covered.

    Parameters
    ----------
    score
        Maps images (N, S, S) uint8 to scores (N,), such as the probability of the predicted class.
    image : (S, S) uint8 array

    Returns
    -------
    (GRID, GRID) float32 array
        Below 0 where covering helps.
    """
    scores = score(np.concatenate([image[None], occluded(image)]))
    return (scores[0] - scores[1:]).reshape(GRID, GRID).astype(np.float32)


def random_grid(generator: np.random.Generator) -> np.ndarray:
    """Return a map that knows nothing.

    It is as coarse as the others: single pixels at random give a picture back sooner than any pixels that
    lie together.
    """
    return generator.random((GRID, GRID), dtype=np.float32)


def centre_grid() -> np.ndarray:
    """Return the map of who guesses that the centre matters: a Gaussian bump."""
    places = (np.arange(GRID) + 0.5) / GRID - 0.5
    bump = np.exp(-((places / CENTRE_WIDTH) ** 2) / 2)
    return np.outer(bump, bump).astype(np.float32)
