"""Two processes that train together: the result of one, and a state that either can leave and take up."""

import json
import os
import signal
import socket
import subprocess
import time

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file
from training_command import order_of, train_command

from brainmri.models.build import build_model
from brainmri.training import conduct, prepare, steps, together
from brainmri.training.arithmetic import Arithmetic
from brainmri.training.conduct import fingerprint
from brainmri.training.interruption import Interrupted
from brainmri.training.ranks import Ranks
from brainmri.training.recipe import recipe_from
from brainmri.training.together import one_of_them

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


def train_as_one_of_two(rank, order, folder, port):
    """Train as one of two processes that would choose different arithmetics; keep what it did."""
    os.environ |= {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
    torch.distributed.init_process_group("gloo", rank=rank, world_size=2)
    prepare.choose_arithmetic = lambda *words, **named: Arithmetic("fp32", channels_last=rank == 0)
    seen, fit = {}, conduct.fit

    def fit_and_keep(run, plan, callbacks):
        fit(run, plan, callbacks)
        seen.update(arithmetic=plan.arithmetic, **run.evaluated.state_dict())

    conduct.fit = fit_and_keep
    conduct.conduct(order, Ranks(rank, 2))
    torch.save(seen, folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()


def test_two_processes_agree_whatever_each_would_have_chosen(blob_files, tmp_path):
    """Batch norm, whose statistics each takes of its own share, and an arithmetic that is to be found."""
    recipe = recipe_from({**RECIPE, "cnn": {"channels": [8, 16], "batch_norm": True}, "ema": 0.5})
    order = order_of(blob_files, tmp_path, recipe)
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(train_as_one_of_two, (order, tmp_path, port), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=False) for rank in (0, 1))
    assert first.pop("arithmetic") == second.pop("arithmetic") == Arithmetic("fp32", channels_last=True)
    assert any("running_mean" in key for key in first)
    for key, tensor in first.items():
        assert torch.equal(second[key], tensor), key


def one_with_little_memory(order):
    """Train as one of two; the device of the second holds four images, from epoch 2 on two. Stop there."""
    real = steps.add_gradients

    def add_gradients(run, plan, inputs, targets):
        room = 2 if run.epoch else 4
        if plan.ranks.rank == 1 and (run.micro_batch or len(inputs)) > room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        if plan.ranks.rank == 0 and run.phase == "train" and (run.epoch, run.step) == (1, 1):
            os.kill(os.getppid(), signal.SIGTERM)
        return real(run, plan, inputs, targets)

    steps.add_gradients = add_gradients
    one_of_them(order)


def test_where_one_device_is_full_all_go_on_in_smaller_parts_and_so_after_a_stop(
    blob_files, tmp_path, monkeypatch, capfd
):
    recipe = recipe_from({**RECIPE, "linear_probe": {"epochs": 1}})
    whole = order_of(blob_files, tmp_path / "whole", recipe)
    together.train_together(whole)
    parts = order_of(blob_files, tmp_path / "parts", recipe)
    # As where the machine's own name does not resolve.
    monkeypatch.setattr(socket, "getfqdn", lambda *_: "nowhere.invalid")
    with monkeypatch.context() as little, pytest.raises(Interrupted):
        little.setattr(together, "one_of_them", one_with_little_memory)
        together.train_together(parts)
    together.train_together(parts)
    told = capfd.readouterr().err
    for before, after in ((8, 4), (4, 2)):
        assert f"for {before} images at a time on each of 2 devices: going on with {after}" in told
    assert told.count("resuming after epoch 1 of 3") == 2
    assert "Traceback" not in told
    assert json.loads(parts.metadata.read_text())["micro_batch"] == 2
    first, second = (load_file(order.model) for order in (whole, parts))
    for key, weights in first.items():
        np.testing.assert_allclose(second[key], weights, rtol=1e-3, atol=1e-5, err_msg=key)


def test_two_gpus_know_the_same_training_by_one_mark(blob_files, tmp_path):
    order = order_of(blob_files, tmp_path, recipe_from({**RECIPE, "precision": "fp32"}))
    marks = {fingerprint(order, torch.device(f"cuda:{rank}"), Ranks(rank, 2), None) for rank in (0, 1)}
    assert len(marks) == 1 and fingerprint(order, torch.device("cpu"), Ranks(0, 2), None) not in marks


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
