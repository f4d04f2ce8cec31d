"""Two processes that train together: the result of one, and a state that either can leave and take up."""

import os
import signal
import subprocess
import time

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file
from training_command import train_command

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
    recipe = {**RECIPE, "epochs": 60}
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
    assert list(history["epoch"]) == list(range(1, 61))


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
