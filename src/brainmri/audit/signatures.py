"""One vector an image, made of its local features: near for copies, however turned, zoomed or shifted.

H. Jegou et al., "Aggregating local image descriptors into compact codes", IEEE TPAMI 34, 2012 (VLAD).
"""

from dataclasses import dataclass

import faiss
import numpy as np

from brainmri.audit.keypoints import Keypoints, mirrored
from brainmri.sources.parallel import in_parallel, one_thread_each

WORDS = 64
# Components of a descriptor, and of a signature, that are kept.
DESCRIPTOR_DIMENSIONS, SIGNATURE_DIMENSIONS = 48, 256
# Of so many images the words are learnt; with fewer than the second number, signatures are not shortened.
SAMPLE, ENOUGH_TO_SHORTEN = 2500, 1000
DESCRIPTORS_LEARNT = 100_000
SEED = 0


@dataclass(frozen=True)
class Vocabulary:
    """The words that the descriptors of a set are counted by.

    Attributes
    ----------
    mean, projection : ndarray of float32, shapes (128,) and (128, D)
        From a descriptor to its main components, half whitened.
    words : ndarray of float32, shape (64, D)
    offset, shortening : ndarray of float32 or None, shapes (64 D,) and (64 D, 256)
        From a signature to its main components, half whitened; None where there are too few images.
    """

    mean: np.ndarray
    projection: np.ndarray
    words: np.ndarray
    offset: np.ndarray | None = None
    shortening: np.ndarray | None = None


def signatures(keypoints: Keypoints, count: int, workers: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the signatures of N images, and those that they would have if mirrored.

    Returns
    -------
    plain, mirror : ndarray of float32, shape (N, S)
        Of unit norm, zero for an image without features; the dot product of two is their likeness.
    """
    sample = np.random.default_rng(SEED).permutation(count)[:SAMPLE]
    vocabulary = learn_vocabulary(keypoints, sample, workers)

    def describe(rows: list[int]) -> list[np.ndarray]:
        both = []
        for row in rows:
            descriptors = keypoints.descriptors(row)
            both.append(
                np.stack([signature(kind, vocabulary) for kind in (descriptors, mirrored(descriptors))])
            )
        return both

    with one_thread_each():
        both = in_parallel(describe, range(count), workers=workers, description="signatures", unit="image")
    plain, mirror = np.stack(both, axis=1)
    return np.ascontiguousarray(plain), np.ascontiguousarray(mirror)


def learn_vocabulary(keypoints: Keypoints, sample: np.ndarray, workers: int) -> Vocabulary:
    """Learn words, and how to shorten signatures, of a sample of the images."""
    descriptors = np.concatenate([keypoints.descriptors(row) for row in sample])
    # Half of them mirrored, so that both senses have their words.
    descriptors = np.concatenate([descriptors[::2], mirrored(descriptors[1::2])])
    order = np.random.default_rng(SEED).permutation(len(descriptors))[:DESCRIPTORS_LEARNT]
    descriptors = descriptors[order]
    if len(descriptors) < WORDS:  # Nothing to learn from: blank images alone, or one.
        empty = np.zeros((WORDS, DESCRIPTOR_DIMENSIONS), np.float32)
        return Vocabulary(
            np.zeros(128, np.float32), np.eye(128, DESCRIPTOR_DIMENSIONS, dtype=np.float32), empty
        )
    mean = descriptors.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov((descriptors - mean).T))
    kept = slice(None, -DESCRIPTOR_DIMENSIONS - 1, -1)
    projection = (vectors[:, kept] / np.maximum(values[kept], 1e-9) ** 0.25).astype(np.float32)
    components = np.ascontiguousarray((descriptors - mean) @ projection)
    kmeans = faiss.Kmeans(
        DESCRIPTOR_DIMENSIONS,
        WORDS,
        niter=15,
        seed=SEED,
        min_points_per_centroid=1,
        max_points_per_centroid=2000,
    )
    kmeans.train(components)
    vocabulary = Vocabulary(mean, projection, kmeans.centroids.copy())
    if len(sample) < ENOUGH_TO_SHORTEN:
        return vocabulary

    def long(rows: np.ndarray) -> list[np.ndarray]:
        return [signature(keypoints.descriptors(row), vocabulary) for row in rows]

    with one_thread_each():
        drawn = np.stack(in_parallel(long, sample, workers=workers, description="vocabulary", unit="image"))
    offset = drawn.mean(axis=0)
    _, spread, axes = np.linalg.svd(drawn - offset, full_matrices=False)
    kept = slice(None, SIGNATURE_DIMENSIONS)
    scale = np.maximum(spread[kept] / np.sqrt(len(drawn)), 1e-6) ** 0.5
    return Vocabulary(mean, projection, vocabulary.words, offset, (axes[kept] / scale[:, None]).T)


def signature(descriptors: np.ndarray, vocabulary: Vocabulary) -> np.ndarray:
    """Return the signature of one image: what its descriptors differ by from their words, summed by word."""
    components = (descriptors - vocabulary.mean) @ vocabulary.projection
    words = vocabulary.words
    nearest = ((words**2).sum(axis=1) - 2 * components @ words.T).argmin(axis=1)
    beyond = unit(components - words[nearest])
    of_word = (np.arange(len(words))[:, None] == nearest).astype(np.float32)
    long = unit(unit(of_word @ beyond).ravel()[None])
    if vocabulary.shortening is None or not len(descriptors):
        size = long.shape[1] if vocabulary.shortening is None else vocabulary.shortening.shape[1]
        return long[0, :size] if len(descriptors) else np.zeros(size, np.float32)
    return unit((long - vocabulary.offset) @ vocabulary.shortening)[0]


def unit(vectors: np.ndarray) -> np.ndarray:
    """Return vectors (N, D) scaled to unit norm; zero stays zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
