"""A training that was killed goes on where it was, and ends at the same bits."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from brainmri.training.callbacks import History, Run
from brainmri.training.checkpoint import Checkpoint
from brainmri.training.recipe import OptimizerSettings

BRAINMRI = Path(sys.executable).with_name("brainmri")
RECIPE = (
    '{"image_size": 32, "cnn": {"channels": [8, 16], "batch_norm": true, "dropout": 0.1}, "epochs": 12,'
    ' "head": {"hidden": 32}, "batch_size": 8, "augment": "standard", "early_stopping": {"patience": 11},'
    ' "optimizer": {"name": "adamw", "weight_decay": 0.01},'
    ' "schedule": {"name": "plateau", "patience": 1, "factor": 0.5}}'
)


def command(files, folder, checkpoints):
    manifest, images = files
    words = [BRAINMRI, "train", "--manifest", manifest, "--images", images, "--recipe", RECIPE]
    words += ["--model", folder / "model.safetensors", "--metadata", folder / "model.json"]
    words += ["--history", folder / "history.parquet", "--checkpoint_dir", checkpoints]
    return [*map(str, words), "--device", "cpu", "--threads", "1", "--seed", "3"]


@pytest.mark.slow
def test_a_killed_training_ends_at_the_same_bits(blob_files, tmp_path):
    whole, killed, checkpoints = tmp_path / "whole", tmp_path / "killed", tmp_path / "checkpoints"
    subprocess.run(command(blob_files, whole, checkpoints), check=True, capture_output=True)

    process = subprocess.Popen(
        command(blob_files, killed, checkpoints), stderr=subprocess.PIPE, text=True, bufsize=1
    )
    for line in process.stderr:
        if line.startswith("epoch 5/"):
            process.send_signal(signal.SIGKILL)
            break
    process.wait()
    assert process.returncode == -signal.SIGKILL
    assert not (killed / "model.safetensors").exists()

    done = subprocess.run(
        command(blob_files, killed, checkpoints), check=True, capture_output=True, text=True
    )
    assert "resuming after epoch" in done.stderr
    assert "epoch 1/" not in done.stderr
    assert (killed / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    timeless = ["seconds", "images_per_second"]
    first, second = (
        pd.read_parquet(folder / "history.parquet").drop(columns=timeless) for folder in (whole, killed)
    )
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    assert list(checkpoints.iterdir()) == []


@pytest.fixture
def run():
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=OptimizerSettings().learning_rate)
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    return Run(model, model, optimizer, scaler, epochs=4, steps=1, epoch=2, scores={"val_loss": 0.5})


def test_only_the_very_same_training_is_resumed(run, tmp_path, capsys):
    path, history = tmp_path / "one.pt", History()
    history.on_epoch_end(run)
    Checkpoint(path, "mark", [history]).on_epoch_end(run)
    weight = run.model.weight.detach().clone()
    with torch.no_grad():
        run.model.weight.zero_()
    run.epoch = 0

    assert not Checkpoint(path, "another mark", [History()]).resume(run)
    assert run.epoch == 0
    fresh = History()
    assert Checkpoint(path, "mark", [fresh]).resume(run)
    assert run.epoch == 2
    assert torch.equal(run.model.weight, weight)
    assert fresh.rows == [{"val_loss": 0.5}]


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04 half a file"])
def test_a_broken_checkpoint_starts_anew(run, tmp_path, capsys, content):
    path = tmp_path / "one.pt"
    path.write_bytes(content)
    assert not Checkpoint(path, "mark", []).resume(run)
    assert "starting anew" in capsys.readouterr().err


def test_a_checkpoint_is_plain_data(run, tmp_path):
    path = tmp_path / "one.pt"
    Checkpoint(path, "mark", [History()]).on_epoch_end(run)
    document = torch.load(path, weights_only=True)
    assert document["fingerprint"] == "mark"
    assert not list(tmp_path.glob(".*"))
    assert np.isfinite(document["model"]["weight"].numpy()).all()


def test_what_a_kill_left_half_written_is_removed_at_the_end(tmp_path):
    path = tmp_path / "one.pt"
    for name in ("one.pt", ".one.pt.123.tmp", ".other.pt.123.tmp"):
        (tmp_path / name).touch()
    Checkpoint(path, "fingerprint", []).remove()
    assert [left.name for left in tmp_path.iterdir()] == [".other.pt.123.tmp"]
