"""The files of one patient, drawn and written. No table library is imported here: workers start faster."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from brainmri.sources.synthetic.masks import image_truth
from brainmri.sources.synthetic.names import patient_name
from brainmri.sources.synthetic.plan import PlannedFile
from brainmri.sources.synthetic.planted import (
    STATUS,
    as_json,
    broken_bytes,
    draw_transform,
    jpeg,
    toned,
    transformed,
)
from brainmri.sources.synthetic.settings import PhantomSettings
from brainmri.sources.synthetic.slices import Slice, draw_slices


@dataclass(frozen=True)
class PatientTask:
    """What a worker needs to draw one patient.

    Attributes
    ----------
    root : str
        The folder that the files' names begin at.
    settings : PhantomSettings
    patient : int
    files : list of PlannedFile
    """

    root: str
    settings: PhantomSettings
    patient: int
    files: list[PlannedFile]


def write_patient(task: PatientTask) -> list[dict]:
    """Draw one patient, write the files, return the rows of the truth table."""
    by_slice: dict[int, list[PlannedFile]] = {}
    for file in task.files:
        by_slice.setdefault(file.slice_index, []).append(file)
    settings = task.settings
    label = task.files[0].label
    rows = []
    for drawn in draw_slices(
        settings.seed, task.patient, label, settings.slices, settings.size, settings.vary_size
    ):
        original, *planted = by_slice[drawn.index]
        quality = int(np.random.default_rng(original.draw).integers(75, 96))
        data = jpeg(drawn.image, original.channels, quality)
        (Path(task.root) / original.image_id).write_bytes(data)
        rows.append(
            _row(original, drawn) | image_truth(drawn.head, drawn.lesion) | {"channels": original.channels}
        )
        for file in planted:
            content, columns = _planted(file, drawn, data, quality)
            (Path(task.root) / file.image_id).write_bytes(content)
            rows.append(_row(file, drawn) | columns)
    return rows


def _planted(file: PlannedFile, drawn: Slice, data: bytes, quality: int) -> tuple[bytes, dict]:
    """Return the content of a planted file and its truth columns."""
    if file.planted in STATUS:
        return broken_bytes(file.planted, data), {"status": STATUS[file.planted]}
    rng = np.random.default_rng(file.draw)
    transform = draw_transform(rng, file.planted, *drawn.image.shape)
    columns = {"channels": file.channels, "transform": as_json(transform)}
    if file.planted == "bytes":
        return data, columns | image_truth(drawn.head, drawn.lesion)
    seen = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    masks = [transformed(mask.astype(np.uint8) * 255, transform) > 127 for mask in (drawn.head, drawn.lesion)]
    # Another quality than the original's, so that the bytes differ even where the pixels hardly do.
    again = int(rng.choice([q for q in range(80, 98) if q != quality]))
    copy = toned(transformed(seen, transform), transform)
    return jpeg(copy, file.channels, again), columns | image_truth(*masks)


def _row(file: PlannedFile, drawn: Slice) -> dict:
    """Return the columns that any file has."""
    return {
        "image_id": file.image_id,
        "patient_id": patient_name(file.patient),
        "slice_index": file.slice_index,
        "plane": drawn.plane,
        "label": file.label,
        "labelled": file.labelled,
        "source_split": file.source_split,
        "planted": file.planted,
        "copy_of": file.copy_of,
        "status": "ok",
    }
