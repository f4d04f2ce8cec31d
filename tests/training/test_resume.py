"""A training that was killed goes on where it was, and ends at the same bits."""

import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from importlib import import_module
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pytest
import torch
from training_command import train_command

from brainmri.cli import main
from brainmri.training import checkpoint, conduct, loop, prepare
from brainmri.training.steps import take_step

RECIPE = {
    "image_size": 32,
    "cnn": {"channels": [8, 16], "batch_norm": True, "dropout": 0.1},
    "epochs": 12,
    "head": {"hidden": 32},
    "batch_size": 8,
    "augment": "standard",
    "early_stopping": {"patience": 11},
    "ema": 0.9,
    "linear_probe": {"epochs": 2},
    "optimizer": {"name": "adamw", "weight_decay": 0.01},
    "schedule": {"name": "plateau", "patience": 1, "factor": 0.5},
}


def assert_equal_results(folder, other):
    """Compare weights to the bit, and every column of the history but the times."""
    assert (folder / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()
    first, second = (
        pd.read_parquet(one / "history.parquet").drop(columns=["seconds", "images_per_second"])
        for one in (folder, other)
    )
    pd.testing.assert_frame_equal(first, second, check_exact=True)


@pytest.mark.slow
@pytest.mark.parametrize(("kill", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 75)])
def test_a_killed_training_ends_at_the_same_bits(blob_files, tmp_path, kill, status):
    whole, killed, checkpoints = tmp_path / "whole", tmp_path / "killed", tmp_path / "checkpoints"
    subprocess.run(train_command(blob_files, whole, checkpoints, RECIPE), check=True, capture_output=True)

    command = train_command(blob_files, killed, checkpoints, RECIPE)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, bufsize=1)
    for line in process.stderr:
        if line.startswith("epoch 5/"):
            process.send_signal(kill)
            break
    end = process.stderr.read()
    assert process.wait() == status, end
    assert not (killed / "model.safetensors").exists()
    assert ("the same command goes on from there" in end) is (kill == signal.SIGTERM)

    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "resuming after epoch" in done.stderr
    assert "epoch 1/" not in done.stderr
    assert_equal_results(killed, whole)
    assert list(checkpoints.iterdir()) == []


def trained_in_child(files, folder, checkpoints):
    """Train in a process that was forked with everything imported."""
    torch.set_num_threads(1)
    raise SystemExit(main(train_command(files, folder, checkpoints, KILLED)[1:]))


@pytest.mark.parametrize("step", [1, 4, 6, 9, 12])
def test_an_end_that_is_asked_for_comes_after_the_step(blob_files, tmp_path, monkeypatch, step):
    """Two epochs of six steps each: SIGTERM in the middle, at the end, and when all is done."""
    recipe = {**RECIPE, "epochs": 2, "precision": "fp32", "layout": "contiguous"}
    whole, left, checkpoints = tmp_path / "whole", tmp_path / "left", tmp_path / "checkpoints"
    assert main(train_command(blob_files, whole, checkpoints, recipe)[1:]) == 0
    taken = []

    def take_and_signal(run, *words):
        take_step(run, *words)
        if run.phase == "train":
            taken.append(1)
        if len(taken) == step:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(loop, "take_step", take_and_signal)
    status = main(train_command(blob_files, left, checkpoints, recipe)[1:])
    assert len(taken) == step
    assert status == (0 if step == 12 else 75)
    if status:
        assert main(train_command(blob_files, left, checkpoints, recipe)[1:]) == 0
    assert len(taken) == 12
    assert_equal_results(left, whole)


@pytest.mark.parametrize("moment", ["conduct.probe_head", "prepare.choose_arithmetic"])
def test_before_the_first_step_an_end_comes_at_once(blob_files, tmp_path, monkeypatch, capsys, moment):
    """Features of a large body take minutes, more than a cluster waits."""
    module, name = moment.split(".")
    module = import_module(f"brainmri.training.{module}")
    real = getattr(module, name)

    def signalled(*words, **named):
        signal.raise_signal(signal.SIGTERM)
        pytest.fail("the signal was waited with")

    monkeypatch.setattr(module, name, signalled)
    recipe = {**RECIPE, "epochs": 2}
    command = train_command(blob_files, tmp_path / "run", tmp_path / "checkpoints", recipe)[1:]
    assert main(command) == 75
    assert "stopped before the next step, as asked" in capsys.readouterr().err
    assert list((tmp_path / "checkpoints").iterdir()) == []
    monkeypatch.setattr(module, name, real)
    assert main(command) == 0


def raises_signal(*words, **named):
    """Stand in for a function that the signal comes into."""
    signal.raise_signal(signal.SIGTERM)
    pytest.fail("the signal was waited with")


def test_a_signal_while_the_state_is_read_leaves_it(left_in_the_middle, monkeypatch, capsys):
    """A reader that takes anything for a damaged file must not take an end for one."""
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.torch, "load", raises_signal)
        left_in_the_middle(status=75)
    assert "starting anew" not in capsys.readouterr().err
    left_in_the_middle()
    assert "resuming after epoch 0 of 2, step 4 of 6" in capsys.readouterr().err


def test_a_training_goes_on_in_its_arithmetic_wherever_its_choice_was_remembered(
    left_in_the_middle, tmp_path, monkeypatch, capsys
):
    shutil.rmtree(tmp_path / "arithmetic", ignore_errors=True)
    monkeypatch.setattr(prepare, "choose_arithmetic", lambda *words, **named: pytest.fail("chosen again"))
    left_in_the_middle()
    assert "resuming" in capsys.readouterr().err


def test_a_frozen_body_is_not_written_again_and_again(blob_files, tmp_path, monkeypatch):
    """It comes from the seed or from its file, and can be larger than all else."""
    recipe = {**RECIPE, "epochs": 4, "freeze_body": True, "linear_probe": {"epochs": 0}}
    whole, left, checkpoints = tmp_path / "whole", tmp_path / "left", tmp_path / "checkpoints"
    assert main(train_command(blob_files, whole, checkpoints, recipe)[1:]) == 0

    def stop_in_the_third(run, *words):
        take_step(run, *words)
        if (run.epoch, run.step) == (2, 3):
            signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "take_step", stop_in_the_third)
        assert main(train_command(blob_files, left, checkpoints, recipe)[1:]) == 75
    (file,) = checkpoints.glob("*.pt")
    state = torch.load(file, weights_only=True)
    kept = [state["model"], *(entry for one in state["callbacks"] for entry in one.values())]
    keys = [key for entry in kept if isinstance(entry, dict) for key in entry]
    assert keys and not any(key.startswith("body.") for key in keys)
    assert main(train_command(blob_files, left, checkpoints, recipe)[1:]) == 0
    assert_equal_results(left, whole)


@pytest.fixture
def left_in_the_middle(blob_files, tmp_path, monkeypatch):
    """Leave a training after four steps, and return a function that starts it again with changes."""
    recipe = {
        **RECIPE,
        "epochs": 2,
        "precision": "fp32",
        "layout": "contiguous",
        "linear_probe": {"epochs": 0},
    }
    folder, checkpoints = tmp_path / "run", tmp_path / "checkpoints"

    def stop_after_four(run, *words):
        take_step(run, *words)
        if run.step == 3:
            signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "take_step", stop_after_four)
        assert main(train_command(blob_files, folder, checkpoints, recipe)[1:]) == 75

    def go_on(seed=3, threads=1, status=0, **changes):
        changed = {**recipe, **changes}
        command = train_command(blob_files, folder, checkpoints, changed, seed=seed, threads=threads)
        assert main(command[1:]) == status

    return go_on


def other_images(files, monkeypatch):
    images = np.load(files[1])
    images[0, 0, 0] ^= 1
    np.save(files[1], images)


def other_manifest(files, monkeypatch):
    table = pd.read_parquet(files[0])
    table.loc[0, "label"], table.loc[0, "label_index"] = "meningioma", 1
    table.to_parquet(files[0])


def other_code(files, monkeypatch):
    monkeypatch.setattr(conduct, "inputs_digest", lambda paths: "of other code")


def other_weights(files, monkeypatch):
    monkeypatch.setattr(conduct, "weights_digest", lambda *words: "of other weights")


@pytest.mark.parametrize(
    ("change", "arguments"),
    [
        (None, {"label_smoothing": 0.1}),
        (None, {"augment": "none"}),
        (None, {"seed": 4}),
        (None, {"threads": 2}),
        (None, {"precision": "bf16"}),
        (other_images, {}),
        (other_manifest, {}),
        (other_code, {}),
        (other_weights, {}),
    ],
)
def test_what_was_changed_starts_anew(blob_files, left_in_the_middle, monkeypatch, capsys, change, arguments):
    if change is not None:
        change(blob_files, monkeypatch)
    left_in_the_middle(**arguments)
    told = capsys.readouterr().err
    assert "resuming" not in told
    assert "a state of other settings, data, code or libraries: starting anew" in told
    assert "epoch 1/2" in told


def test_what_was_not_changed_goes_on(left_in_the_middle, capsys):
    left_in_the_middle()
    assert "resuming after epoch 0 of 2, step 4 of 6" in capsys.readouterr().err


# Ten epochs of sixteen steps: long enough to be hit at any moment, short enough to be run twenty times.
KILLED = {**RECIPE, "epochs": 10, "batch_size": 3, "linear_probe": {"epochs": 0}}


@pytest.mark.slow
def test_twenty_kills_at_random_moments_change_nothing(blob_files, tmp_path):
    whole, killed, checkpoints = tmp_path / "whole", tmp_path / "killed", tmp_path / "checkpoints"
    forked = get_context("forkserver")
    forked.set_forkserver_preload(["brainmri.cli", "brainmri.training.train", "brainmri.training.conduct"])

    def started(folder):
        process = forked.Process(target=trained_in_child, args=(blob_files, folder, checkpoints))
        process.start()
        return process

    process = started(whole)
    process.join()
    assert process.exitcode == 0
    begun = time.monotonic()
    process = started(tmp_path / "again")
    process.join()
    duration = time.monotonic() - begun

    generator, kills = random.Random(0), Counter()
    while sum(kills.values()) < 20:
        process = started(killed)
        process.join(generator.uniform(0, duration))
        if process.exitcode is None:
            way = generator.choice([signal.SIGKILL, signal.SIGTERM])
            os.kill(process.pid, way)
            kills[way] += 1
        process.join()
        if process.exitcode == 0:
            assert_equal_results(killed, whole)
            shutil.rmtree(killed)
    process = started(killed)
    process.join()
    assert process.exitcode == 0
    assert len(kills) == 2
    assert_equal_results(killed, whole)
    assert list(checkpoints.iterdir()) == []
