"""Folders of damaged images, as a whole through checksum, inventory, crop and predict."""

import contextlib
import io
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from image_seeds import good_images
from mutation import mutated

from brainmri.images.crop import crop
from brainmri.images.inventory import inventory
from brainmri.images.store import open_images
from brainmri.mapping import settings_from
from brainmri.models.build import build_model
from brainmri.models.saved import save_model
from brainmri.models.settings import Design
from brainmri.predict import predict
from brainmri.sources.checksum import checksum

EACH = 10
SECONDS = 60


def prepare(folder: Path):
    """Return the attempt with a number."""
    good = good_images()
    raw, table = folder / "raw", folder / "inventory.parquet"
    design = settings_from(Design, {"image_size": 32, "cnn": {"channels": [4]}})
    torch.set_num_threads(1)
    model = build_model(design, 2)
    model.mean, model.std = 0.25, 0.2
    save_model(
        *(model, folder / "model.safetensors", folder / "model.json"),
        recipe=design,
        classes=["glioma", "no_tumor"],
        crop={},
        manifest_digest="0" * 64,
        facts={},
    )

    def attempt(number: int) -> str:
        rng = np.random.default_rng([6, number])
        shutil.rmtree(raw, ignore_errors=True)
        (raw / "glioma").mkdir(parents=True)
        for kind, data in good.items():
            (raw / "glioma" / f"good.{kind}").write_bytes(data)
            for index in range(EACH):
                (raw / "glioma" / f"{index:02}.{kind}").write_bytes(mutated(data, list(good.values()), rng))
        told, refused = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(refused):
            checksum("hostile", raw, folder / "checksums.parquet")
            inventory(raw, folder / "checksums.parquet", table)
            crop(raw, table, folder / "images_32.npy", folder / "crops_32.parquet", size=32)
            predict([raw], folder, folder / "predictions.csv", "cpu")
        rows = pd.read_parquet(table).set_index("image_id")
        usable = rows[rows["status"] == "ok"]
        assert len(rows) == len(good) * (EACH + 1)
        assert rows.loc[rows.index.str.contains("good"), "status"].eq("ok").all()
        assert rows.loc[rows["status"] != "ok", "reason"].str.len().between(6, 250).all()
        assert len(open_images(folder / "images_32.npy")) == len(usable)
        classified = {name.split("/")[-1] for name in pd.read_csv(folder / "predictions.csv")["image"]}
        assert classified == {path.split("/")[-1] for path in usable["path"]}
        lines = [line for line in refused.getvalue().splitlines() if line.startswith("brainmri predict: ")]
        assert len(lines) == len(rows) - len(usable)
        return "packed"

    return attempt
