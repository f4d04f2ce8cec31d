"""A synthetic data set with known truth: slices that could pass for MRI, and real sets' faults."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import cv2

from brainmri.errors import BrainmriError, unwritable
from brainmri.progress import progress
from brainmri.sources.synthetic.files import PatientTask, write_patient
from brainmri.sources.synthetic.plan import plan_files
from brainmri.sources.synthetic.settings import PhantomSettings

SMALL = 48  # up to so many images, starting processes costs more than it gains


def phantom(
    output: Path,
    truth: Path | None = None,
    patients: int = 60,
    slices: int = 6,
    size: int = 256,
    layout: Literal["plain", "masoud", "sartaj", "orvile"] = "plain",
    seed: int = 0,
    split_by: Literal["image", "patient"] = "image",
    test_fraction: float = 0.2,
    copies: float = 0.1,
    conflicts: int = 2,
    corrupt: int = 1,
    empty: int = 1,
    foreign_text: int = 1,
    channel_shortcut: bool = True,
    vary_size: bool = True,
    workers: int = 0,
) -> None:
    """Draw a synthetic data set of brain slices, with known truth about each file.

    The same arguments give the same bytes, whatever the number of workers.

    Parameters
    ----------
    output
        The folder to make; it must not hold anything yet.
    truth
        Where to write the truth table; `output`/truth.parquet where not given.
    patients
        How many patients, about equally many of each class.
    slices
        How many slices of each patient.
    size
        Pixels a side.
    layout
        Whose folders and file names to imitate; plain names tell the patient (P0007_axial_02.jpg).
    seed
        Another seed, other patients.
    split_by
        Whether the set's own split is drawn over images, as in real sets, or over patients.
    test_fraction
        The share of images (or patients) in the set's own test part.
    copies
        The share of images of which a copy is planted: by bytes, re-encoded, mirrored, turned by quarters,
        turned a little, zoomed and shifted, resized, changed in brightness, contrast and gamma, or several of
        these together; half of them across the split.
    conflicts
        How many images are planted a second time under another label.
    corrupt
        How many files hold the torn-off beginning of a JPEG.
    empty
        How many files are empty.
    foreign_text
        How many files named .jpg hold text.
    channel_shortcut
        Whether the number of channels depends on the class, as in real sets.
    vary_size
        Whether width and height differ from `size`, up to a tenth, between patients.
    workers
        How many processes draw; 0 for one a core.

    Raises
    ------
    BrainmriError
        If an argument is out of its range, or `output` is not empty or cannot be written.
    """
    if not 0 <= workers <= 256:
        raise BrainmriError(f"workers is {workers}; allowed: 0 to 256.")
    settings = PhantomSettings(
        patients, slices, size, layout, seed, split_by, test_fraction, copies, conflicts, corrupt, empty,
        foreign_text, channel_shortcut, vary_size,
    )  # fmt: skip
    output = Path(output).absolute()
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise BrainmriError(
            f"{output} exists and is not an empty folder: remove it or choose another output."
        )
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{output.name}.", suffix=".tmp", dir=output.parent))
    except OSError as error:
        raise unwritable(f"beside {output}", error) from error
    try:
        rows = _write_all(temporary, settings, workers)
        # Imported late: every worker imports this module, and none needs the table libraries.
        from brainmri.sources.synthetic.truth import write_truth

        write_truth(rows, temporary / "truth.parquet" if truth is None else Path(truth), asdict(settings))
        temporary.chmod(0o755)
        temporary.replace(output)
    except OSError as error:
        raise unwritable(output, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_all(root: Path, settings: PhantomSettings, workers: int) -> list[dict]:
    """Draw and write every file below `root`; return the rows of the truth table."""
    plan = plan_files(settings)
    for folder in sorted({str(Path(file.image_id).parent) for files in plan for file in files}):
        (root / folder).mkdir(parents=True, exist_ok=True)
    tasks = [PatientTask(str(root), settings, patient, files) for patient, files in enumerate(plan)]
    total = sum(map(len, plan))
    workers = min(workers or len(os.sched_getaffinity(0)), len(tasks))
    rows = []
    with progress(total=total, description="draw phantom", unit="image") as bar:
        for part in _drawn(tasks, workers if total > SMALL else 1):
            rows += part
            bar.update(len(part))
    return rows


def _drawn(tasks: list[PatientTask], workers: int) -> Iterator[list[dict]]:
    """Yield the truth rows of each patient in order, drawn by so many processes."""
    if workers == 1:
        yield from map(write_patient, tasks)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), cv2.setNumThreads, (1,)) as pool:
        waiting = iter(tasks)
        # A bounded number of patients is on its way, so that a long run stays small.
        running = [pool.submit(write_patient, task) for task in islice(waiting, 4 * workers)]
        while running:
            yield running.pop(0).result()
            running += [pool.submit(write_patient, task) for task in islice(waiting, 1)]
