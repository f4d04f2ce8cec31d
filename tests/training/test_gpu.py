"""What a GPU must do as a CPU does; each runs on the CPU as well, and on a GPU where there is one."""

import signal

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file
from training_command import train_command

from brainmri.cli import main
from brainmri.models.device import resolve_device
from brainmri.training import loop
from brainmri.training.augment import draw_transforms
from brainmri.training.augmented import finished, warped_by_opencv, warped_by_torch
from brainmri.training.image_sources import ResidentImages, StreamedImages
from brainmri.training.loop import train_epoch
from brainmri.training.parts import load_data
from brainmri.training.prepare import make_network, make_plan, make_run
from brainmri.training.ranks import ALONE
from brainmri.training.recipe import AugmentSettings, recipe_from
from brainmri.training.steps import take_step

DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
AUGMENT = {"horizontal_flip": 0.5, "rotation": 20, "zoom": [0.9, 1.1], "shift": 0.1, "crop": [0.8, 1.0]}
AUGMENT |= {"brightness": 0.2, "contrast": 0.2, "noise": 0.1, "erase": 0.5}
RECIPE = {
    "image_size": 32,
    "cnn": {"channels": [8, 16], "batch_norm": True, "dropout": 0.1},
    "epochs": 4,
    "batch_size": 8,
    "micro_batch": 4,
    "augment": AUGMENT,
    "mixup": 0.2,
    "ema": 0.9,
    "gradient_clip": 1.0,
    "optimizer": {"name": "adamw", "weight_decay": 0.01},
}


@pytest.fixture(params=DEVICES)
def device(request):
    return resolve_device(request.param)


@pytest.fixture
def prepared(blob_files, tmp_path, device):
    """Return a function that prepares the plan and the run of a recipe."""

    def prepare(**changes):
        recipe = recipe_from({**RECIPE, "precision": "fp32", "layout": "channels_last", **changes})
        data = load_data(*blob_files, recipe.image_size)
        network = make_network(data, recipe, 0, tmp_path)
        plan = make_plan(data, network, recipe, 0, device, tmp_path / "arithmetic", ALONE)
        return plan, make_run(network, plan)

    return prepare


def test_the_warp_is_opencvs(device):
    """To the tolerance that `augmented.py` states."""
    generator = np.random.default_rng(0)
    images = cv2.GaussianBlur(generator.integers(0, 256, (64, 64, 16), np.uint8), (0, 0), 1)
    images = np.ascontiguousarray(images.transpose(2, 0, 1))
    matrices = draw_transforms(generator, 16, 64, AugmentSettings(**AUGMENT)).matrices
    ours = warped_by_torch(torch.from_numpy(images).to(device), matrices).cpu().numpy()
    assert np.abs(ours - warped_by_opencv(images, np.arange(16), matrices)).max() <= 0.51


def test_what_follows_the_warp_is_the_cpus(device):
    """But for the noise, which each kind of device draws for itself."""
    images = np.random.default_rng(0).integers(0, 256, (16, 32, 32), np.uint8)
    settings = AugmentSettings(**{**AUGMENT, "noise": 0.0})
    transforms = draw_transforms(np.random.default_rng(1), 16, 32, settings)
    there, here = (
        finished(torch.from_numpy(images).to(place), transforms, 0.3, 0.2)
        for place in (device, torch.device("cpu"))
    )
    torch.testing.assert_close(there.cpu(), here, rtol=1e-5, atol=1e-5)


def test_resident_and_streamed_images_are_the_same_to_the_bit(prepared, device):
    plan, _ = prepared()
    rows = np.arange(len(plan.data.images))
    epochs = []
    for source in (
        ResidentImages(plan.data.images, rows, device),
        StreamedImages(plan.data.images, device),
    ):
        plan.feed.source = source
        epochs.append([(images.cpu(), targets.cpu()) for images, targets in plan.feed.training(0)])
    for (images, targets), (others, labels) in zip(*epochs, strict=True):
        assert torch.equal(images, others) and torch.equal(targets, labels)


def test_the_host_waits_for_nothing_within_an_epoch(prepared, device):
    plan, run = prepared(precision="fp32" if device.type == "cpu" else "bf16")
    train_epoch(run, plan, [])  # What torch sets up once may wait.
    run.step = 0
    if device.type == "cuda":
        torch.cuda.set_sync_debug_mode("error")
    try:
        train_epoch(run, plan, [])
    finally:
        if device.type == "cuda":
            torch.cuda.set_sync_debug_mode("default")
    assert float(run.loss_sum) / run.seen < 10


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("exact", [True, False])
def test_a_training_that_was_stopped_ends_as_one_that_was_not(
    blob_files, tmp_path, monkeypatch, device, half, exact
):
    """To the bit with `deterministic: true`; without, losses within a hundredth (on a CPU to the bit too)."""
    precision = "fp32" if not half else "fp16" if device.type == "cuda" else "bf16"
    recipe = {**RECIPE, "precision": precision, "layout": "channels_last", "deterministic": exact}
    whole, left = tmp_path / "whole", tmp_path / "left"

    def trained(folder):
        words = train_command(blob_files, folder, tmp_path / "state", recipe)[1:]
        words[words.index("--device") + 1] = device.type
        return main(words)

    def stop_in_the_third(run, *words):
        take_step(run, *words)
        if (run.epoch, run.step) == (2, 3):
            signal.raise_signal(signal.SIGTERM)

    assert trained(whole) == 0
    with monkeypatch.context() as patch:
        patch.setattr(loop, "take_step", stop_in_the_third)
        assert trained(left) == 75
    assert trained(left) == 0
    histories = [pd.read_parquet(folder / "history.parquet") for folder in (whole, left)]
    if exact or device.type == "cpu":
        weights = [load_file(folder / "model.safetensors") for folder in (whole, left)]
        assert all(np.array_equal(weights[0][key], weights[1][key]) for key in weights[0])
    for column in ("train_loss", "val_loss"):
        np.testing.assert_allclose(histories[1][column], histories[0][column], rtol=1e-2)


if torch.cuda.is_available():

    def test_a_full_gpu_halves_the_batch(prepared, capsys):
        plan, run = prepared(micro_batch=None, batch_size=32, cnn={"channels": [512, 512]})
        _, total = torch.cuda.mem_get_info()
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_allocated() + 150 * 2**20) / total)
        try:
            train_epoch(run, plan, [])
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
        assert "the memory does not suffice" in capsys.readouterr().err
