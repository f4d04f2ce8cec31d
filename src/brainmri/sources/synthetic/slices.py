"""From a patient's seed to its recorded slices, with the truth about each."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from brainmri.sources.synthetic.axial import draw_axial
from brainmri.sources.synthetic.canvas import Canvas, Frame
from brainmri.sources.synthetic.coronal import draw_coronal
from brainmri.sources.synthetic.lesions import KINDS, draw_lesion, levels_through, paint_lesion
from brainmri.sources.synthetic.patient import Patient, draw_patient
from brainmri.sources.synthetic.sagittal import draw_sagittal
from brainmri.sources.synthetic.scanner import draw_recording, record

PLANES = ("axial", "coronal", "sagittal")
DRAW = {"axial": draw_axial, "coronal": draw_coronal, "sagittal": draw_sagittal}


@dataclass(frozen=True)
class Slice:
    """One recorded slice.

    Attributes
    ----------
    index : int
        Its place among the patient's slices.
    plane : {'axial', 'coronal', 'sagittal'}
    image : numpy.ndarray, shape (height, width), uint8
    head : numpy.ndarray, shape (height, width), bool
    lesion : numpy.ndarray, shape (height, width), bool
        All False where there is none.
    """

    index: int
    plane: str
    image: np.ndarray
    head: np.ndarray
    lesion: np.ndarray


def draw_slices(
    seed: int, patient: int, label: str, count: int, size: int, vary_size: bool
) -> Iterator[Slice]:
    """Yield the slices of one patient, one at a time.

    Parameters
    ----------
    seed
        Of the data set.
    patient
        Number of the patient: with the seed it fixes everything drawn.
    label
        One of the canonical classes.
    count
        How many slices, in runs of neighbours through one to three planes.
    size
        Pixels a side.
    vary_size
        Whether height and width differ from `size` by up to a tenth.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, patient]))
    person, recording = draw_patient(rng), draw_recording(rng)
    # A patient without tumour is cut where a tumour could be, so that the level says nothing.
    kind = rng.choice(KINDS)
    lesion = draw_lesion(rng, label if label in KINDS else str(kind))
    height = width = size
    if vary_size and rng.random() < 0.6:
        height, width = (round(size * factor) for factor in rng.uniform(0.9, 1.1, 2))
    planes = slice_planes(seed, patient, count)
    cuts = [
        (plane, float(level))
        for plane in dict.fromkeys(planes)
        for level in levels_through(rng, lesion, plane, planes.count(plane))
    ]
    tight = rng.random() < 0.15
    fill = rng.uniform(0.93, 1.0) if tight else rng.uniform(0.78, 0.94)
    for index, (plane, level) in enumerate(cuts):
        if index == 0 or plane != cuts[index - 1][0]:
            matrix = _matrix(rng, person, plane, height, width, fill)
        yield _draw_slice(
            rng,
            person,
            recording,
            lesion if label in KINDS else None,
            index,
            plane,
            level,
            matrix,
            height,
            width,
        )


def slice_planes(seed: int, patient: int, count: int) -> list[str]:
    """Return the plane of each of a patient's slices: one to three runs of neighbours.

    They come from a stream of their own, so that files can be named before anything is drawn.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, patient, 1]))
    runs = min(count, int(rng.choice([1, 2, 3], p=[0.25, 0.35, 0.40])))
    planes = rng.permutation(PLANES)[:runs]
    lengths = [len(part) for part in np.array_split(np.arange(count), runs)]
    return [str(plane) for plane, length in zip(planes, lengths, strict=True) for _ in range(length)]


def _matrix(rng, person: Patient, plane: str, height: int, width: int, fill: float) -> np.ndarray:
    """Return the (2, 3) map from head units to pixels: size, place and tilt of the head."""
    across, along, tall = person.stretch
    stretch = {"axial": (across, along), "coronal": (across, tall), "sagittal": (along, tall)}[plane]
    scale = fill * min(height / 2.08, width / (2.25 if plane == "sagittal" else 1.85))
    tilt = np.deg2rad(rng.normal(0, {"axial": 4.0, "coronal": 2.5, "sagittal": 5.0}[plane]))
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    matrix = turn @ np.diag([scale * stretch[0], -scale * stretch[1]])
    free = 0.4 * (1 - fill)
    if plane == "axial":
        pivot, place = np.array([0, 0.02]), np.array([0.5, 0.5]) + rng.uniform(-free, free, 2) * 0.6
    else:
        pivot = np.array([0.0, 0.97])  # the vertex: the neck runs out of the image below
        place = np.array([0.5 + rng.uniform(-free, free) * 0.6, rng.uniform(0.02, 0.03 + 0.6 * (1 - fill))])
        if plane == "sagittal":
            pivot = np.array([-0.03, 0.97])
    shift = place * [width - 1, height - 1] - matrix @ pivot
    return np.column_stack([matrix, shift])


def _draw_slice(rng, person, recording, lesion, index, plane, level, matrix, height, width) -> Slice:
    waves, phases, amplitudes = person.sway
    frame = Frame(matrix, height, width, (waves, phases + 3 * level, amplitudes))
    scene = DRAW[plane](Canvas(frame), person, level, rng)
    image = scene.canvas.image.astype(np.float32)
    covered = np.zeros(image.shape, bool)
    if lesion is not None:
        covered = paint_lesion(image, scene, person, lesion, plane, level)
    recorded = record(image, scene.head, frame.scale, recording, person.drift, scene.grid, rng)
    return Slice(index, plane, recorded, scene.head > 127, covered)
