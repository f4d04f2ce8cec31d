"""What is particular to one patient: shapes, tissue brightness, scanner, lesion."""

from dataclasses import dataclass

import numpy as np

from brainmri.sources.synthetic.texture import Waves, draw_waves

# Brightness (0-255) of each tissue in three kinds of recording: after contrast agent, before it, T2-weighted.
TISSUES = {
    "t1_contrast": {
        "fat": 205, "skin": 135, "muscle": 72, "bone": 12, "marrow": 92, "csf": 24, "gray": 76, "white": 92,
        "deep": 80, "dura": 105, "vessel": 190, "air": 5, "globe": 30, "lens": 75, "mucosa": 140,
        "gland": 150, "choroid": 150, "lesion": 195, "edema": 58, "necrosis": 34,
    },
    "t1": {
        "fat": 215, "skin": 125, "muscle": 74, "bone": 12, "marrow": 105, "csf": 22, "gray": 80, "white": 116,
        "deep": 92, "dura": 50, "vessel": 40, "air": 4, "globe": 28, "lens": 70, "mucosa": 90, "gland": 108,
        "choroid": 60, "lesion": 148, "edema": 62, "necrosis": 40,
    },
    "t2": {
        "fat": 150, "skin": 125, "muscle": 66, "bone": 10, "marrow": 78, "csf": 205, "gray": 112, "white": 72,
        "deep": 84, "dura": 45, "vessel": 14, "air": 4, "globe": 215, "lens": 30, "mucosa": 175, "gland": 105,
        "choroid": 160, "lesion": 165, "edema": 150, "necrosis": 205,
    },
}  # fmt: skip


@dataclass(frozen=True)
class Patient:
    """One patient's anatomy and recording; lengths in head units, see `canvas`.

    Attributes
    ----------
    tissue : dict of str to float
        Brightness by tissue, 0 to 255.
    stretch : tuple of three float
        Factors of the head's width, length and height.
    bone, scalp : float
        Thickness of skull and scalp.
    gap : float
        Width of the fluid between skull and brain.
    ventricles : float
        Factor of the ventricles' size.
    sulci : float
        How wide the furrows gape (0.05 to 0.3).
    fold_depth : float
        How deep they reach.
    asymmetry : float
        Small left-right shift of inner structures.
    folds, fold_reach, mottle, drift : Waves
        Fields of the cortex' furrows, of their depth, of soft tissue and of slow brightness change.
    sway : tuple
        Wave vectors (J, 2), phases (J,) and amplitudes (J, 2) that bend all curves.
    sinus : float
        How far the air of the sphenoid sinus extends (0 to 1).
    """

    tissue: dict
    stretch: tuple[float, float, float]
    bone: float
    scalp: float
    gap: float
    ventricles: float
    sulci: float
    fold_depth: float
    asymmetry: float
    folds: Waves
    fold_reach: Waves
    mottle: Waves
    drift: Waves
    sway: tuple
    sinus: float


def draw_patient(rng: np.random.Generator) -> Patient:
    """Return a random patient. Nothing here depends on the class, so that only the lesion tells it."""
    kind = rng.choice(["t1_contrast", "t1", "t2"], p=[0.84, 0.08, 0.08])
    tissue = {name: value * rng.uniform(0.92, 1.08) for name, value in TISSUES[kind].items()}
    contrast = rng.uniform(0.35, 1.1)  # gray against white matter: weak in most recordings after contrast
    middle = (tissue["gray"] + tissue["white"]) / 2
    for name in ("gray", "white", "deep"):
        tissue[name] = middle + (tissue[name] - middle) * contrast
    age = rng.beta(2, 3)  # the older, the wider the fluid spaces
    return Patient(
        tissue=tissue,
        stretch=tuple(rng.uniform([0.93, 0.95, 0.95], [1.07, 1.04, 1.04])),
        bone=rng.uniform(0.040, 0.062),
        scalp=rng.uniform(0.045, 0.080),
        gap=0.008 + 0.022 * age,
        ventricles=rng.uniform(0.75, 1.05) + 0.45 * age**2,
        sulci=0.08 + 0.17 * age * rng.uniform(0.6, 1.4),
        fold_depth=rng.uniform(0.10, 0.19),
        asymmetry=rng.normal(0, 0.008),
        folds=draw_waves(rng, rng.uniform(0.21, 0.27), 22),
        fold_reach=draw_waves(rng, 0.5, 10),
        mottle=draw_waves(rng, 0.16, 16),
        drift=draw_waves(rng, 1.6, 8),
        sway=(
            rng.normal(0, 2.2, (4, 2)),
            rng.uniform(0, 2 * np.pi, 4),
            rng.normal(0, 0.011, (4, 2)),
        ),
        sinus=rng.uniform(0.6, 1.0),
    )
