"""Tumours: where they sit, how they look, what they cover.

Shape and site follow radiology's descriptions: gliomas lie inside the brain, irregular, often a bright ring
around dead tissue with a swelling about it; meningiomas are round, even and sit with a broad base on the
dura; pituitary tumours lie on the midline at the skull base and grow upwards, often waisted like a snowman.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from brainmri.sources.synthetic.canvas import Frame
from brainmri.sources.synthetic.patient import Patient
from brainmri.sources.synthetic.scene import Scene
from brainmri.sources.synthetic.texture import Waves, draw_waves

KINDS = ("glioma", "meningioma", "pituitary")
SELLA = np.array([0.0, 0.18, -0.27])
HARMONICS = np.arange(2, 9)
OUTLINE_SAMPLES = 1024
REACH = 2.8  # how far in radii a tumour changes its surroundings
SPACING = 0.055  # least distance of neighbouring slices (5 mm): they are no copies of each other
SMALLEST = 0.04  # radius in head units that every slice of a lesion shows at least


@dataclass(frozen=True)
class Lesion:
    """One tumour, the same in all slices of its patient; lengths in head units.

    Attributes
    ----------
    kind : {'glioma', 'meningioma', 'pituitary'}
    center : numpy.ndarray, shape (3,)
        Left-right, back-front, low-high.
    radius : float
    outline : tuple of numpy.ndarray, shape (7,)
        Amplitudes and phases of the outline's harmonics 2 to 8.
    style : {'ring', 'patchy', 'diffuse', 'solid', 'cystic'}
    contrast : float
        How much the tumour stands out (0.3 to 1).
    swelling : float
        Extent of the oedema in radii (1 for none).
    push : float
        How far the tumour displaces its surroundings, in radii.
    upper : float
        Size of a pituitary tumour's upper half against its lower.
    grain : Waves
        Texture inside.
    """

    kind: str
    center: np.ndarray
    radius: float
    outline: tuple
    style: str
    contrast: float
    swelling: float
    push: float
    upper: float
    grain: Waves


def draw_lesion(rng: np.random.Generator, kind: str) -> Lesion:
    """Return a random tumour of a kind."""
    wobble = {"glioma": 0.16, "meningioma": 0.035, "pituitary": 0.05}[kind]
    amplitudes = rng.normal(0, wobble, HARMONICS.size) / HARMONICS**0.7
    outline = (amplitudes, rng.uniform(0, 2 * np.pi, HARMONICS.size))
    side = rng.choice([-1, 1])
    # One in six is small and faint: a set on which nobody errs teaches nothing.
    faint = bool(rng.random() < 1 / 6)
    growth = 0.25 * rng.random() if faint else 0.25 + 0.75 * rng.beta(1.8, 1.5)
    contrast = rng.uniform(0.3, 0.5) if faint else rng.uniform(0.7, 1.0)
    swelling = 1.0
    if kind == "glioma":
        center = np.array([side * rng.uniform(0.10, 0.46), rng.uniform(-0.5, 0.5), rng.uniform(-0.05, 0.5)])
        radius, style = 0.11 + 0.20 * growth, rng.choice(["ring", "patchy", "diffuse"], p=[0.58, 0.28, 0.14])
        swelling = rng.uniform(1.25, 1.9)
    elif kind == "meningioma":
        center = _dural_site(rng, side)
        radius, style = 0.08 + 0.19 * growth, "solid"
        swelling = rng.choice([1.0, rng.uniform(1.1, 1.5)])
    else:
        center = SELLA.copy()
        radius, style = 0.07 + 0.14 * growth, rng.choice(["solid", "cystic"], p=[0.8, 0.2])
    grain = {"ring": 0.11, "patchy": 0.8 * radius, "diffuse": 0.7 * radius}.get(str(style), 0.09)
    return Lesion(
        kind=kind, center=center, radius=float(radius), outline=outline, style=str(style),
        contrast=float(contrast), swelling=float(swelling), push=float(rng.uniform(0.15, 0.5)),
        upper=float(rng.uniform(0.6, 1.05)), grain=draw_waves(rng, grain * rng.uniform(0.8, 1.3), 14),
    )  # fmt: skip


def _dural_site(rng: np.random.Generator, side: int) -> np.ndarray:
    """Return a point on the brain's surface: over the convexity, beside the falx, or at the skull base."""
    where = rng.choice(3, p=[0.55, 0.2, 0.25])
    if where == 0:
        turn, lift = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.8)
        flat = np.sqrt(1 - lift**2)
        return np.array([flat * np.cos(turn) * 0.66, flat * np.sin(turn) * 0.84, 0.1 + lift * 0.68])
    if where == 1:
        turn = rng.uniform(0.15, 0.85) * np.pi
        return np.array([side * 0.08, 0.80 * np.cos(turn), 0.1 + 0.66 * np.sin(turn)])
    return np.array([side * rng.uniform(0.08, 0.5), rng.uniform(0.25, 0.6), rng.uniform(-0.20, -0.02)])


def levels_through(rng: np.random.Generator, lesion: Lesion, plane: str, count: int) -> np.ndarray:
    """Return levels (count,) of neighbouring slices that all cut a tumour."""
    axis = {"sagittal": 0, "coronal": 1, "axial": 2}[plane]
    reach = max(0.62 * lesion.radius, 0.5 * SPACING * (count - 1))
    middle = lesion.center[axis]
    if lesion.kind == "pituitary" and axis == 2:
        middle = middle + 0.4 * lesion.radius
    steps = np.linspace(-reach, reach, count) if count > 1 else np.zeros(1)
    steps = steps + rng.normal(0, 0.08 * reach, count)
    low, high = {"sagittal": (-0.52, 0.52), "coronal": (-0.66, 0.66), "axial": (-0.36, 0.66)}[plane]
    levels = middle + steps * rng.choice([-1, 1])
    # A run that leaves the drawn range is moved into it whole, so that no two slices coincide.
    levels += max(0.0, low - levels.min()) - max(0.0, levels.max() - high)
    return np.clip(levels, low, high)


def _place(scene: Scene, lesion: Lesion, plane: str, radius: float) -> np.ndarray:
    """Return the tumour's centre (2,) in this slice, in head units, moved to where its kind belongs."""
    x, y, z = lesion.center
    if lesion.kind == "pituitary":
        rise = 0.0 if plane == "axial" else 0.75 * (radius - 0.05)
        return scene.canvas.frame.bent(np.array([[scene.sella[0], scene.sella[1]]]))[0] + [0, rise]
    flat = {"axial": (x, y), "coronal": (x, z), "sagittal": (-y, z)}[plane]
    frame, brain = scene.canvas.frame, scene.brain > 127
    inverse = cv2.invertAffineTransform(frame.matrix)
    rows, columns = np.nonzero(brain[::4, ::4])
    middle = inverse[:, :2] @ [4 * columns.mean(), 4 * rows.mean()] + inverse[:, 2]
    way = np.asarray(flat) - middle
    reach = max(float(np.hypot(*way)), 1e-3)
    way = way / reach
    steps = np.arange(0, 1.3, 0.01)
    pixels = (middle + steps[:, None] * way) @ frame.matrix[:, :2].T + frame.matrix[:, 2]
    column, row = np.clip(np.round(pixels), 0, [frame.width - 1, frame.height - 1]).astype(int).T
    inside = brain[row, column]
    edge = steps[inside].max() if inside.any() else 0.3
    along = edge - 0.72 * radius if lesion.kind == "meningioma" else min(reach, edge - 0.85 * radius)
    return middle + way * max(along, 0.0)


def _reach(
    lesion: Lesion, right: np.ndarray, up: np.ndarray, radius: float, plane: str, level: float
) -> np.ndarray:
    """Return the distance (h, w) float32 from the tumour's centre in outline radii (1 on the outline)."""
    distance, angle = cv2.cartToPolar(right, up)
    if lesion.kind == "pituitary" and plane != "axial":
        low = cv2.magnitude(right, up + np.float32(0.45 * radius)) / np.float32(0.80 * radius)
        high = cv2.magnitude(right, up - np.float32(0.50 * radius)) / np.float32(0.85 * radius * lesion.upper)
        # A smooth minimum joins the two halves.
        distance = np.log(np.exp(-6 * low) + np.exp(-6 * high)) / np.float32(-6)
    else:
        distance /= np.float32(radius)
    turns = np.linspace(0, 2 * np.pi, OUTLINE_SAMPLES, endpoint=False)
    amplitudes, phases = lesion.outline
    outline = 1 + np.cos(turns[:, None] * HARMONICS + phases + 2 * level) @ amplitudes
    outline = np.maximum(outline, 0.45).astype(np.float32)
    return (
        distance
        / outline[(angle * np.float32(OUTLINE_SAMPLES / (2 * np.pi))).astype(np.int32) % OUTLINE_SAMPLES]
    )


def paint_lesion(
    image: np.ndarray, scene: Scene, patient: Patient, lesion: Lesion, plane: str, level: float
) -> np.ndarray:
    """Paint a tumour into a drawn slice.

    Parameters
    ----------
    image : numpy.ndarray, shape (height, width), float32
        Drawn brightness; changed in place.
    scene : Scene
    patient : Patient
    lesion : Lesion
    plane : {'axial', 'coronal', 'sagittal'}
    level
        Where the slice lies, in head units.

    Returns
    -------
    numpy.ndarray, shape (height, width), bool
        Where the tumour itself is, its swelling left out.
    """
    axis = {"sagittal": 0, "coronal": 1, "axial": 2}[plane]
    away = min(abs(level - lesion.center[axis]) / lesion.radius, 0.8)
    radius = max(lesion.radius * np.sqrt(1 - away**2), SMALLEST)
    center = _place(scene, lesion, plane, radius)
    mask = np.zeros(image.shape, bool)
    rows, columns = _window(scene.canvas.frame, center, REACH * radius)
    part, brain = image[rows, columns], scene.brain[rows, columns]
    if part.size == 0:
        return mask
    solid = brain if lesion.kind == "glioma" else _with_dura(scene, lesion)[rows, columns]
    right, up = (axis[rows, columns] for axis in scene.canvas.frame.coordinates())
    right, up = right - np.float32(center[0]), up - np.float32(center[1])
    if lesion.kind != "pituitary" and radius > 0.09:
        part[:] = _displaced(part, brain, scene.canvas.frame, lesion, right, up, radius)
    distance = _reach(lesion, right, up, radius, plane, level)
    sharpness = np.float32(radius * scene.canvas.frame.scale / 1.3)
    inside = np.clip((1 - distance) * sharpness + 0.5, 0, 1) * (solid / np.float32(255))
    grain = lesion.grain.over(scene.grid.windowed((rows, columns)))
    if lesion.swelling > 1:
        swell = np.clip((lesion.swelling + 0.18 * grain - distance) / 0.4, 0, 1) * (brain / np.float32(255))
        part += (np.float32(patient.tissue["edema"]) - part) * swell * np.float32(0.3 + 0.5 * lesion.contrast)
    values, weight = _inside_values(lesion, patient, distance, grain)
    part += (values - part) * inside * weight
    mask[rows, columns] = inside > 0.5
    return mask


def _window(frame: Frame, center: np.ndarray, reach: float) -> tuple[slice, slice]:
    """Return the rows and columns within `reach` (head units) of a centre (2,), cut to the image."""
    column, row = frame.matrix[:, :2] @ center + frame.matrix[:, 2]
    span = 1.1 * reach * frame.scale + 2
    low = np.clip(np.floor([row - span, column - span]), 0, [frame.height, frame.width]).astype(int)
    high = np.clip(np.ceil([row + span, column + span]), 0, [frame.height, frame.width]).astype(int)
    return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))


def _with_dura(scene: Scene, lesion: Lesion) -> np.ndarray:
    """Return where a tumour outside the brain may lie: brain and the fluid around it, or all of the head."""
    if lesion.kind == "pituitary":
        return scene.head
    side = 2 * round(0.02 * scene.canvas.frame.scale) + 1
    return cv2.dilate(scene.brain, np.ones((side, side), np.uint8))


def _displaced(
    part: np.ndarray, brain: np.ndarray, frame: Frame, lesion: Lesion,
    right: np.ndarray, up: np.ndarray, radius: float,
) -> np.ndarray:  # fmt: skip
    """Return a window of the slice with the tumour's surroundings pushed away, the skull left where it is."""
    depth = cv2.distanceTransform((brain > 127).astype(np.uint8), cv2.DIST_L2, 3) / np.float32(frame.scale)
    distance = cv2.magnitude(right, up) / np.float32(radius)
    # A point outside the tumour shows what lay nearer to its centre.
    pull = (
        np.float32(lesion.push) * np.exp(-0.9 * (distance - np.float32(0.8)) ** 2) / np.maximum(distance, 0.4)
    )
    pull *= np.clip(depth * 10, 0, 1) * np.clip((REACH - distance) * 2, 0, 1)
    matrix = frame.matrix.astype(np.float32)
    height, width = part.shape
    columns = np.arange(width, dtype=np.float32)[None] - pull * (matrix[0, 0] * right + matrix[0, 1] * up)
    rows = np.arange(height, dtype=np.float32)[:, None] - pull * (matrix[1, 0] * right + matrix[1, 1] * up)
    return cv2.remap(part, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _inside_values(
    lesion: Lesion, patient: Patient, distance: np.ndarray, grain: np.ndarray
) -> tuple[np.ndarray, np.ndarray | float]:
    """Return brightness inside the tumour and how opaque it is."""
    tissue = patient.tissue
    base = tissue["gray"]
    bright = np.float32(base + (tissue["lesion"] - base) * (0.30 + 0.70 * lesion.contrast))
    dead = np.float32(tissue["necrosis"])
    if lesion.style == "solid":
        return bright * (1 + 0.06 * grain), 0.93
    if lesion.style == "cystic":
        core = np.clip((0.62 - distance + 0.12 * grain) * 6, 0, 1)
        return bright + (dead - bright) * core, 0.93
    if lesion.style == "ring":
        width = 0.13 + 0.05 * grain
        ring = np.clip(1.3 - np.abs(distance - 0.84) / np.maximum(width, 0.03), 0, 1)
        ring *= np.clip(0.75 + 0.4 * grain, 0.15, 1)
        core = dead + (bright - dead) * 0.12 * np.clip(grain + 0.6, 0, 2)
        return core + (bright - core) * ring, 0.95
    if lesion.style == "patchy":
        patch = np.clip(0.45 + 0.55 * grain, 0, 1)
        return dead * 0.4 + base * 0.6 + (bright - base) * patch, 0.85
    dull = np.float32(0.55 * tissue["edema"] + 0.45 * tissue["necrosis"])
    return dull * (1 + 0.08 * grain), np.float32(0.45 + 0.45 * lesion.contrast) * np.clip(
        1.25 - distance, 0.25, 1
    )
