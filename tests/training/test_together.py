"""Two processes that train together: the result of one, and a state that either can leave and take up."""

import os
import signal
import subprocess
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file
from training_command import train_command

from brainmri.models.build import build_model
from brainmri.training.conduct import fingerprint
from brainmri.training.order import TrainingOrder
from brainmri.training.parts import load_data
from brainmri.training.prepare import make_network, make_plan
from brainmri.training.ranks import ALONE, Ranks
from brainmri.training.recipe import recipe_from

RECIPE = {
    "image_size": 32,
    "cnn": {"channels": [8, 16]},
    "head": {"hidden": 16},
    "epochs": 3,
    "batch_size": 16,
    "augment": "standard",
    "class_weights": "balanced",
    "label_smoothing": 0.1,
    "precision": "fp32",
    "layout": "channels_last",
    "optimizer": {"name": "sgd", "learning_rate": 0.05},
}

pytestmark = pytest.mark.slow


def completed(command):
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_two_processes_give_the_result_of_one(blob_files, tmp_path):
    for name, devices in (("one", 1), ("two", 2)):
        command = train_command(blob_files, tmp_path / name, tmp_path / "state", RECIPE, devices=devices)
        done = completed(command)
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("epoch 3/3") == 1
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    for key, weights in one.items():
        # Sums in another order differ by rounding; three epochs of steps carry that on.
        np.testing.assert_allclose(two[key], weights, rtol=1e-3, atol=1e-5, err_msg=key)
    histories = [pd.read_parquet(tmp_path / name / "history.parquet") for name in ("one", "two")]
    for column in ("train_loss", "val_loss", "train_accuracy", "val_accuracy", "val_macro_f1"):
        np.testing.assert_allclose(histories[1][column], histories[0][column], rtol=1e-4, err_msg=column)
    assert list((tmp_path / "state").iterdir()) == []


def test_two_processes_stop_and_go_on_together(blob_files, tmp_path):
    recipe = {**RECIPE, "epochs": 60, "linear_probe": {"epochs": 1}}
    command = train_command(blob_files, tmp_path / "run", tmp_path / "state", recipe, devices=2)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    for line in process.stderr:
        if line.startswith("epoch 4/"):
            process.send_signal(signal.SIGTERM)
            break
    told = process.stderr.read()
    assert process.wait() == 75, told
    assert "the same command goes on from there" in told
    assert no_process_of(process.pid)
    done = completed(train_command(blob_files, tmp_path / "run", tmp_path / "state", recipe, devices=2))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("resuming after epoch") == 1
    assert "epoch 3/" not in done.stderr
    history = pd.read_parquet(tmp_path / "run" / "history.parquet")
    assert list(history["epoch"]) == [0, *range(1, 61)]
    # Of the epoch that was left in the middle, only the images after it count.
    assert (history["images_per_second"] > 0).all()


def test_two_processes_agree_whatever_each_would_have_chosen(blob_files, tmp_path):
    """Batch norm, whose statistics each takes of its own share, and an arithmetic that is to be found."""
    free = {key: value for key, value in RECIPE.items() if key not in ("precision", "layout")}
    recipe = {**free, "cnn": {"channels": [8, 16], "batch_norm": True}, "ema": 0.5}
    command = train_command(blob_files, tmp_path / "run", tmp_path / "state", recipe, devices=2)
    done = completed(command)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("arithmetic: ") == 1


def test_two_gpus_know_the_same_training_by_one_mark(blob_files, tmp_path):
    recipe = recipe_from(RECIPE)
    data = load_data(*blob_files, recipe.image_size)
    network = make_network(data, recipe, 0, tmp_path)
    plan = make_plan(data, network, recipe, 0, torch.device("cpu"), tmp_path, ALONE)
    order = TrainingOrder(*blob_files, *[tmp_path / "x"] * 3, recipe, 0, None, tmp_path, *[None] * 6)
    marks = {fingerprint(order, replace(plan, device=torch.device(f"cuda:{rank}"))) for rank in (0, 1)}
    assert len(marks) == 1 and fingerprint(order, plan) not in marks


def test_common_statistics_keep_the_activations_of_batch_norm(monkeypatch):
    network = build_model(recipe_from({"architecture": "mobilenetv3_small_050", "image_size": 32}), 3).eval()
    images = torch.rand(2, 1, 32, 32)
    with torch.no_grad():
        before = network(images)
        shared = Ranks(0, 2).with_common_statistics(network, torch.device("cuda"))
        assert shared is network
        torch.testing.assert_close(shared(images), before)
    kinds = {type(module).__name__ for module in network.modules()}
    assert "SyncBatchNormAct" in kinds and not any(name.startswith("BatchNorm") for name in kinds)


def no_process_of(session):
    """Say whether every process of a session has ended, within ten seconds."""
    for _ in range(100):
        try:
            os.killpg(session, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"batch_size": 1}, "less than one image for each of the 2 devices"),
        ({"image_size": 64}, "holds images of 32 pixels; the recipe wants image_size 64"),
    ],
)
def test_what_is_wrong_is_told_once_in_a_sentence(blob_files, tmp_path, change, words):
    command = train_command(blob_files, tmp_path / "run", tmp_path / "state", {**RECIPE, **change}, devices=2)
    done = completed(command)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()
