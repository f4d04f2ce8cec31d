"""Sets with known copies, for `copies_recall.py`: phantom sets, and warped copies of real images.

Each set is a folder `raw` and a table of its images: `image_id`, `origin` (the image that it shows), `kind`
(how it was copied; null for an original), and for phantom sets `patient_id`, `plane` and `slice_index`.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from stages import run_stage

from brainmri.images.decode import decode_gray
from brainmri.sources.extraction import extract
from brainmri.sources.files import list_files
from brainmri.sources.synthetic.planted import jpeg, toned, transformed

PLAIN = {
    "mirror": False, "turn": 0, "angle": 0.0, "zoom": [1.0, 1.0], "shift": [0.0, 0.0],
    "gain": 1.0, "offset": 0.0, "gamma": 1.0,
}  # fmt: skip
# The steps of each kind of warped copy.
STEPS = {
    "re-encoded": (),
    "mirrored": ("mirror",),
    "turned": ("turn",),
    "brightness": ("tone",),
    "affine": ("affine",),
    "affine, mirrored": ("affine", "mirror"),
    "affine, turned": ("affine", "turn"),
    "affine, brightness": ("affine", "tone"),
    "all": ("mirror", "turn", "affine", "tone"),
}
# As seen on copies that were made public as images of their own: degrees, zoom of each axis, share of a side.
ROTATION, ZOOM, SHIFT = 10.0, (0.92, 1.09), 0.03
# The curve: copies rotated and zoomed by so much, all else equal.
ROTATIONS = (0, 3, 6, 10, 15, 20)
ZOOMS = (0.8, 0.87, 0.93, 1.0, 1.08, 1.16, 1.25)


def phantom_set(folder: Path, patients: int, seed: int) -> pd.DataFrame:
    """Draw a phantom set of which half of the slices are copied, where it is not there yet."""
    if not (folder / "raw").exists():
        # The layout's names do not tell the patient: the audit must see by itself what belongs together.
        run_stage(
            "phantom", output=folder / "raw", truth=folder / "truth.parquet", patients=patients, slices=5,
            seed=seed, copies=0.5, conflicts=20, layout="masoud", corrupt=0, empty=0, foreign_text=0,
        )  # fmt: skip
    truth = pd.read_parquet(folder / "truth.parquet")
    kind = truth["planted"].astype(object).where(truth["copy_of"].notna(), None)
    for row in np.flatnonzero(kind == "combined"):
        warped = json.loads(truth["transform"][row])["angle"] != 0
        kind[row] = "combined, affine" if warped else "combined, not affine"
    return truth[["image_id", "patient_id", "plane", "slice_index"]].assign(
        origin=truth["copy_of"].fillna(truth["image_id"]), kind=kind
    )


def distinct_images(archive: Path, folder: Path) -> list[Path]:
    """Unpack an archive, and return its files that are distinct by decoded pixels."""
    if not folder.exists():
        extract(archive, folder)
    first = {}
    for path in list_files(folder):
        if path.lower().endswith((".jpg", ".jpeg", ".png")):
            gray = decode_gray((folder / path).read_bytes(), path)
            digest = hashlib.sha256(repr(gray.shape).encode() + gray.tobytes()).digest()
            first.setdefault(digest, folder / path)
    return list(first.values())


def warped_set(folder: Path, originals: list[Path], copies: int, seed: int) -> pd.DataFrame:
    """Write all originals, and so many copies of some of them, the kinds of `STEPS` in turn."""
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(originals))[:copies]
    kinds = list(STEPS)
    tasks = [
        (int(index), kinds[number % len(kinds)], drawn(rng, STEPS[kinds[number % len(kinds)]]))
        for number, index in enumerate(chosen)
    ]
    return written(folder, originals, tasks, rng)


def curve_set(folder: Path, originals: list[Path], copies: int, seed: int) -> pd.DataFrame:
    """Write a set of one copy an original, `copies` for each rotation and zoom; the kind is that cell.

    No original is copied twice: a second copy would help to find the first.
    """
    rng = np.random.default_rng(seed)
    cells = [(rotation, zoom) for rotation in ROTATIONS for zoom in ZOOMS]
    copies = min(copies, len(originals) // len(cells))
    chosen = [originals[index] for index in rng.permutation(len(originals))[: copies * len(cells)]]
    tasks = []
    for index in range(len(chosen)):
        rotation, zoom = cells[index % len(cells)]
        angle = rotation * float(rng.choice([-1, 1]))
        tasks.append((index, f"{rotation:g}/{zoom:g}", PLAIN | {"angle": angle, "zoom": [zoom, zoom]}))
    return written(folder, chosen, tasks, rng)


def drawn(rng: np.random.Generator, steps: tuple[str, ...]) -> dict:
    """Return a random transform of these steps; its shift is a share of the sides."""
    transform = dict(PLAIN)
    if "mirror" in steps:
        transform["mirror"] = True
    if "turn" in steps:
        transform["turn"] = int(rng.choice([90, 180, 270]))
    if "affine" in steps:
        transform["angle"] = float(rng.uniform(-ROTATION, ROTATION))
        transform["zoom"] = rng.uniform(*ZOOM, 2).tolist()
        transform["shift"] = rng.uniform(-SHIFT, SHIFT, 2).tolist()
    if "tone" in steps:
        transform["gain"] = float(rng.uniform(0.8, 1.2))
        transform["offset"] = float(rng.uniform(-0.05, 0.05))
    return transform


def written(folder: Path, originals: list[Path], tasks: Iterable, rng: np.random.Generator) -> pd.DataFrame:
    """Write originals and copies, where they are not there yet, and return the table of the set.

    Parameters
    ----------
    folder
        Where to write `raw` and `truth.parquet`.
    originals
        Files of which the set holds one each.
    tasks
        (index of the original, kind, transform) of each copy.
    rng
        For the quality of the copies.
    """
    truth = folder / "truth.parquet"
    if truth.exists():
        return pd.read_parquet(truth)
    for label in {path.parent.name for path in originals}:
        (folder / "raw" / label).mkdir(parents=True, exist_ok=True)
    rows = []
    for index, path in enumerate(originals):
        name = f"{path.parent.name}/original_{index:05d}{path.suffix}"
        (folder / "raw" / name).write_bytes(path.read_bytes())
        rows.append({"image_id": name, "origin": name, "kind": None})
    for index, kind, transform in tasks:
        gray = decode_gray(originals[index].read_bytes(), str(originals[index]))
        height, width = gray.shape
        size = [height, width] if transform["turn"] in (90, 270) else [width, height]
        transform = transform | {"size": size, "shift": np.multiply(transform["shift"], size).tolist()}
        name = f"{originals[index].parent.name}/copy_{index:05d}.jpg"
        copy = toned(transformed(gray, transform), transform)
        (folder / "raw" / name).write_bytes(jpeg(copy, 1, int(rng.integers(75, 96))))
        rows.append({"image_id": name, "origin": rows[index]["image_id"], "kind": kind})
    table = pd.DataFrame(rows)
    table.to_parquet(truth)
    return table
