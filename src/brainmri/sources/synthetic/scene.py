"""What a drawn slice tells about itself, and the parts of a head that all planes share."""

from dataclasses import dataclass

import numpy as np

from brainmri.sources.synthetic.canvas import Canvas, offset, region_of, smooth
from brainmri.sources.synthetic.patient import Patient
from brainmri.sources.synthetic.texture import Grid


@dataclass
class Scene:
    """A drawn slice.

    Attributes
    ----------
    canvas : Canvas
    grid : Grid
        The slice's pixels in space.
    head : numpy.ndarray, shape (height, width), uint8
        Coverage of the head, 0 to 255.
    brain : numpy.ndarray, shape (height, width), uint8
        Coverage of brain tissue with its ventricles, where a lesion may lie.
    sella : tuple of two float
        Where the pituitary lies in this plane, head units.
    """

    canvas: Canvas
    grid: Grid
    head: np.ndarray
    brain: np.ndarray
    sella: tuple[float, float]


def wavy(curve: np.ndarray, mean: float, waves, level: float) -> np.ndarray:
    """Return a thickness (N,) along a curve that varies slowly around `mean`."""
    points = np.stack([curve[:, 0] * 0.5, curve[:, 1] * 0.5, np.full(len(curve), level)]).astype(np.float32)
    return np.maximum(mean * (1 + 0.25 * waves.at(points)), 0.4 * mean)


def paint_scalp(canvas: Canvas, patient: Patient, grid: Grid, rim: np.ndarray) -> np.ndarray:
    """Paint skin and fat over the whole head; return its coverage (height, width) uint8."""
    tissue = patient.tissue
    head = canvas.mask(rim)
    canvas.area(rim, tissue["skin"])
    fat = canvas.mask(offset(rim, -0.014))
    values = patient.drift.over(grid.stretched(2.2)) * np.float32(0.13 * tissue["fat"])
    values += patient.mottle.over(grid.stretched(2.0)) * np.float32(0.06 * tissue["fat"])
    values += np.float32(0.86 * tissue["fat"])
    region = region_of(fat)
    canvas.blend(values[region], fat, region)
    return head


def paint_skull(canvas: Canvas, patient: Patient, inner: np.ndarray, level: float) -> None:
    """Paint bone around the brain's cavity: two dark tables, marrow between, fluid and dura inside."""
    thickness = wavy(inner, patient.bone, patient.drift, level)
    tissue = patient.tissue
    outer = offset(inner, thickness + 0.02)
    canvas.area(outer, tissue["bone"])
    if patient.bone > 0.043:
        middle = offset(inner, thickness * 0.62 + 0.01)
        canvas.stroke(middle, tissue["marrow"] * 0.8, patient.bone * 0.42, closed=True)
    canvas.area(inner, tissue["csf"])


def paint_dura(canvas: Canvas, patient: Patient, inner: np.ndarray) -> None:
    """Paint the dura as a thin broken line inside the skull."""
    count = len(inner)
    for start in range(0, count, count // 5):
        part = inner[start : start + count // 7]
        canvas.stroke(part, 0.35 * patient.tissue["csf"] + 0.65 * patient.tissue["dura"], 0.009)


def paint_vessels(canvas: Canvas, patient: Patient, curve: np.ndarray, rng: np.random.Generator) -> None:
    """Paint a few short vessels on and under the brain's surface."""
    for _ in range(int(rng.integers(6, 16))):
        start = curve[rng.integers(len(curve))] * rng.uniform(0.45, 0.97)
        turn = rng.uniform(0, 2 * np.pi)
        steps = np.cumsum(rng.normal(0, 0.6, 4)) + turn
        path = start + np.cumsum(np.stack([np.cos(steps), np.sin(steps)], axis=1), axis=0) * rng.uniform(
            0.004, 0.032
        )
        bright = 0.12 + 0.7 * rng.random() ** 2
        value = bright * patient.tissue["vessel"] + (1 - bright) * patient.tissue["gray"]
        canvas.stroke(smooth(path, closed=False), value, rng.uniform(0.004, 0.010))


def paint_vertex_sinus(canvas: Canvas, patient: Patient, center: tuple[float, float], size: float) -> None:
    """Paint the sagittal sinus in cross-section: a small triangle under the skull; `size` < 0 points down."""
    x, y = center
    canvas.fill(
        [(x - abs(size), y), (x, y - size * 1.6), (x + abs(size), y), (x, y + size * 0.4)],
        patient.tissue["vessel"],
    )
