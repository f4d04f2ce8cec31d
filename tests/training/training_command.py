"""The command line and the order of a training, for tests that start or kill one."""

import json
import sys
from pathlib import Path

from brainmri.images.box import CropSettings
from brainmri.training.order import TrainingOrder


def train_command(files, folder, checkpoints, recipe, seed=3, threads=1, devices=1):
    """Return the words of a training on the CPU of the files that `write_blobs` wrote."""
    manifest, images = files
    words = [Path(sys.executable).with_name("brainmri"), "train", "--manifest", manifest, "--images", images]
    words += ["--model", folder / "model.safetensors", "--metadata", folder / "model.json"]
    words += ["--history", folder / "history.parquet", "--checkpoint_dir", checkpoints]
    words += ["--cache_dir", checkpoints.with_name("arithmetic"), "--recipe", json.dumps(recipe)]
    words += ["--device", "cpu", "--threads", threads, "--devices", devices, "--seed", seed]
    return [str(word) for word in words]


def order_of(files, folder, recipe):
    """Return the order of a training on the CPU into a folder."""
    made = [folder / "run" / name for name in ("model.safetensors", "model.json", "history.parquet")]
    crop, weights, state, cache = CropSettings(), folder / "weights", folder / "state", folder / "cache"
    return TrainingOrder(*files, *made, recipe, 0, crop, weights, state, cache, "cpu", 2, 1, None)
