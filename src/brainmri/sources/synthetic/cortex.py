"""Brain tissue: gray ribbon, white core, furrows filled with fluid."""

import cv2
import numpy as np

from brainmri.sources.synthetic.canvas import Canvas, region_of
from brainmri.sources.synthetic.patient import Patient
from brainmri.sources.synthetic.texture import Grid, enlarge

FIELD_SAMPLES = 132  # samples of the coarse fields along the image's shorter side
CENTER = np.array([[0.0], [-0.02], [0.12]], np.float32)
RADII = np.array([[0.68], [0.87], [0.72]], np.float32)
PULL = 0.55  # how much furrows run towards the brain's centre rather than anywhere


def paint_cortex(
    canvas: Canvas, patient: Patient, grid: Grid, mask: np.ndarray, strength: float = 1.0
) -> None:
    """Paint brain tissue with its folds into a region.

    Parameters
    ----------
    canvas : Canvas
    patient : Patient
    grid : Grid
        The slice's pixels in space.
    mask : numpy.ndarray, shape (height, width), uint8
        Coverage of the region, 0 to 255.
    strength
        How wide and deep the furrows are: 0 for none, 1 for the usual.
    """
    scale = canvas.frame.scale
    tissue = patient.tissue
    step = max(1.0, min(canvas.image.shape) / FIELD_SAMPLES)
    region = region_of(mask)
    solid = (mask > 127).astype(np.uint8)
    grid = grid.windowed(region)
    height, width = grid.height, grid.width
    if not height * width:
        return
    coarse = grid.thinned(step)
    points = np.stack([coarse.axis(number).ravel() for number in range(3)])
    radius = np.sqrt((((points - CENTER) / RADII) ** 2).sum(axis=0)) + np.float32(0.05)
    folds = patient.folds.at(points * radius**-PULL).reshape(coarse.height, coarse.width)
    folds = np.abs(enlarge(folds, height, width))
    reach = strength * (patient.fold_depth + 0.05 * patient.fold_reach.over(grid))
    np.maximum(reach, 0.03, out=reach)

    depth = cv2.distanceTransform(solid, cv2.DIST_L2, 3)[region] / np.float32(scale)
    fade = np.clip(1 - depth / reach, 0, 1)
    sharp = np.float32(scale * 0.24 / (2 * np.pi) / 1.6)
    furrow = np.clip(
        (min(strength, 1.2) * (0.04 + patient.sulci) * np.sqrt(fade) - folds) * sharp + 0.5, 0, 1
    )
    furrow *= fade > 0
    ribbon = np.clip((0.85 * np.clip(1.25 - depth / (reach + 0.06), 0, 1) - folds) * 2.5 + 0.5, 0, 1)
    np.maximum(ribbon, np.clip(1.6 - depth * np.float32(1 / 0.028), 0, 1), out=ribbon)

    values = tissue["white"] + (tissue["gray"] - tissue["white"]) * ribbon
    values *= 1 + 0.03 * patient.drift.over(grid)
    fluid = 0.35 * values + 0.65 * tissue["csf"]  # thin furrows hold vessels and membranes too
    values += (fluid - values) * furrow
    canvas.blend(values, mask, region)


def paint_folia(
    canvas: Canvas, patient: Patient, grid: Grid, mask: np.ndarray, pivot: tuple[float, float]
) -> None:
    """Paint a cerebellum: fine leaves in arcs around a pivot (head units), a branching white core."""
    tissue = patient.tissue
    region = region_of(mask)
    grid = grid.windowed(region)
    if not grid.height * grid.width:
        return
    right, up = (axis[region] for axis in canvas.frame.coordinates())
    distance = cv2.magnitude(right - np.float32(pivot[0]), up - np.float32(pivot[1]))
    bend = patient.mottle.over(grid)
    solid = (mask > 127).astype(np.uint8)
    depth = cv2.distanceTransform(solid, cv2.DIST_L2, 3)[region] / np.float32(canvas.frame.scale)
    near = np.clip(1 - depth / 0.16, 0, 1)
    leaves = np.cos(distance * np.float32(2 * np.pi / 0.062) + 1.3 * bend)
    values = tissue["white"] + (tissue["gray"] - tissue["white"]) * np.clip(near * 1.6, 0, 1)
    values += (tissue["csf"] - tissue["gray"]) * np.clip(leaves * 1.6 - 1.05, 0, 1) * near * 0.75
    values += (tissue["white"] - tissue["gray"]) * np.clip(-leaves, 0, 1) * near * 0.6
    canvas.blend(values, mask, region)


def paint_soft_tissue(
    canvas: Canvas, patient: Patient, grid: Grid, mask: np.ndarray, dark: float, bright: float
) -> None:
    """Paint muscle parted by fat, or mucosa parted by air: ridges of a random field."""
    region = region_of(mask)
    grid = grid.windowed(region)
    if not grid.height * grid.width:
        return
    field = patient.mottle.over(grid)
    ridge = np.maximum(1 - np.abs(field) * np.float32(2.6), 0)
    ridge *= np.sqrt(ridge)
    # Fat planes thicken and fade out along their way.
    slow = patient.drift.over(grid.stretched(3.1))
    ridge *= np.clip(0.45 + 0.4 * slow, 0.05, 1)
    ridge *= np.float32(bright - dark)
    ridge += (field * 6 + slow * 7) * np.float32(min(dark, 80) / 80) + np.float32(dark)
    canvas.blend(np.maximum(ridge, 3), mask, region)
