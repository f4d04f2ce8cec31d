"""The faults of real sets, made on purpose: copies of every kind, and files that are no images."""

import json

import cv2
import numpy as np

# What each planted file is to an inventory.
STATUS = {"corrupt": "corrupt", "text": "corrupt", "empty": "empty"}
TEXT = b"This file was saved under the wrong name. It holds words, and no image.\n"


def jpeg(image: np.ndarray, channels: int, quality: int) -> bytes:
    """Return an image (height, width) uint8 as JPEG bytes with 1 or 3 equal channels."""
    if channels == 3:
        image = cv2.merge([image, image, image])
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()


def draw_transform(rng: np.random.Generator, planted: str, height: int, width: int) -> dict:
    """Return how a copy comes from its original.

    Returns
    -------
    dict
        ``matrix``: 2 by 3, pixel (x, y) of the original to pixel of the copy; ``mirror``: bool, left-right;
        ``turn``: degrees anticlockwise, a multiple of 90; ``angle``: further degrees, ``zoom``: [x, y] and
        ``shift``: [x, y] in pixels of an affine copy; ``size``: [width, height] of the copy.
    """
    mirror = planted == "mirrored" or (planted == "conflict" and bool(rng.random() < 0.5))
    turn = int(rng.choice([90, 180, 270])) if planted == "rotated" else 0
    document = {"mirror": mirror, "turn": turn, "angle": 0.0, "zoom": [1.0, 1.0], "shift": [0.0, 0.0]}
    size = [height, width] if turn in (90, 270) else [width, height]
    matrix = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    if mirror:
        matrix = np.array([[-1.0, 0.0, width - 1], [0.0, 1.0, 0.0]])
    if turn == 90:
        matrix = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, width - 1]])
    elif turn == 180:
        matrix = np.array([[-1.0, 0.0, width - 1], [0.0, -1.0, height - 1]])
    elif turn == 270:
        matrix = np.array([[0.0, -1.0, height - 1], [1.0, 0.0, 0.0]])
    if planted == "affine":
        angle = round(float(rng.uniform(3, 15) * rng.choice([-1, 1])), 3)
        zoom = [round(float(z), 4) for z in rng.uniform(0.9, 1.1, 2)]
        shift = [round(float(s), 3) for s in rng.uniform(-0.03, 0.03, 2) * [width, height]]
        document.update(angle=angle, zoom=zoom, shift=shift)
        center = np.array([(width - 1) / 2, (height - 1) / 2])
        radians = np.deg2rad(angle)
        rotation = np.array([[np.cos(radians), np.sin(radians)], [-np.sin(radians), np.cos(radians)]])
        linear = rotation @ np.diag(zoom)
        matrix = np.column_stack([linear, center + shift - linear @ center])
    return {"matrix": np.round(matrix, 6).tolist(), **document, "size": size}


def transformed(image: np.ndarray, transform: dict) -> np.ndarray:
    """Return an image or a mask (height, width) uint8 after a transform; what comes in is black."""
    if transform["angle"]:
        matrix = np.asarray(transform["matrix"])
        return cv2.warpAffine(image, matrix, tuple(transform["size"]), flags=cv2.INTER_LINEAR)
    if transform["mirror"]:
        return np.ascontiguousarray(image[:, ::-1])
    return np.ascontiguousarray(np.rot90(image, transform["turn"] // 90))


def broken_bytes(planted: str, original: bytes) -> bytes:
    """Return the content of a file that is no image: cut off in its head, empty, or text."""
    return {"corrupt": original[:100], "empty": b"", "text": TEXT}[planted]


def as_json(transform: dict) -> str:
    """Return a transform as the text of the truth table."""
    return json.dumps(transform)
