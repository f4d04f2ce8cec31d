"""Local features of the images of a set: where they lie, and what surrounds them."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from brainmri.errors import unwritable
from brainmri.sources.parallel import in_parallel

# Pixels a side in which features are sought; SIFT doubles the image itself.
FEATURE_SIZE = 128
# The strongest features of an image that are kept.
FEATURES = 250
DESCRIPTOR = 128
# Weak contrasts count too: soft tissue has few others.
CONTRAST, EDGE = 0.005, 20


class Keypoints:
    """SIFT features of N images, in a file without a name, so that memory stays bounded.

    D. G. Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 60, 2004.

    Parameters
    ----------
    count
        N.
    folder
        Where the file lies while it is needed: 33 KB an image.

    Raises
    ------
    BrainmriError
        If there is no room for the file.
    """

    def __init__(self, count: int, folder: Path | None = None):
        kind = np.dtype([("place", np.float32, 2), ("descriptor", np.uint8, DESCRIPTOR)])
        shape = (max(count, 1), FEATURES)
        try:
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (lives as long as the object)
            # Room is taken at once: a write to mapped memory that finds none would end the process.
            os.posix_fallocate(self._file.fileno(), 0, shape[0] * shape[1] * kind.itemsize)
        except OSError as error:
            what = f"the features of {count} images in {folder or tempfile.gettempdir()}"
            raise unwritable(what, error) from error
        self._stored = np.memmap(self._file, kind, "r+", shape=shape)
        self._found = np.zeros(count, np.int32)

    def put(self, row: int, places: np.ndarray, descriptors: np.ndarray) -> None:
        """Store the features of one image."""
        self._found[row] = len(places)
        self._stored[row, : len(places)]["place"] = places
        self._stored[row, : len(places)]["descriptor"] = descriptors

    def places(self, row: int) -> np.ndarray:
        """Return where the features of an image lie: float32, (F, 2), x and y of 128 pixels a side."""
        return self._stored[row, : self._found[row]]["place"]

    def descriptors(self, row: int) -> np.ndarray:
        """Return what surrounds them: float32, (F, 128); see `rooted`."""
        return rooted(self._stored[row, : self._found[row]]["descriptor"])


def find_keypoints(images: Sequence[np.ndarray], keypoints: Keypoints, workers: int) -> None:
    """Find the features of all images and store them.

    Parameters
    ----------
    images
        N images, uint8, square, of any size.
    keypoints
        Where to store them.
    workers
        Threads; 0 for all cores.
    """

    def find(rows: list[int]) -> list[None]:
        detector = cv2.SIFT_create(nfeatures=FEATURES, contrastThreshold=CONTRAST, edgeThreshold=EDGE)
        for row in rows:
            found, descriptors = detector.detectAndCompute(resized(images[row], FEATURE_SIZE), None)
            # Equal strengths may give one feature more than was asked for.
            places = np.array([point.pt for point in found[:FEATURES]], np.float32).reshape(-1, 2)
            if len(places):
                keypoints.put(row, places, descriptors[:FEATURES].astype(np.uint8))
        return [None] * len(rows)

    in_parallel(find, range(len(images)), workers=workers, description="features", unit="image")


def resized(image: np.ndarray, side: int) -> np.ndarray:
    """Return a square image with another side, without aliasing."""
    return cv2.resize(np.asarray(image), (side, side), interpolation=cv2.INTER_AREA)


def rooted(descriptors: np.ndarray) -> np.ndarray:
    """Return SIFT descriptors whose dot product is the Hellinger kernel.

    R. Arandjelovic and A. Zisserman, "Three things everyone should know to improve object retrieval", CVPR
    2012.
    """
    descriptors = descriptors.astype(np.float32)
    return np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-9))


def mirrored(descriptors: np.ndarray) -> np.ndarray:
    """Return the descriptors (F, 128) that a mirrored image would have.

    A descriptor holds 4 x 4 cells of 8 directions, in a frame turned to the main direction: a mirror swaps
    the sides of that direction, and the sense in which the others are measured.
    """
    cells = descriptors.reshape(-1, 4, 4, 8)
    return np.ascontiguousarray(cells[:, ::-1][..., -np.arange(8) % 8]).reshape(-1, DESCRIPTOR)
