"""How the files of a phantom set are called, in the manner of the public sets."""

from collections import defaultdict

import numpy as np

SPLIT_FOLDERS = {"train": "Training", "test": "Testing"}
SARTAJ = {
    "glioma": ("glioma_tumor", "gg ({})"),
    "meningioma": ("meningioma_tumor", "m ({})"),
    "pituitary": ("pituitary_tumor", "p ({})"),
    "no_tumor": ("no_tumor", "image ({})"),
}
MASOUD = {
    "glioma": ("glioma", "gl"),
    "meningioma": ("meningioma", "me"),
    "pituitary": ("pituitary", "pi"),
    "no_tumor": ("notumor", "no"),
}
ORVILE = {"glioma": "brain_glioma", "meningioma": "brain_menin", "pituitary": "brain_tumor"}
ORVILE_ROOT = "Brain_Cancer raw MRI data/Brain_Cancer"


def patient_name(patient: int) -> str:
    """Return a patient's identity, such as ``P0007``."""
    return f"P{patient:04d}"


def file_names(files, layout: str, rng: np.random.Generator) -> list[str]:
    """Return the path below the root of each planned file.

    Parameters
    ----------
    files : sequence of PlannedFile
    layout : {'plain', 'masoud', 'sartaj', 'orvile'}
        Plain names tell the patient, the others are numbered within their folder in random order, so that
        no name tells a copy from its original.
    rng : numpy.random.Generator
    """
    if layout == "plain":
        return _plain_names(files)
    numbers = np.empty(len(files), dtype=np.int64)
    counters = defaultdict(int)
    for index in rng.permutation(len(files)):
        folder = (files[index].source_split, files[index].labelled)
        counters[folder] += 1
        numbers[index] = counters[folder]
    style = {"masoud": _masoud_name, "sartaj": _sartaj_name, "orvile": _orvile_name}[layout]
    return [style(file, int(number)) for file, number in zip(files, numbers, strict=True)]


def _plain_names(files) -> list[str]:
    counters = defaultdict(int)
    names = []
    for file in files:
        number = counters[file.patient]
        counters[file.patient] += 1
        stem = f"{patient_name(file.patient)}_{file.plane}_{number:02d}"
        names.append(f"{SPLIT_FOLDERS[file.source_split]}/{file.labelled}/{stem}.jpg")
    return names


def _masoud_name(file, number: int) -> str:
    folder, short = MASOUD[file.labelled]
    part = "Tr" if file.source_split == "train" else "Te"
    return f"{SPLIT_FOLDERS[file.source_split]}/{folder}/{part}-{short}_{number:04d}.jpg"


def _sartaj_name(file, number: int) -> str:
    folder, pattern = SARTAJ[file.labelled]
    stem = pattern.format(number) if file.source_split == "train" else f"image({number})"
    return f"{SPLIT_FOLDERS[file.source_split]}/{folder}/{stem}.jpg"


def _orvile_name(file, number: int) -> str:
    folder = ORVILE[file.labelled]
    return f"{ORVILE_ROOT}/{folder}/{folder}_{number:04d}.jpg"
