"""Coronal slices: seen from the front, the vertex upwards."""

import numpy as np

from brainmri.sources.synthetic.canvas import Canvas, blob, mirrored, offset, smooth
from brainmri.sources.synthetic.cortex import paint_cortex, paint_folia, paint_soft_tissue
from brainmri.sources.synthetic.patient import Patient
from brainmri.sources.synthetic.scene import (
    Scene,
    paint_dura,
    paint_scalp,
    paint_skull,
    paint_vertex_sinus,
    paint_vessels,
)
from brainmri.sources.synthetic.texture import Grid, slice_grid

# Outlines are tables of points in head units: one outline a line reads best.
# ruff: noqa: E501
# fmt: off

# The right half of the brain's cavity, top to bottom, in front, at the sella and at the back.
FRONT = np.array([(0, .80), (.22, .77), (.42, .64), (.55, .42), (.59, .20), (.56, .03), (.44, -.06), (.30, -.02), (.18, -.03), (.08, -.10), (0, -.12)])
MIDDLE = np.array([(0, .80), (.25, .78), (.50, .64), (.65, .36), (.69, .06), (.65, -.22), (.53, -.40), (.38, -.43), (.22, -.34), (.11, -.25), (0, -.25)])
BACK = np.array([(0, .80), (.25, .77), (.48, .62), (.63, .34), (.67, .04), (.65, -.18), (.60, -.38), (.46, -.54), (.28, -.62), (.12, -.65), (0, -.65)])
# The right half of the head below the dome, from the temple down to the image's edge.
NECK = {
    "front": np.array([(0.74, -0.15), (0.76, -0.40), (0.72, -0.70), (0.62, -0.98), (0.46, -1.22), (0.38, -2.6)]),
    "middle": np.array([(0.80, -0.20), (0.79, -0.45), (0.76, -0.70), (0.70, -0.95), (0.62, -1.25), (0.60, -2.6)]),
    "back": np.array([(0.77, -0.25), (0.70, -0.50), (0.58, -0.75), (0.52, -1.0), (0.56, -1.3), (0.66, -2.6)]),
}


def _between(level: float) -> tuple[float, float, float]:
    """Return the weights of the front, middle and back shapes at a level."""
    front = np.clip((level - 0.12) / 0.38, 0, 1)
    back = np.clip((-0.10 - level) / 0.32, 0, 1)
    return front, 1 - front - back, back


def draw_coronal(canvas: Canvas, patient: Patient, level: float, rng: np.random.Generator) -> Scene:
    """Draw a coronal slice.

    Parameters
    ----------
    canvas : Canvas
        Empty; its frame has x to the right and the vertex up.
    patient : Patient
    level
        Depth in head units, -0.7 (back) to 0.7 (front).
    rng : numpy.random.Generator
        Of this slice: vessels.
    """
    frame = canvas.frame
    grid = slice_grid("coronal", frame.matrix, level, frame.height, frame.width)
    front, middle, back = _between(level)
    half = front * FRONT + middle * MIDDLE + back * BACK
    size = np.sqrt(1 - min(abs(level + 0.02) / 0.98, 0.85) ** 2)
    half = half * [0.35 + 0.65 * size, 1.0]
    half[:, 1] = np.where(half[:, 1] > 0, half[:, 1] * (0.25 + 0.75 * size), half[:, 1])
    inner = smooth(mirrored(half))
    neck = front * NECK["front"] + middle * NECK["middle"] + back * NECK["back"]
    shell = patient.bone + patient.scalp + 0.02
    dome = half[:5] + shell * np.array([(0, 1), (0.3, 0.96), (0.7, 0.72), (0.97, 0.3), (1.0, 0.0)])
    rim = smooth(mirrored(np.concatenate([dome, neck * [0.55 + 0.45 * size, 1]])))
    head = paint_scalp(canvas, patient, grid, rim)
    flesh = canvas.mask(offset(rim, -patient.scalp))
    paint_soft_tissue(canvas, patient, grid.stretched(1.5), flesh, patient.tissue["muscle"], patient.tissue["fat"] * 0.75)
    _paint_below(canvas, patient, grid, front, back)
    paint_skull(canvas, patient, inner, level)
    surface = offset(inner, -patient.gap)
    brain = canvas.mask(surface)
    paint_cortex(canvas, patient, grid, brain)
    paint_dura(canvas, patient, inner)
    if back > 0.5:
        _paint_rear(canvas, patient, grid, level)
    else:
        _paint_inside(canvas, patient, level, front, 0.35 + 0.65 * size)
    top, floor = inner[:, 1].max(), half[-1, 1]
    _paint_falx(canvas, patient, top, 0.02 if back > 0.5 else 0.30 if front < 0.8 else floor + 0.1)
    paint_vessels(canvas, patient, surface, rng)
    if front < 0.75 and back <= 0.5:
        _paint_sella(canvas, patient)
    return Scene(canvas, grid, head, brain, (0.0, -0.27))


def _paint_falx(canvas: Canvas, patient: Patient, top: float, end: float) -> None:
    tissue, shift = patient.tissue, patient.asymmetry
    path = [(0, top), (shift, 0.7 * top + 0.3 * end), (shift, 0.3 * top + 0.7 * end), (0, end)]
    canvas.line(path, 0.3 * tissue["gray"] + 0.7 * tissue["csf"], 0.020 + patient.gap * 0.5)
    canvas.line(path, 0.5 * tissue["dura"] + 0.5 * tissue["gray"], 0.008)
    paint_vertex_sinus(canvas, patient, (0, top - 0.005), 0.032)


def _paint_inside(canvas: Canvas, patient: Patient, level: float, front: float, wide: float) -> None:
    tissue, w = patient.tissue, patient.ventricles
    csf = tissue["csf"]
    dark = 0.65 * csf + 0.35 * tissue["gray"]
    if front < 0.75:
        for side in (-1, 1):
            canvas.line([(side * 0.67 * wide, 0.02), (side * 0.55 * wide, 0.0), (side * 0.44, 0.05), (side * 0.40, 0.16)], dark, 0.018 + patient.gap * 0.8)
            canvas.line([(side * 0.44, 0.04), (side * 0.40, -0.06)], dark, 0.014 + patient.gap * 0.5)
            canvas.line([(side * 0.28, -0.20), (side * 0.34, -0.24), (side * 0.38, -0.22)], csf, 0.020 * w)
        canvas.pair([(0.07, 0.02), (0.14, 0.04), (0.20, -0.02), (0.16, -0.10), (0.06, -0.10)], tissue["deep"])
        canvas.pair([(0.20, 0.16), (0.28, 0.12), (0.32, 0.0), (0.26, -0.08), (0.20, 0.02)], tissue["deep"])
    canvas.fill(mirrored([(0, 0.33), (0.10, 0.34), (0.20, 0.28), (0.12, 0.29), (0, 0.27)]), tissue["white"])  # callosum
    if level < 0.5:
        lateral = np.array([(0.012, 0.26), (0.08, 0.275), (0.17, 0.265), (0.20, 0.22), (0.13, 0.19), (0.05, 0.11), (0.018, 0.12)])
        lateral = (lateral - (0.012, 0.26)) * (0.55 + 0.45 * w, 0.4 + 0.6 * w) * (1 - 0.6 * front) + (0.012, 0.26)
        canvas.pair(lateral, csf)
        canvas.pair([(0.17, 0.22), (0.22, 0.20), (0.20, 0.10), (0.15, 0.14)], tissue["deep"])  # caudate
    if front < 0.4:
        canvas.fill(mirrored([(0, 0.08), (0.016 * w, 0.05), (0.018 * w, -0.06), (0.008, -0.14), (0, -0.15)]), csf)
        canvas.fill(mirrored([(0, -0.14), (0.10, -0.16), (0.20, -0.20), (0.12, -0.25), (0, -0.25)]), 0.85 * csf + 0.15 * tissue["gray"])
        canvas.line([(-0.10, -0.18), (0, -0.165), (0.10, -0.18)], tissue["gray"], 0.022)  # chiasm
        for side in (-1, 1):
            canvas.line([(side * 0.06, -0.17), (side * 0.16, -0.16), (side * 0.30, -0.10)], tissue["vessel"], 0.011)


def _paint_sella(canvas: Canvas, patient: Patient) -> None:
    tissue = patient.tissue
    canvas.fill(mirrored([(0, -0.26), (0.14, -0.27), (0.17, -0.34), (0.14, -0.40), (0, -0.41)]), 0.6 * tissue["muscle"] + 0.4 * tissue["vessel"] * 0.6)
    canvas.fill(mirrored([(0, -0.255), (0.07, -0.262), (0.085, -0.295), (0.06, -0.325), (0, -0.33)]), tissue["gland"])
    canvas.line([(0, -0.17), (0.003, -0.26)], tissue["gland"], 0.012)
    for side in (-1, 1):
        canvas.fill(blob((side * 0.125, -0.32), (0.026, 0.026)), tissue["bone"] + 6)  # carotids: flow void
        canvas.fill(blob((side * 0.12, -0.255), (0.018, 0.015)), tissue["bone"] + 6)
    sinus = patient.sinus
    canvas.fill(mirrored([(0, -0.36), (0.10 * sinus, -0.37), (0.13 * sinus, -0.46), (0.08 * sinus, -0.54), (0, -0.55)]), tissue["air"])


def _paint_rear(canvas: Canvas, patient: Patient, grid: Grid, level: float) -> None:
    tissue, w = patient.tissue, patient.ventricles
    width = np.sqrt(1 - min(abs(level) / 0.98, 0.85) ** 2)
    tent = [(0, 0.06), (0.22, -0.03), (0.44, -0.12), (0.61, -0.20), (0.60, -0.38), (0.46, -0.52), (0.26, -0.61), (0, -0.63)]
    low = canvas.mask(smooth(mirrored(np.array(tent) * [0.35 + 0.65 * width, 1])))
    paint_folia(canvas, patient, grid, low, (0.0, -0.22))
    for side in (-1, 1):
        canvas.line(np.array([(side * 0.0, 0.07), (side * 0.22, -0.02), (side * 0.44, -0.11), (side * 0.63, -0.19)]) * [0.35 + 0.65 * width, 1], 0.7 * tissue["csf"] + 0.3 * tissue["dura"], 0.022)
        canvas.fill(blob((side * 0.62 * (0.35 + 0.65 * width), -0.20), (0.025, 0.030)), tissue["vessel"])
    if level > -0.55:
        size = w * np.clip((level + 0.62) / 0.3, 0.35, 1)
        canvas.pair(blob((0.23, 0.10), (0.055 * size, 0.085 * size), -0.5), tissue["csf"])
        canvas.pair(blob((0.235, 0.08), (0.022 * size, 0.035 * size)), tissue["choroid"])
        canvas.fill(mirrored([(0, -0.22), (0.04 * w, -0.25), (0.05, -0.30), (0, -0.32)]), tissue["csf"])
    canvas.fill(blob((0, 0.065), (0.022, 0.022)), tissue["vessel"])


def _paint_below(canvas: Canvas, patient: Patient, grid: Grid, front: float, back: float) -> None:
    """Paint what lies under the brain: orbits and nose, pharynx and jaw, or the neck."""
    tissue = patient.tissue
    muscle, fat, air = tissue["muscle"], tissue["fat"], tissue["air"]
    if front > 0.55:
        canvas.pair([(0.16, -0.10), (0.34, -0.04), (0.48, -0.12), (0.47, -0.28), (0.34, -0.36), (0.18, -0.30)], tissue["bone"])
        canvas.pair([(0.18, -0.12), (0.34, -0.065), (0.46, -0.13), (0.45, -0.27), (0.33, -0.335), (0.20, -0.28)], fat * 0.8)
        for x, y, wide, tall in ((0.32, -0.085, 0.05, 0.016), (0.32, -0.315, 0.05, 0.016), (0.205, -0.20, 0.016, 0.05), (0.44, -0.20, 0.014, 0.05)):
            canvas.pair(blob((x, y), (wide, tall)), muscle)
        canvas.pair(blob((0.32, -0.20), (0.112, 0.110)), muscle + 10)
        canvas.pair(blob((0.32, -0.20), (0.094, 0.092)), tissue["globe"])
        nose = canvas.mask(smooth(mirrored([(0, -0.12), (0.10, -0.14), (0.13, -0.32), (0.22, -0.52), (0.14, -0.66), (0, -0.68)])))
        paint_soft_tissue(canvas, patient, grid.stretched([1.95, 1.3, 1.04]), nose, air, tissue["mucosa"])
        canvas.line([(0, -0.14), (0.006, -0.40), (0, -0.66)], tissue["mucosa"], 0.016)
        canvas.pair([(0.20, -0.40), (0.34, -0.38), (0.46, -0.44), (0.40, -0.60), (0.28, -0.70), (0.22, -0.60)], air)
        tongue = canvas.mask(smooth(mirrored([(0, -0.78), (0.22, -0.80), (0.30, -0.95), (0.2, -1.1), (0, -1.12)])))
        paint_soft_tissue(canvas, patient, grid.stretched([2, 1, 1]), tongue, muscle + 15, muscle + 50)
    elif back < 0.5:
        canvas.fill(mirrored([(0, -0.40), (0.14, -0.42), (0.17, -0.52), (0.10, -0.56), (0, -0.57)]), tissue["marrow"])
        canvas.pair([(0.20, -0.48), (0.34, -0.52), (0.42, -0.66), (0.36, -0.86), (0.24, -0.80), (0.18, -0.62)], muscle * 1.1)
        canvas.pair([(0.56, -0.40), (0.68, -0.48), (0.70, -0.72), (0.62, -0.92), (0.56, -0.70)], muscle)
        canvas.pair([(0.47, -0.52), (0.53, -0.52), (0.55, -0.72), (0.53, -0.95), (0.46, -0.92), (0.48, -0.70)], tissue["bone"])
        canvas.pair([(0.485, -0.55), (0.515, -0.55), (0.535, -0.72), (0.515, -0.92), (0.48, -0.90), (0.495, -0.70)], tissue["marrow"])
        canvas.fill(mirrored([(0, -0.58), (0.07, -0.60), (0.09, -0.74), (0.05, -0.90), (0, -0.92)]), air)
        tongue = canvas.mask(smooth(mirrored([(0, -0.90), (0.18, -0.93), (0.26, -1.05), (0.22, -1.25), (0, -1.3)])))
        paint_soft_tissue(canvas, patient, grid.stretched([2, 1, 1]), tongue, muscle + 15, muscle + 50)
    else:
        neck = canvas.mask(smooth(mirrored([(0, -0.68), (0.30, -0.66), (0.44, -0.80), (0.42, -1.0), (0.46, -2.6), (0, -2.6)])))
        paint_soft_tissue(canvas, patient, grid.stretched([1.5, 1, 0.35]), neck, muscle * 0.85, fat * 0.8)
        canvas.fill(mirrored([(0, -0.64), (0.09, -0.66), (0.11, -1.0), (0.10, -2.6), (0, -2.6)]), 0.5 * muscle + 0.5 * tissue["marrow"])
        for top in (-0.74, -0.86, -0.98, -1.10, -1.22, -1.34):
            canvas.pair([(0.06, top), (0.17, top - 0.01), (0.16, top - 0.07), (0.07, top - 0.06)], tissue["marrow"])
        canvas.fill(mirrored([(0, -0.64), (0.045, -0.66), (0.05, -1.0), (0.045, -1.4), (0, -2.6)]), 0.5 * (tissue["white"] + tissue["gray"]))
