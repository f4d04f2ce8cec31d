"""Sagittal slices: seen from the side, the face to the left."""

import numpy as np

from brainmri.sources.synthetic.canvas import Canvas, blob, offset, region_of, smooth
from brainmri.sources.synthetic.cortex import paint_cortex, paint_folia, paint_soft_tissue
from brainmri.sources.synthetic.patient import Patient
from brainmri.sources.synthetic.scene import Scene, paint_dura, paint_scalp, paint_skull, paint_vessels
from brainmri.sources.synthetic.texture import Grid, slice_grid

# Outlines are tables of points in head units: one outline a line reads best.
# ruff: noqa: E501
# fmt: off

# Outlines are written with the face to the right (y, z) and turned by `face_left`.
PROFILE = np.array([(-.80, -2.6), (-.79, -1.2), (-.77, -.85), (-.85, -.58), (-1.0, -.30), (-1.05, .05), (-.95, .45), (-.66, .79), (-.25, .96), (.20, .965), (.62, .85), (.88, .58), (.97, .22), (.955, .03), (.96, -.10), (1.06, -.30), (1.15, -.46), (1.10, -.54), (.98, -.57), (.97, -.66), (1.0, -.73), (.95, -.79), (.98, -.86), (.92, -.93), (.94, -1.03), (.86, -1.13), (.62, -1.15), (.42, -1.20), (.36, -2.6)])
SIDE_PROFILE = np.array([(-.74, -2.6), (-.72, -1.2), (-.70, -.85), (-.78, -.58), (-.93, -.30), (-.98, .05), (-.88, .43), (-.62, .74), (-.25, .89), (.20, .90), (.58, .79), (.83, .54), (.91, .22), (.90, .05), (.90, -.10), (.92, -.25), (.90, -.38), (.87, -.48), (.85, -.56), (.83, -.66), (.81, -.73), (.79, -.79), (.77, -.86), (.74, -.93), (.70, -1.0), (.62, -1.06), (.50, -1.10), (.40, -1.20), (.34, -2.6)])
CAVITY = np.array([(-.86, -.26), (-.90, .05), (-.81, .40), (-.56, .68), (-.2, .83), (.2, .84), (.55, .73), (.78, .50), (.86, .20), (.80, .0), (.66, -.09), (.46, -.10), (.28, -.17), (.235, -.265), (.16, -.285), (.10, -.22), (.04, -.36), (-.05, -.58), (-.09, -.70), (-.21, -.70), (-.42, -.62), (-.70, -.48)])
SIDE_CAVITY = np.array([(-.78, -.22), (-.83, .05), (-.74, .37), (-.52, .62), (-.2, .75), (.2, .76), (.50, .66), (.71, .45), (.79, .20), (.74, .04), (.62, -.02), (.54, -.06), (.54, -.18), (.46, -.34), (.28, -.42), (.08, -.38), (-.06, -.34), (-.16, -.42), (-.26, -.52), (-.36, -.55), (-.50, -.50), (-.68, -.38)])


def face_left(outline) -> np.ndarray:
    """Return an outline written as (y, z), clockwise after the turn."""
    return np.asarray(outline, dtype=np.float64)[::-1] * [-1, 1]


def draw_sagittal(canvas: Canvas, patient: Patient, level: float, rng: np.random.Generator) -> Scene:
    """Draw a sagittal slice.

    Parameters
    ----------
    canvas : Canvas
        Empty; its frame has the back of the head to the right and the vertex up.
    patient : Patient
    level
        Distance from the midline in head units, -0.5 to 0.5.
    rng : numpy.random.Generator
        Of this slice: vessels.
    """
    frame = canvas.frame
    grid = slice_grid("sagittal", frame.matrix, level, frame.height, frame.width)
    side = float(np.clip((abs(level) - 0.08) / 0.25, 0, 1))
    size = np.sqrt(1 - min(abs(level) / 0.78, 0.8) ** 2) if abs(level) > 0.3 else np.sqrt(1 - (0.3 / 0.78) ** 2) + (1 - np.sqrt(1 - (0.3 / 0.78) ** 2)) * (1 - abs(level) / 0.3)
    grow = 0.30 + 0.70 * size
    profile = face_left((1 - side) * PROFILE + side * SIDE_PROFILE)[::-1]
    cavity = face_left((1 - side) * CAVITY + side * SIDE_CAVITY)[::-1] * [grow, grow]
    inner = smooth(_clockwise(cavity))
    rim = smooth(_clockwise(np.where(profile[:, 1:] > -0.2, profile * [grow, grow], profile * [grow * 0.5 + 0.5, 1])))
    head = paint_scalp(canvas, patient, grid, rim)
    flesh = canvas.mask(offset(rim, -patient.scalp * 0.9))
    tissue = patient.tissue
    paint_soft_tissue(canvas, patient, grid.stretched(1.3), flesh, tissue["muscle"], tissue["fat"] * 0.75)
    cap = offset(inner, patient.bone + 0.07)
    cap = canvas.mask(np.where(cap[:, 1:] > 0.05, cap, inner))
    canvas.blend(np.float32(0.85 * tissue["fat"]), np.minimum(cap, flesh), region_of(head))
    if side < 0.5:
        _paint_midline_face(canvas, patient, grid)
    else:
        _paint_side_face(canvas, patient, grid, 0.5 + 0.5 * grow)
    paint_skull(canvas, patient, inner, level)
    surface = offset(inner, -patient.gap)
    brain = canvas.mask(surface)
    paint_cortex(canvas, patient, grid, brain)
    paint_dura(canvas, patient, inner)
    if side < 0.5:
        _paint_midline_brain(canvas, patient, grid)
    else:
        _paint_side_brain(canvas, patient, grid, grow)
    paint_vessels(canvas, patient, surface, rng)
    return Scene(canvas, grid, head, brain, (-0.17, -0.245))


def _clockwise(outline: np.ndarray) -> np.ndarray:
    x, y = outline.T
    area = np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)
    return outline[::-1] if area > 0 else outline


def _paint_midline_brain(canvas: Canvas, patient: Patient, grid: Grid) -> None:
    tissue, w = patient.tissue, patient.ventricles
    csf, white = tissue["csf"], tissue["white"]
    stem = 0.5 * (white + tissue["gray"])
    dark = 0.75 * csf + 0.25 * tissue["gray"]

    def fill(shape, value):
        canvas.fill(face_left(shape), value)

    def line(shape, value, width):
        canvas.line(face_left(shape), value, width)

    line([(0.47, 0.14), (0.40, 0.34), (0.15, 0.44), (-0.15, 0.43), (-0.38, 0.30), (-0.44, 0.12)], dark, 0.016 + patient.gap * 0.5)  # cingulate
    fill([(0.30, 0.05), (0.36, 0.14), (0.30, 0.26), (0.08, 0.33), (-0.14, 0.31), (-0.32, 0.20), (-0.30, 0.10), (-0.12, 0.18), (0.08, 0.20), (0.22, 0.15)], csf)
    fill([(0.35, 0.04), (0.40, 0.15), (0.33, 0.28), (0.08, 0.355), (-0.15, 0.335), (-0.34, 0.22), (-0.37, 0.10), (-0.29, 0.09), (-0.25, 0.20), (-0.12, 0.265), (0.08, 0.285), (0.27, 0.22), (0.315, 0.13), (0.30, 0.06)], white)  # callosum
    fill([(0.28, 0.12), (0.26, 0.20), (0.08, 0.27), (-0.10, 0.25), (-0.05, 0.20), (0.10, 0.18), (0.20, 0.12)], csf if w > 0.95 else 0.6 * csf + 0.4 * stem)
    line([(0.16, 0.08), (0.05, 0.20), (-0.14, 0.24)], white, 0.022)  # fornix
    fill([(0.12, 0.12), (0.0, 0.17), (-0.14, 0.15), (-0.16, 0.06), (-0.02, 0.02), (0.10, 0.05)], tissue["deep"])  # thalamus
    fill([(0.16, 0.0), (0.22, -0.06), (0.16, -0.17), (0.05, -0.20), (-0.02, -0.10), (0.04, -0.02)], csf)  # suprasellar cistern
    line([(0.13, -0.02), (0.17, -0.12), (0.165, -0.23)], tissue["gland"], 0.014)  # stalk
    line([(0.26, -0.10), (0.17, -0.09)], stem, 0.020)
    fill([(0.06, -0.36), (0.10, -0.25), (0.04, -0.14), (-0.20, -0.05), (-0.26, -0.14), (-0.20, -0.35), (-0.20, -0.62), (-0.10, -0.68), (-0.03, -0.55)], csf)  # cisterns around the stem
    cerebellum = canvas.mask(smooth(_clockwise(face_left([(-0.22, -0.18), (-0.32, -0.06), (-0.50, -0.06), (-0.66, -0.18), (-0.72, -0.34), (-0.62, -0.48), (-0.44, -0.58), (-0.30, -0.56), (-0.24, -0.42), (-0.27, -0.30)]))))
    line([(-0.16, -0.02), (-0.40, 0.02), (-0.62, -0.10), (-0.82, -0.24)], dark, 0.026)  # tentorium
    line([(-0.30, 0.06), (-0.50, 0.0), (-0.76, -0.20)], 0.6 * tissue["vessel"] + 0.4 * tissue["gray"], 0.018)
    paint_folia(canvas, patient, grid, cerebellum, (0.25, -0.30))
    fill([(-0.20, -0.22), (-0.31, -0.30), (-0.22, -0.40)], csf)  # fourth ventricle
    fill([(0.04, -0.02), (-0.06, 0.04), (-0.18, 0.0), (-0.20, -0.10), (-0.12, -0.14), (-0.02, -0.12)], stem)  # midbrain
    fill([(-0.02, -0.10), (0.065, -0.20), (0.06, -0.30), (-0.03, -0.38), (-0.17, -0.36), (-0.19, -0.24), (-0.13, -0.12)], stem)  # pons
    fill([(-0.02, -0.36), (-0.07, -0.50), (-0.11, -0.72), (-0.10, -1.1), (-0.12, -2.6), (-0.21, -2.6), (-0.20, -1.1), (-0.20, -0.72), (-0.20, -0.50), (-0.17, -0.34)], stem)  # medulla
    line([(-0.14, -0.10), (-0.21, -0.24)], csf, 0.012)  # aqueduct
    fill(blob((0.17, -0.262), (0.060, 0.032)), tissue["gland"])


def _paint_midline_face(canvas: Canvas, patient: Patient, grid: Grid) -> None:
    tissue = patient.tissue
    air, marrow, muscle = tissue["air"], tissue["marrow"], tissue["muscle"]

    def fill(shape, value):
        canvas.fill(face_left(shape), value)

    def line(shape, value, width):
        canvas.line(face_left(shape), value, width)

    fill([(0.10, -0.28), (0.16, -0.32), (0.22, -0.34), (0.14, -0.44), (0.02, -0.62), (-0.06, -0.60)], marrow * 1.2)  # clivus
    nose = canvas.mask(smooth(_clockwise(face_left([(0.85, -0.16), (0.60, -0.14), (0.42, -0.18), (0.40, -0.34), (0.40, -0.52), (0.62, -0.56), (0.90, -0.54), (1.0, -0.50), (0.95, -0.36)]))))
    paint_soft_tissue(canvas, patient, grid.stretched([1, 0.55, 1.7]), nose, air, tissue["mucosa"])
    s = patient.sinus
    fill([(0.20, -0.33), (0.30, -0.24), (0.42, -0.22), (0.42, -0.36), (0.34 - 0.06 * s, -0.44), (0.22, -0.42)], air)  # sphenoid sinus
    fill([(0.84, 0.06), (0.90, 0.16), (0.86 + 0.04 * s, 0.26), (0.84, 0.14)], air)  # frontal sinus
    fill([(0.24, -0.46), (0.40, -0.54), (0.36, -0.62), (0.20, -0.70), (0.10, -0.90), (0.14, -1.25), (0.04, -1.25), (0.02, -0.90), (0.08, -0.64)], air)  # pharynx
    line([(0.92, -0.575), (0.70, -0.585), (0.44, -0.575)], tissue["bone"], 0.035)  # palate
    line([(0.40, -0.575), (0.28, -0.62), (0.20, -0.72)], muscle + 30, 0.045)
    tongue = canvas.mask(smooth(_clockwise(face_left([(0.86, -0.72), (0.76, -0.63), (0.52, -0.62), (0.30, -0.70), (0.20, -0.88), (0.26, -1.04), (0.50, -1.06), (0.70, -0.98)]))))
    paint_soft_tissue(canvas, patient, grid.stretched([1, 1.2, 0.7]), tongue, muscle + 22, muscle + 60)
    line([(0.88, -0.74), (0.70, -0.64), (0.42, -0.64), (0.24, -0.74), (0.17, -0.95)], air + 8, 0.016)
    fill([(0.86, -0.86), (0.91, -0.96), (0.85, -1.06), (0.76, -1.0)], marrow * 1.3)  # chin
    fill([(0.04, -0.74), (0.03, -0.64), (-0.04, -0.66), (-0.06, -0.85), (-0.05, -1.0), (0.02, -1.0)], marrow * 1.1)  # dens
    for top in (-1.04, -1.22, -1.40, -1.58, -1.76):
        fill([(0.03, top), (-0.07, top), (-0.075, top - 0.14), (0.03, top - 0.14)], marrow * 1.1)
    fill([(-0.06, -0.62), (-0.24, -0.64), (-0.25, -0.9), (-0.24, -2.6), (-0.08, -2.6), (-0.07, -0.9)], max(tissue["csf"], 58))  # canal
    fill([(-0.10, -0.60), (-0.20, -0.60), (-0.205, -0.9), (-0.20, -2.6), (-0.12, -2.6), (-0.11, -0.9)], 0.5 * (tissue["white"] + tissue["gray"]))
    for top in (-0.80, -0.98, -1.16, -1.34, -1.52):
        fill([(-0.30, top), (-0.48, top - 0.05), (-0.50, top - 0.11), (-0.30, top - 0.08)], marrow)
    nape = canvas.mask(smooth(_clockwise(face_left([(-0.50, -0.62), (-0.70, -0.60), (-0.72, -0.9), (-0.70, -2.6), (-0.46, -2.6), (-0.50, -0.9)]))))
    paint_soft_tissue(canvas, patient, grid.stretched([1, 1.6, 0.35]), nape, muscle * 0.85, tissue["fat"] * 0.8)


def _paint_side_brain(canvas: Canvas, patient: Patient, grid: Grid, grow: float) -> None:
    tissue, w = patient.tissue, patient.ventricles
    csf = tissue["csf"]
    dark = 0.65 * csf + 0.35 * tissue["gray"]
    scale = np.array([grow, grow])
    shape = np.array([(-0.16, -0.24), (-0.34, -0.10), (-0.56, -0.11), (-0.72, -0.22), (-0.68, -0.36), (-0.50, -0.48), (-0.36, -0.53), (-0.24, -0.48), (-0.16, -0.38)])
    low = canvas.mask(smooth(_clockwise(face_left(shape * scale))))
    line = [(-0.05, -0.24), (-0.32, -0.07), (-0.58, -0.08), (-0.80, -0.22)]
    canvas.line(face_left(np.array(line) * scale), dark, 0.028)
    paint_folia(canvas, patient, grid, low, (0.22, -0.30))
    for path in ([(0.56, -0.05), (0.40, -0.04), (0.15, 0.02), (-0.12, 0.12), (-0.25, 0.20)], [(0.30, -0.02), (0.32, 0.10)], [(0.02, 0.05), (0.06, 0.16)]):
        canvas.line(face_left(np.array(path) * scale), dark, 0.014 + patient.gap * 0.7)
    ventricle = np.array([(0.02, 0.16), (-0.14, 0.17), (-0.30, 0.08), (-0.36, -0.02), (-0.26, -0.04), (-0.16, 0.06), (0.0, 0.10)])
    middle = ventricle.mean(axis=0)
    canvas.fill(face_left((middle + (ventricle - middle) * w * 0.8) * scale), csf)
    canvas.fill(face_left(blob((-0.26, 0.03), (0.05 * w, 0.022 * w), 0.6)), tissue["choroid"])
    canvas.fill(face_left([(0.26, 0.16), (0.10, 0.18), (0.0, 0.10), (0.06, 0.03), (0.20, 0.05)]), tissue["deep"])


def _paint_side_face(canvas: Canvas, patient: Patient, grid: Grid, deep: float) -> None:
    tissue = patient.tissue
    muscle, fat, air = tissue["muscle"], tissue["fat"], tissue["air"]

    def fill(shape, value):
        canvas.fill(face_left(shape) * [deep, 1], value)

    fill([(0.88, -0.04), (0.74, -0.02), (0.56, -0.08), (0.46, -0.16), (0.56, -0.24), (0.72, -0.32), (0.86, -0.32)], fat)
    canvas.line(face_left([(0.76, -0.08), (0.60, -0.12), (0.46, -0.16)]) * [deep, 1], muscle + 15, 0.028)
    canvas.line(face_left([(0.76, -0.28), (0.60, -0.22), (0.46, -0.17)]) * [deep, 1], muscle + 15, 0.028)
    canvas.line(face_left([(0.72, -0.18), (0.58, -0.18), (0.46, -0.165)]) * [deep, 1], muscle + 25, 0.024)
    fill(blob((0.775, -0.18), (0.125, 0.125)), muscle + 20)
    fill(blob((0.775, -0.18), (0.106, 0.106)), tissue["globe"])
    fill(blob((0.86, -0.18), (0.024, 0.046)), tissue["lens"])
    fill([(0.80, -0.36), (0.60, -0.34), (0.46, -0.38), (0.46, -0.54), (0.60, -0.62), (0.76, -0.58)], air)  # maxillary sinus
    canvas.line(face_left([(0.80, -0.36), (0.60, -0.335), (0.46, -0.38), (0.455, -0.54), (0.60, -0.63), (0.77, -0.59)]) * [deep, 1], tissue["mucosa"], 0.016)
    teeth = canvas.mask(smooth(_clockwise(face_left([(0.78, -0.66), (0.50, -0.68), (0.48, -0.80), (0.74, -0.82)]) * [deep, 1])))
    paint_soft_tissue(canvas, patient, grid.stretched([1, 2.2, 1.0]), teeth, air, tissue["marrow"])
    fill([(0.72, -0.84), (0.44, -0.86), (0.24, -0.74), (0.20, -0.60), (0.28, -0.58), (0.36, -0.80), (0.46, -0.94), (0.68, -0.94)], tissue["marrow"] * 1.1)
    fill([(0.40, -0.42), (0.24, -0.46), (0.16, -0.60), (0.22, -0.78), (0.34, -0.72), (0.42, -0.58)], muscle)
    mastoid = canvas.mask(smooth(_clockwise(face_left([(-0.02, -0.36), (-0.20, -0.38), (-0.28, -0.52), (-0.16, -0.66), (-0.04, -0.54)]) * [deep, 1])))
    paint_soft_tissue(canvas, patient, grid.stretched(2.4), mastoid, air, tissue["marrow"] * 0.7)
    nape = canvas.mask(smooth(_clockwise(face_left([(-0.16, -0.68), (-0.40, -0.60), (-0.62, -0.56), (-0.66, -0.9), (-0.64, -2.6), (-0.10, -2.6), (-0.10, -1.0)]) * [deep, 1])))
    paint_soft_tissue(canvas, patient, grid.stretched([1, 1.5, 0.3]), nape, muscle * 0.85, tissue["fat"] * 0.8)
    fill(blob((0.04, -0.46), (0.05, 0.04)), air)
