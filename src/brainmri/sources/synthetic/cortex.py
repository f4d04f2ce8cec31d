"""Brain tissue: gray ribbon, white core, furrows filled with fluid."""

import cv2
import numpy as np

from brainmri.sources.synthetic.canvas import Canvas
from brainmri.sources.synthetic.patient import Patient
from brainmri.sources.synthetic.texture import enlarge, in_space

FIELD_SAMPLES = 132  # samples of the coarse fields along the image's shorter side
CENTER = np.array([0.0, -0.02, 0.12], np.float32)
RADII = np.array([0.68, 0.87, 0.72], np.float32)
PULL = 0.55  # how much furrows run towards the brain's centre rather than anywhere


def coarse_points(canvas: Canvas, plane: str, level: float) -> np.ndarray:
    """Return the points (h, w, 3) float32 in space of a coarse grid over the slice."""
    step = max(1.0, min(canvas.image.shape) / FIELD_SAMPLES)
    right, up = canvas.frame.coordinates(step)
    return in_space(plane, right, up, level)


def paint_cortex(
    canvas: Canvas, patient: Patient, points: np.ndarray, mask: np.ndarray, strength: float = 1.0
) -> None:
    """Paint brain tissue with its folds into a region.

    Parameters
    ----------
    canvas : Canvas
    patient : Patient
    points : numpy.ndarray, shape (h, w, 3)
        From `coarse_points`.
    mask : numpy.ndarray, shape (height, width), uint8
        Coverage of the region, 0 to 255.
    strength
        0 for a brain without furrows, 1 for the usual.
    """
    height, width = canvas.image.shape
    scale = canvas.frame.scale
    tissue = patient.tissue
    relative = (points - CENTER) / RADII
    radius = np.sqrt((relative**2).sum(axis=-1, keepdims=True)) + 0.05
    pulled = points * radius**-PULL
    folds = np.abs(enlarge(patient.folds.at(pulled), height, width))
    reach = enlarge(patient.fold_depth + 0.05 * patient.fold_reach.at(points), height, width)
    np.maximum(reach, 0.03, out=reach)

    depth = cv2.distanceTransform((mask > 127).astype(np.uint8), cv2.DIST_L2, 3) / np.float32(scale)
    fade = np.clip(1 - depth / reach, 0, 1)
    sharp = np.float32(scale * 0.24 / (2 * np.pi) / 1.6)
    furrow = np.clip((strength * (0.02 + patient.sulci) * np.sqrt(fade) - folds) * sharp + 0.5, 0, 1)
    furrow *= fade > 0
    ribbon = np.clip((0.85 * np.clip(1.25 - depth / (reach + 0.06), 0, 1) - folds) * 2.5 + 0.5, 0, 1)
    np.maximum(ribbon, np.clip(1.6 - depth * np.float32(1 / 0.028), 0, 1), out=ribbon)

    values = tissue["white"] + (tissue["gray"] - tissue["white"]) * ribbon
    values *= 1 + 0.03 * enlarge(patient.drift.at(points), height, width)
    fluid = 0.35 * values + 0.65 * tissue["csf"]  # thin furrows hold vessels and membranes too
    values += (fluid - values) * furrow
    canvas.blend(values, mask)


def paint_folia(
    canvas: Canvas, patient: Patient, points: np.ndarray, mask: np.ndarray, pivot: tuple[float, float]
) -> None:
    """Paint a cerebellum: fine leaves in arcs around a pivot (head units), a branching white core."""
    height, width = canvas.image.shape
    tissue = patient.tissue
    right, up = canvas.frame.coordinates()
    across, along = right - np.float32(pivot[0]), up - np.float32(pivot[1])
    distance = np.sqrt(across**2 + along**2)
    bend = enlarge(patient.mottle.at(points), height, width)
    depth = cv2.distanceTransform((mask > 127).astype(np.uint8), cv2.DIST_L2, 3) / np.float32(
        canvas.frame.scale
    )
    near = np.clip(1 - depth / 0.16, 0, 1)
    leaves = np.cos(distance * np.float32(2 * np.pi / 0.062) + 1.3 * bend)
    values = tissue["white"] + (tissue["gray"] - tissue["white"]) * np.clip(near * 1.6, 0, 1)
    values += (tissue["csf"] - tissue["gray"]) * np.clip(leaves * 1.6 - 1.05, 0, 1) * near * 0.75
    values += (tissue["white"] - tissue["gray"]) * np.clip(-leaves, 0, 1) * near * 0.6
    canvas.blend(values.astype(np.float32), mask)


def paint_soft_tissue(
    canvas: Canvas, patient: Patient, points: np.ndarray, mask: np.ndarray, dark: float, bright: float
) -> None:
    """Paint muscle parted by fat, or mucosa parted by air: ridges of a random field."""
    height, width = canvas.image.shape
    field = enlarge(patient.mottle.at(points), height, width)
    ridge = np.clip(1 - np.abs(field) * 2.6, 0, 1)
    values = dark + (bright - dark) * ridge**1.5 + 8 * field
    canvas.blend(np.clip(values, 3, 250).astype(np.float32), mask)
