"""The faults of real sets, made on purpose: copies of every kind, and files that are no images."""

import json

import cv2
import numpy as np

# What each planted file is to an inventory.
STATUS = {"corrupt": "corrupt", "text": "corrupt", "empty": "empty"}
# Which of the steps from original to copy a planted kind takes; a `combined` copy takes two or more.
ALL_STEPS = ("mirror", "turn", "affine", "resize", "tone")
STEPS = {
    "mirrored": {"mirror"},
    "rotated": {"turn"},
    "affine": {"affine"},
    "resized": {"resize"},
    "retoned": {"tone"},
}
TEXT = b"This file was saved under the wrong name. It holds words, and no image.\n"


def jpeg(image: np.ndarray, channels: int, quality: int) -> bytes:
    """Return an image (height, width) uint8 as JPEG bytes with 1 or 3 equal channels."""
    if channels == 3:
        image = cv2.merge([image, image, image])
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()


def draw_transform(rng: np.random.Generator, planted: str, height: int, width: int) -> dict:
    """Return how a copy comes from its original: in the order of the keys, mirrored first, toned last.

    Returns
    -------
    dict
        ``matrix``: 2 by 3, pixel (x, y) of the original to pixel of the copy, all steps together; ``mirror``:
        bool, left-right; ``turn``: degrees anticlockwise, a multiple of 90; ``angle``: further degrees
        anticlockwise, ``zoom``: [x, y] and ``shift``: [x, y] in pixels of an affine copy; ``size``: [width,
        height] of the copy; ``gain``, ``offset``, ``gamma``: brightness b (0 to 1) becomes
        gain * b ** gamma + offset.
    """
    steps = _drawn_steps(rng, planted)
    mirror = "mirror" in steps
    turn = int(rng.choice([90, 180, 270])) if "turn" in steps else 0
    document = {"mirror": mirror, "turn": turn, "angle": 0.0, "zoom": [1.0, 1.0], "shift": [0.0, 0.0]}
    size = [height, width] if turn in (90, 270) else [width, height]
    if "affine" in steps:
        document["angle"] = round(float(rng.uniform(3, 15) * rng.choice([-1, 1])), 3)
        document["zoom"] = [round(float(z), 4) for z in rng.uniform(0.9, 1.1, 2)]
        document["shift"] = [round(float(s), 3) for s in rng.uniform(-0.03, 0.03, 2) * size]
    document["size"] = _another_size(rng, *size) if "resize" in steps else size
    document |= {"gain": 1.0, "offset": 0.0, "gamma": 1.0}
    if "tone" in steps:
        for name, low, high in (("gain", 0.8, 1.25), ("offset", -0.2, 0.2), ("gamma", 0.8, 1.25)):
            document[name] = round(float(rng.uniform(low, high)), 4)
    matrix = (
        _resize_matrix(size, document["size"])
        @ affine_matrix(document, *size)
        @ _turn_matrix(document, *size)
    )
    return {"matrix": np.round(matrix[:2], 6).tolist(), **document}


def _drawn_steps(rng: np.random.Generator, planted: str) -> set[str]:
    """Return which of the five steps a planted kind takes."""
    if planted == "conflict":
        return {"mirror"} if rng.random() < 0.5 else set()
    if planted != "combined":
        return STEPS.get(planted, set())
    while True:
        # No turn is one of four turns, and one step alone is a kind of its own.
        drawn = rng.random(5) < [0.5, 0.75, 0.5, 0.5, 0.5]
        if drawn.sum() >= 2:
            return {step for step, taken in zip(ALL_STEPS, drawn, strict=True) if taken}


def _another_size(rng: np.random.Generator, width: int, height: int) -> list[int]:
    """Return another [width, height], 0.5 to 1.5 times this one, the aspect changed by up to 5 % or not."""
    while True:
        stretch = rng.uniform(0.95, 1.05) if rng.random() < 0.5 else 1.0
        factors = rng.uniform(0.5, 1.5) * np.array([1.0, stretch])
        size = [round(float(side)) for side in factors * [width, height]]
        if factors.max() <= 1.5 and factors.min() >= 0.5 and size != [width, height]:
            return size


def _turn_matrix(transform: dict, width: int, height: int) -> np.ndarray:
    """Return the 3 by 3 matrix of mirror and turn, to a copy of this width and height."""
    matrix = {
        0: np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]]),
        90: np.array([[0.0, 1, 0], [-1, 0, height - 1], [0, 0, 1]]),
        180: np.array([[-1.0, 0, width - 1], [0, -1, height - 1], [0, 0, 1]]),
        270: np.array([[0.0, -1, width - 1], [1, 0, 0], [0, 0, 1]]),
    }[transform["turn"]]
    if not transform["mirror"]:
        return matrix
    original_width = height if transform["turn"] in (90, 270) else width
    return matrix @ np.array([[-1.0, 0, original_width - 1], [0, 1, 0], [0, 0, 1]])


def affine_matrix(transform: dict, width: int, height: int) -> np.ndarray:
    """Return the 3 by 3 matrix of zoom, rotation about the centre and shift within one width and height."""
    center = np.array([(width - 1) / 2, (height - 1) / 2])
    radians = np.deg2rad(transform["angle"])
    rotation = np.array([[np.cos(radians), np.sin(radians)], [-np.sin(radians), np.cos(radians)]])
    linear = rotation @ np.diag(transform["zoom"])
    shift = center + transform["shift"] - linear @ center
    return np.vstack([np.column_stack([linear, shift]), [0, 0, 1]])


def _resize_matrix(before: list[int], after: list[int]) -> np.ndarray:
    """Return the 3 by 3 matrix between two [width, height]: the edges of the images meet, not the pixels."""
    x, y = np.divide(after, before)
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])


def transformed(image: np.ndarray, transform: dict) -> np.ndarray:
    """Return an image or a mask (height, width) uint8 moved by a transform; what comes in is black."""
    image = np.rot90(image[:, ::-1] if transform["mirror"] else image, transform["turn"] // 90)
    image = np.ascontiguousarray(image)
    size = image.shape[::-1]
    if (transform["angle"], *transform["zoom"], *transform["shift"]) != (0, 1, 1, 0, 0):
        image = cv2.warpAffine(image, affine_matrix(transform, *size)[:2], size, flags=cv2.INTER_LINEAR)
    if tuple(transform["size"]) != size:
        smaller = transform["size"][0] < size[0]
        how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        image = cv2.resize(image, tuple(transform["size"]), interpolation=how)
    return image


def toned(image: np.ndarray, transform: dict) -> np.ndarray:
    """Return an image uint8 in the tone of a transform: gain, offset and gamma."""
    gain, offset, gamma = (transform[name] for name in ("gain", "offset", "gamma"))
    if (gain, offset, gamma) == (1.0, 0.0, 1.0):
        return image
    curve = gain * np.linspace(0, 1, 256) ** gamma + offset
    return cv2.LUT(image, np.clip(np.rint(255 * curve), 0, 255).astype(np.uint8))


def broken_bytes(planted: str, original: bytes) -> bytes:
    """Return the content of a file that is no image: cut off in its head, empty, or text."""
    return {"corrupt": original[:100], "empty": b"", "text": TEXT}[planted]


def as_json(transform: dict) -> str:
    """Return a transform as the text of the truth table."""
    return json.dumps(transform)
