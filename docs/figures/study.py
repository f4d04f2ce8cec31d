"""The small study behind the pictures: a phantom set that goes through brainmri's own stages."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from brainmri.artefacts import read_json, read_parquet
from brainmri.audit.audit import audit
from brainmri.evaluation.evaluate import evaluate
from brainmri.evaluation.predict_split import predict_split
from brainmri.images.crop import crop
from brainmri.images.decode import decode_gray
from brainmri.images.inventory import inventory
from brainmri.images.layout import LayoutSettings
from brainmri.images.store import open_images
from brainmri.labels import CLASS_NAMES
from brainmri.sources.checksum import checksum
from brainmri.sources.phantom import phantom
from brainmri.splits.settings import SplitSettings
from brainmri.splits.split import split
from brainmri.training.recipe import recipe_from
from brainmri.training.train import train

PATIENTS = 160
SLICES = 5
SIZE = 64  # pixels a side that the network sees
THUMBNAIL = 32  # pixels a side that the nearest neighbour sees
# Small enough to be trained twice in a minute or two on two cores.
RECIPE = {
    "architecture": "cnn",
    "image_size": SIZE,
    "cnn": {"channels": [16, 32, 64, 64], "batch_norm": True},
    "head": {"hidden": [], "dropout": 0.3},
    "epochs": 40,
    "batch_size": 32,
    "optimizer": {"name": "adamw", "learning_rate": 0.002, "weight_decay": 0.01},
    "schedule": {"name": "cosine", "warmup_epochs": 1},
}


@dataclass(frozen=True)
class PhantomStudy:
    """Where the artefacts of the small study lie, and what was planted in its data set.

    Parameters
    ----------
    folder
        The folder of all that the stages made.
    truth
        The phantom generator's truth table, readable files alone.
    """

    folder: Path
    truth: pd.DataFrame

    def gray(self, image_id: str) -> np.ndarray:
        """Return an original image, decoded: shape (height, width), uint8."""
        return decode_gray((self.folder / "raw" / image_id).read_bytes())

    def images(self, size: int) -> np.ndarray:
        """Return the packed images, shape (N, size, size), uint8."""
        return open_images(self.folder / f"images_{size}.npy")

    def table(self, name: str) -> pd.DataFrame:
        """Return a Parquet artefact, such as ``history``."""
        return read_parquet(self.folder / f"{name}.parquet")

    def document(self, name: str) -> dict:
        """Return a JSON artefact, such as ``metrics``."""
        return read_json(self.folder / f"{name}.json")

    def originals(self) -> pd.DataFrame:
        """Return the truth about the images that are no planted copies."""
        return self.truth[self.truth["planted"].isna()].reset_index(drop=True)

    def largest(self, label: str, plane: str) -> pd.Series:
        """Return the truth about the original of a class and plane that shows the largest tumour."""
        table = self.originals()
        table = table[(table["label"] == label) & (table["plane"] == plane)]
        return table.loc[table["lesion_area"].idxmax()]

    def planted_pair(self, kind: str) -> tuple[pd.Series, pd.Series]:
        """Return an original and a planted copy of it that lie on two sides of the set's own split."""
        facts = self.truth.set_index("image_id", drop=False)
        copies = facts[(facts["planted"] == kind) & (facts["lesion_area"] > 0)]
        for _, copy in copies.sort_values("lesion_area", ascending=False).iterrows():
            original = facts.loc[copy["copy_of"]]
            if original["source_split"] != copy["source_split"]:
                return original, copy
        raise ValueError(f"the phantom set has no copy of kind {kind} across its split: draw more patients")

    def neighbours(self, label: str, plane: str) -> tuple[pd.Series, pd.Series]:
        """Return two slices of one patient, next to each other, the first with the largest tumour."""
        table = self.originals()
        table = table[(table["label"] == label) & (table["plane"] == plane)]
        table = table.sort_values("lesion_area", ascending=False)
        for _, first in table.iterrows():
            same = table[table["patient_id"] == first["patient_id"]]
            beside = same[(same["slice_index"] - first["slice_index"]).abs() == 1]
            if len(beside):
                return first, beside.iloc[0]
        raise ValueError(f"no patient of class {label} has two {plane} slices: draw more slices")

    def well_predicted(self, label: str) -> pd.Series:
        """Return the truth about the original of a class in the test part that the network is surest of."""
        table = self.table("predictions")
        table = table[table["image_id"].isin(self.originals()["image_id"])]
        table = table[(table["split"] == "test") & (table["label"] == label) & (table["predicted"] == label)]
        chosen = table.loc[table["confidence"].idxmax(), "image_id"]
        return self.truth.set_index("image_id", drop=False).loc[chosen]

    def manifest(self, protocol: str, seed: int) -> pd.DataFrame:
        """Return the manifest of a split, the excluded files left out; the stage `split` draws it."""
        path = self.folder / f"manifest_{protocol}_{seed}.parquet"
        if not path.exists():
            draw_manifest(self.folder, path, protocol, seed)
        table = read_parquet(path)
        return table[table["split"] != "excluded"].reset_index(drop=True)


def draw_manifest(folder: Path, path: Path, protocol: str, seed: int) -> None:
    """Run the stage `split`."""
    settings = SplitSettings(protocol=protocol, seed=seed)
    split(folder / "inventory.parquet", folder / "groups.parquet", path, settings, list(CLASS_NAMES))


def make_study(folder: Path) -> PhantomStudy:
    """Run every stage from the phantom set to the metrics of one network, and return where all lies.

    Parameters
    ----------
    folder
        An empty folder.
    """
    raw, files = folder / "raw", folder / "inventory.parquet"
    phantom(raw, folder / "truth.parquet", patients=PATIENTS, slices=SLICES)
    checksum("phantom", raw, folder / "checksums.parquet")
    layout = LayoutSettings(patient_pattern=r"(P[0-9]+)_")
    inventory(raw, folder / "checksums.parquet", files, layout)
    for size in (THUMBNAIL, SIZE):
        crop(raw, files, folder / f"images_{size}.npy", folder / f"crops_{size}.parquet", size)
    audit(files, folder / "duplicates.parquet", folder / "groups.parquet", folder / "audit.json")
    train_network(folder)
    truth = read_parquet(folder / "truth.parquet")
    return PhantomStudy(folder, truth[truth["status"] == "ok"].reset_index(drop=True))


def train_network(folder: Path) -> None:
    """Run `split`, `train` without and with augmentation, `predict_split` and `evaluate`."""
    manifest, images = folder / "manifest_grouped_0.parquet", folder / f"images_{SIZE}.npy"
    draw_manifest(folder, manifest, "grouped", 0)
    for augment, suffix in (("none", "_plain"), ("standard", "")):
        train(
            manifest,
            images,
            folder / f"model{suffix}.safetensors",
            folder / f"model{suffix}.json",
            folder / f"history{suffix}.parquet",
            recipe_from({**RECIPE, "augment": augment}),
            checkpoint_dir=folder / "checkpoints",
            device="cpu",
            threads=1,  # the same sums, whatever the number of cores
        )
    model, description = folder / "model.safetensors", folder / "model.json"
    predictions, calibration = folder / "predictions.parquet", folder / "calibration.json"
    predict_split(manifest, images, model, description, predictions, calibration, device="cpu")
    evaluate(predictions, calibration, folder / "metrics.json", "phantom", "grouped", "grouped", "cnn", 0)
