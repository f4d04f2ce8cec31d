"""Which files a phantom set consists of, decided before the first is drawn."""

from dataclasses import dataclass

import numpy as np

from brainmri.sources.synthetic.names import file_names
from brainmri.sources.synthetic.settings import COPY_KINDS, PhantomSettings
from brainmri.sources.synthetic.slices import slice_planes

# The share of 3-channel files by class, as measured on the Kaggle set masoudnickparvar.
COLOUR_SHARE = {"glioma": 0.12, "meningioma": 0.57, "pituitary": 0.47, "no_tumor": 0.985}
PLAN_STREAM = 2**40  # keeps the plan's random numbers apart from the patients'


@dataclass(slots=True)
class PlannedFile:
    """One file to be written.

    Attributes
    ----------
    patient, slice_index : int
    plane : {'axial', 'coronal', 'sagittal'}
    label, labelled : str
        The class drawn, and the class of the folder.
    source_split : {'train', 'test'} or None
    planted : str or None
        None for an original; else what was planted, see the truth table.
    channels : int
        1 or 3.
    draw : int
        Seed of what is random about this file: quality, transform.
    image_id : str
        Path below the root, once it has a name.
    copy_of : str or None
        The image_id of the original.
    """

    patient: int
    slice_index: int
    plane: str
    label: str
    labelled: str
    source_split: str | None
    planted: str | None
    channels: int
    draw: int
    image_id: str = ""
    copy_of: str | None = None


def plan_files(settings: PhantomSettings) -> list[list[PlannedFile]]:
    """Return the files of each patient, originals first, each with its name."""
    rng = np.random.default_rng(np.random.SeedSequence([settings.seed, PLAN_STREAM]))
    names = settings.class_names
    labels = rng.permutation(np.resize(np.arange(len(names)), settings.patients))
    per_patient = [
        [
            _file(rng, settings, patient, index, plane, names[label], names[label])
            for index, plane in enumerate(slice_planes(settings.seed, patient, settings.slices))
        ]
        for patient, label in enumerate(labels)
    ]
    originals = [file for files in per_patient for file in files]
    _split(rng, settings, originals)
    chosen = rng.permutation(len(originals))[: settings.planted_slices]
    pairs = []
    for order, index in enumerate(chosen):
        source = originals[index]
        if order < settings.copy_count:
            planted, labelled = COPY_KINDS[order % len(COPY_KINDS)], source.label
        else:
            others = [name for name in names if name != source.label]
            planted, labelled = "conflict", others[rng.integers(len(others))]
        copy = _again(rng, settings, source, labelled)
        copy.planted = planted
        copy.channels = source.channels if planted == "bytes" else copy.channels
        crossing = order // len(COPY_KINDS) % 2 == 0
        copy.source_split = _other(source.source_split) if crossing else source.source_split
        pairs.append((source, copy))
        per_patient[source.patient].append(copy)
    for planted, count in (
        ("corrupt", settings.corrupt),
        ("empty", settings.empty),
        ("text", settings.foreign_text),
    ):
        for _ in range(count):
            source = originals[rng.integers(len(originals))]
            broken = _again(rng, settings, source, source.label)
            broken.planted, broken.source_split = planted, source.source_split
            per_patient[source.patient].append(broken)
    files = [file for group in per_patient for file in group]
    for file, name in zip(files, file_names(files, settings.layout, rng), strict=True):
        file.image_id = name
    for source, copy in pairs:
        copy.copy_of = source.image_id
    return per_patient


def _file(rng, settings: PhantomSettings, patient: int, index: int, plane: str, label: str, labelled: str):
    share = COLOUR_SHARE[labelled] if settings.channel_shortcut else 0.5
    channels = 3 if rng.random() < share else 1
    return PlannedFile(patient, index, plane, label, labelled, None, None, channels, int(rng.integers(2**62)))


def _again(rng, settings: PhantomSettings, source: PlannedFile, labelled: str) -> PlannedFile:
    """Return a further file of a slice, in the folder of class `labelled`."""
    return _file(rng, settings, source.patient, source.slice_index, source.plane, source.label, labelled)


def _other(split: str | None) -> str | None:
    return {"train": "test", "test": "train", None: None}[split]


def _split(rng, settings: PhantomSettings, originals: list[PlannedFile]) -> None:
    """Draw the source's own split within each class, over images as real sets do, or over patients."""
    if settings.layout == "orvile":
        return
    for label in settings.class_names:
        files = [file for file in originals if file.label == label]
        units = [
            file.patient if settings.split_by == "patient" else number for number, file in enumerate(files)
        ]
        distinct = np.unique(units)
        held = set(rng.permutation(distinct)[: round(settings.test_fraction * len(distinct))].tolist())
        for unit, file in zip(units, files, strict=True):
            file.source_split = "test" if unit in held else "train"
