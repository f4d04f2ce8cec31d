"""Axial slices: seen from below, the face upwards."""

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
    wavy,
)
from brainmri.sources.synthetic.texture import Grid, slice_grid

# Outlines are tables of points in head units: one outline a line reads best.
# ruff: noqa: E501
# fmt: off

CAVITY = mirrored([(0, .87), (.22, .85), (.43, .71), (.57, .46), (.66, .12), (.69, -.2), (.63, -.52), (.45, -.76), (.21, -.88), (0, -.90)])
LOW_FACE = mirrored([(0, 1.12), (.10, 1.06), (.17, .98), (.42, .97), (.60, .80), (.70, .50), (.76, .15), (.79, -.2), (.72, -.56), (.52, -.85), (.24, -.98), (0, -1.0)])
LOW_CAVITY = mirrored([(0, .40), (.16, .40), (.30, .50), (.48, .46), (.60, .25), (.655, .02), (.67, -.2), (.62, -.50), (.45, -.74), (.21, -.86), (0, -.88)])


def draw_axial(canvas: Canvas, patient: Patient, level: float, rng: np.random.Generator) -> Scene:
    """Draw an axial slice.

    Parameters
    ----------
    canvas : Canvas
        Empty; its frame has x to the right and the face up.
    patient : Patient
    level
        Height in head units, -0.4 (eyes) to 0.75 (vertex).
    rng : numpy.random.Generator
        Of this slice: vessels.
    """
    frame = canvas.frame
    grid = slice_grid("axial", frame.matrix, level, frame.height, frame.width)
    if level < -0.13:
        return _draw_low(canvas, patient, level, grid, rng)
    size = np.sqrt(np.clip(1 - max(level - 0.1, 0) ** 2 / 0.78**2, 0.15, 1))
    inner = smooth(CAVITY * size)
    thickness = wavy(inner, 0.75 * patient.scalp, patient.drift, level + 3)
    rim = offset(inner, wavy(inner, patient.bone, patient.drift, level) + thickness + 0.02)
    head = paint_scalp(canvas, patient, grid, rim)
    paint_skull(canvas, patient, inner, level)
    surface = offset(inner, -patient.gap)
    brain = canvas.mask(surface)
    # Near the vertex a slice cuts furrows lengthwise, far into its middle.
    paint_cortex(canvas, patient, grid, brain, 1 + 1.6 * float(np.clip((level - 0.35) / 0.25, 0, 1)))
    paint_dura(canvas, patient, inner)
    if level < 0.03:
        _paint_midbrain(canvas, patient)
    elif level < 0.27:
        _paint_basal_ganglia(canvas, patient, (level - 0.03) / 0.24)
    elif level < 0.48:
        _paint_ventricle_bodies(canvas, patient, (level - 0.27) / 0.21)
    _paint_falx(canvas, patient, level, size)
    paint_vessels(canvas, patient, surface, rng)
    return Scene(canvas, grid, head, brain, (0.0, 0.17))


def _paint_falx(canvas: Canvas, patient: Patient, level: float, size: float) -> None:
    tissue = patient.tissue
    shift = patient.asymmetry
    front, back = (0.86 * size, -0.88 * size)
    stops = [(front, 0.40), (-0.50, back)] if level < 0.3 else [(front, back)]
    if level < 0.03:
        stops = [(front, 0.36), (-0.62, back)]
    for start, end in stops:
        path = [(shift * 0.2, start), (shift, start * 0.7 + end * 0.3), (shift, start * 0.3 + end * 0.7), (shift * 0.2, end)]
        canvas.line(path, 0.3 * tissue["gray"] + 0.7 * tissue["csf"], 0.022 + patient.gap * 0.5)
        canvas.line(path, 0.5 * tissue["dura"] + 0.5 * tissue["gray"], 0.008)
    paint_vertex_sinus(canvas, patient, (0, back - 0.012), 0.03)
    canvas.fill(blob((0, front), (0.014, 0.018)), tissue["vessel"])


def _paint_basal_ganglia(canvas: Canvas, patient: Patient, t: float) -> None:
    tissue, v = patient.tissue, patient.ventricles
    canvas.pair([(0.10, 0.30), (0.15, 0.33), (0.19, 0.26), (0.16, 0.12), (0.11, 0.10)], tissue["deep"])  # caudate
    canvas.pair([(0.20, 0.22), (0.28, 0.18), (0.31, 0.02), (0.26, -0.14), (0.20, -0.06), (0.17, 0.06)], tissue["deep"])  # lentiform
    canvas.pair([(0.03, 0.02), (0.10, 0.04), (0.16, -0.08), (0.13, -0.20), (0.05, -0.18)], tissue["deep"])  # thalamus
    csf = tissue["csf"]
    sylvius = 0.6 * csf + 0.4 * tissue["gray"]
    for side in (-1, 1):
        canvas.line([(side * 0.66, 0.14), (side * 0.52, 0.13), (side * 0.42, 0.17), (side * 0.38, 0.06), (side * 0.39, -0.08)], sylvius, 0.012 + patient.gap * 0.7)
    w = v * (0.9 + 0.25 * t)
    horn = np.array([(0.018, 0.22), (0.03, 0.33), (0.10, 0.44), (0.13, 0.42), (0.10, 0.31), (0.055, 0.20)])
    canvas.pair((horn - (0.018, 0.22)) * (w, w) + (0.018 + 0.01 * w, 0.20), csf)  # frontal horns
    canvas.fill(mirrored([(0, 0.10), (0.012 * w, 0.06), (0.018 * w, -0.06), (0.01, -0.15), (0, -0.17)]), csf)  # third
    atrium = np.array([(0.0, 0.0), (0.07, 0.02), (0.12, -0.08), (0.11, -0.22), (0.07, -0.24), (0.04, -0.10)])
    canvas.pair(atrium * w + (0.20 - 0.03 * t, -0.26 + 0.03 * t), csf)
    canvas.pair(blob((0.25 + 0.01 * w, -0.34), (0.022 * w, 0.045 * w), 0.3), tissue["choroid"])
    canvas.fill(mirrored([(0, -0.21), (0.07, -0.24), (0.09, -0.30), (0, -0.36)]), 0.55 * csf + 0.45 * tissue["gray"])
    canvas.fill(blob((0, -0.25), (0.020, 0.026)), tissue["deep"])  # pineal
    canvas.line([(0, -0.36), (0.006, -0.46), (0, -0.55)], tissue["vessel"], 0.014)  # straight sinus


def _paint_ventricle_bodies(canvas: Canvas, patient: Patient, t: float) -> None:
    tissue = patient.tissue
    w = patient.ventricles * np.sqrt(1 - 0.75 * t)
    length = 1 - 0.35 * t
    body = np.array([(0.03, 0.05), (0.035, 0.22), (0.09, 0.36), (0.125, 0.33), (0.10, 0.16), (0.10, -0.04), (0.15, -0.22), (0.14, -0.32), (0.09, -0.30), (0.05, -0.12)])
    canvas.pair([(x * 0.55 + x * 0.45 * w + 0.006, y * length) for x, y in body], tissue["csf"])
    canvas.fill(mirrored([(0, 0.34), (0.03, 0.30), (0.025, 0.1), (0.02, -0.1), (0.03, -0.30), (0, -0.36)]), tissue["white"])


def _paint_midbrain(canvas: Canvas, patient: Patient) -> None:
    tissue = patient.tissue
    csf = tissue["csf"]
    sylvius = 0.65 * csf + 0.35 * tissue["gray"]
    for side in (-1, 1):
        canvas.line([(side * 0.07, 0.18), (side * 0.20, 0.21), (side * 0.34, 0.24), (side * 0.46, 0.19), (side * 0.62, 0.22)], sylvius, 0.02 + patient.gap * 0.6)
        canvas.line([(side * 0.10, 0.06), (side * 0.17, -0.08), (side * 0.15, -0.22), (side * 0.05, -0.27)], sylvius, 0.02 + patient.gap * 0.5)
        canvas.line([(side * 0.30, -0.02), (side * 0.35, -0.10), (side * 0.36, -0.20)], csf, 0.018 * patient.ventricles)
        canvas.line([(side * 0.05, 0.16), (side * 0.14, 0.20), (side * 0.30, 0.25)], tissue["vessel"], 0.010)
    canvas.fill(mirrored([(0, 0.24), (0.05, 0.20), (0.13, 0.19), (0.11, 0.08), (0.06, 0.03), (0, 0.05)]), csf)
    canvas.fill(mirrored([(0, -0.01), (0.05, 0.05), (0.11, 0.04), (0.13, -0.06), (0.10, -0.17), (0.04, -0.20), (0, -0.19)]), 0.5 * (tissue["white"] + tissue["gray"]))
    canvas.fill(blob((0, -0.145), (0.012, 0.014)), csf)  # aqueduct
    canvas.fill(blob((0, 0.075), (0.012, 0.012)), tissue["vessel"])  # basilar tip
    canvas.line([(-0.06, 0.155), (0, 0.14), (0.06, 0.155)], tissue["gray"], 0.02)  # chiasm
    canvas.line([(0, -0.24), (0.01, -0.40), (0, -0.60)], 0.5 * (csf + tissue["gray"]), 0.014)


def _draw_low(canvas: Canvas, patient: Patient, level: float, grid: Grid, rng) -> Scene:
    tissue = patient.tissue
    size = 1 + 0.45 * np.clip(level + 0.25, -0.12, 0.12)
    rim = smooth(LOW_FACE * size - (0, 0.02))
    head = paint_scalp(canvas, patient, grid, rim)
    flesh = canvas.mask(offset(rim, -patient.scalp))
    paint_soft_tissue(canvas, patient, grid.stretched(1.6), flesh, tissue["muscle"], tissue["fat"] * 0.8)
    inner = smooth(LOW_CAVITY * size)
    paint_skull(canvas, patient, inner, level)
    _paint_face(canvas, patient, grid)
    side = smooth([(0.14, 0.30), (0.28, 0.45), (0.48, 0.42), (0.60, 0.22), (0.65, 0), (0.63, -0.20), (0.42, -0.16), (0.24, -0.02), (0.13, 0.10)])
    rear = smooth(mirrored([(0, -0.02), (0.12, -0.01), (0.24, -0.12), (0.46, -0.28), (0.60, -0.40), (0.56, -0.60), (0.40, -0.76), (0.2, -0.85), (0, -0.85)]))
    masks = [canvas.mask(side), canvas.mask(side * [-1, 1]), canvas.mask(rear)]
    canvas.area(smooth(mirrored([(0, 0.30), (0.2, 0.2), (0.5, -0.1), (0.67, -0.2), (0.62, -0.40), (0.4, -0.3), (0.16, -0.08), (0, 0.0)])), tissue["bone"] + 12)
    bone = smooth([(0.30, -0.10), (0.48, -0.17), (0.66, -0.20), (0.68, -0.36), (0.55, -0.34), (0.36, -0.22)])
    petrous = np.maximum(canvas.mask(bone), canvas.mask(bone * [-1, 1]))
    paint_soft_tissue(canvas, patient, grid.stretched(2.6), petrous, tissue["air"], tissue["mucosa"] * 0.6)
    for mask in masks[:2]:
        paint_cortex(canvas, patient, grid, mask, 0.7)
    paint_folia(canvas, patient, grid, masks[2], (0.0, -0.05))
    white = 0.5 * (tissue["white"] + tissue["gray"])
    csf = tissue["csf"]
    canvas.fill(mirrored([(0, 0.04), (0.12, 0.03), (0.19, -0.06), (0.17, -0.18), (0, -0.20)]), csf)
    canvas.fill(mirrored([(0, 0.01), (0.10, 0.0), (0.165, -0.08), (0.24, -0.16), (0.20, -0.24), (0.08, -0.22), (0, -0.22)]), white)  # pons
    canvas.fill(mirrored([(0, -0.21), (0.05 * patient.ventricles, -0.225), (0.075, -0.26), (0.03, -0.31), (0, -0.32)]), csf)  # fourth ventricle
    canvas.fill(blob((0, 0.035), (0.020, 0.020)), tissue["vessel"])  # basilar artery
    _paint_sella(canvas, patient)
    paint_vertex_sinus(canvas, patient, (0, -0.87), 0.035)
    for sign in (-1, 1):
        canvas.line([(sign * 0.08, -0.86), (sign * 0.35, -0.78), (sign * 0.56, -0.58)], tissue["vessel"], 0.022)
    paint_vessels(canvas, patient, rear, rng)
    brain = np.maximum.reduce(masks)
    return Scene(canvas, grid, head, brain, (0.0, 0.21))


def _paint_sella(canvas: Canvas, patient: Patient) -> None:
    tissue = patient.tissue
    canvas.fill(mirrored([(0, 0.34), (0.08, 0.33), (0.13, 0.22), (0.12, 0.10), (0, 0.08)]), tissue["muscle"])
    canvas.fill(blob((0, 0.20), (0.060, 0.042)), tissue["gland"])
    canvas.fill(mirrored([(0, 0.13), (0.06, 0.12), (0.07, 0.08), (0, 0.07)]), tissue["marrow"])  # clivus
    for sign in (-1, 1):
        canvas.fill(blob((sign * 0.10, 0.19), (0.026, 0.030)), 0.5 * tissue["vessel"] + 8)  # carotids


def _paint_face(canvas: Canvas, patient: Patient, grid: Grid) -> None:
    tissue = patient.tissue
    canvas.pair([(0.15, 0.90), (0.32, 0.96), (0.56, 0.82), (0.54, 0.62), (0.30, 0.40), (0.14, 0.34), (0.13, 0.6)], tissue["bone"])
    canvas.pair([(0.17, 0.88), (0.32, 0.93), (0.52, 0.80), (0.50, 0.64), (0.28, 0.44), (0.155, 0.38), (0.15, 0.6)], tissue["fat"])
    for sign in (-1, 1):
        canvas.line([(sign * 0.31, 0.68), (sign * 0.25, 0.54), (sign * 0.16, 0.36)], tissue["muscle"] + 10, 0.035)  # nerve
        canvas.line([(sign * 0.18, 0.74), (sign * 0.17, 0.58), (sign * 0.16, 0.40)], tissue["muscle"] + 15, 0.030)
        canvas.line([(sign * 0.47, 0.72), (sign * 0.40, 0.58), (sign * 0.22, 0.40)], tissue["muscle"] + 15, 0.030)
        canvas.fill(blob((sign * 0.335, 0.775), (0.140, 0.140)), tissue["muscle"] + 20)
        canvas.fill(blob((sign * 0.335, 0.775), (0.122, 0.122)), tissue["globe"])
        canvas.fill(blob((sign * 0.335, 0.872), (0.050, 0.026)), tissue["lens"])
    nose = canvas.mask(smooth(mirrored([(0, 0.98), (0.09, 0.92), (0.12, 0.70), (0.12, 0.45), (0, 0.40)])))
    paint_soft_tissue(canvas, patient, grid.stretched([2.5, 0.9, 1]), nose, tissue["air"], tissue["mucosa"])
    canvas.line([(0, 1.0), (0.005, 0.7), (0, 0.42)], tissue["mucosa"] * 0.8, 0.014)  # septum
    sinus = patient.sinus
    canvas.fill(mirrored([(0, 0.44), (0.09 * sinus, 0.43), (0.10 * sinus, 0.36), (0, 0.34)]), tissue["air"])
