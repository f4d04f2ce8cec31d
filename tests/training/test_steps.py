"""One step of the optimiser: parts of a batch add up to the whole, and a full memory is made do with."""

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from brainmri.errors import BrainmriError
from brainmri.models.classifier import Classifier
from brainmri.models.memory import is_out_of_memory
from brainmri.training.averaging import AverageWeights
from brainmri.training.callbacks import Callback
from brainmri.training.criterion import Criterion
from brainmri.training.image_sources import ResidentImages
from brainmri.training.loop import fit
from brainmri.training.parts import Part, TrainingData, load_data
from brainmri.training.prepare import make_network, make_plan, make_run, probe_head
from brainmri.training.ranks import ALONE
from brainmri.training.recipe import recipe_from
from brainmri.training.scores import validate
from brainmri.training.steps import part_count, take_step

CPU = torch.device("cpu")
PLAIN = {
    "image_size": 32,
    "cnn": {"channels": [4, 8]},
    "epochs": 2,
    "batch_size": 16,
    "precision": "fp32",
    "layout": "channels_last",
    "optimizer": {"name": "sgd", "learning_rate": 0.05},
}


@pytest.fixture
def prepared(blob_files, tmp_path):
    """Return a function that prepares a network, its plan and its run for changes to a recipe."""

    def prepare(**changes):
        recipe = recipe_from({**PLAIN, **changes})
        data = load_data(*blob_files, recipe.image_size)
        network = make_network(data, recipe, 0, tmp_path)
        plan = make_plan(data, network, recipe, 0, CPU, tmp_path / "arithmetic", ALONE)
        return network, plan, make_run(network, plan)

    return prepare


def weights_after(prepared, callbacks=(), **changes):
    network, plan, run = prepared(**changes)
    fit(run, plan, callbacks)
    return network.state_dict(), run


@pytest.mark.parametrize(
    "changes", [{}, {"class_weights": "balanced"}, {"label_smoothing": 0.1, "gradient_clip": 0.5}]
)
@pytest.mark.parametrize("micro_batch", [1, 5, 16, 100])
def test_parts_of_a_batch_add_up_to_the_whole(prepared, changes, micro_batch):
    whole, plain = weights_after(prepared, **changes)
    parts, run = weights_after(prepared, micro_batch=micro_batch, **changes)
    for key, tensor in whole.items():
        torch.testing.assert_close(parts[key], tensor, rtol=1e-4, atol=1e-5)
    assert run.scores["train_loss"] == pytest.approx(plain.scores["train_loss"], rel=1e-4)
    assert run.scores["train_accuracy"] == pytest.approx(plain.scores["train_accuracy"])


@given(st.integers(2, 200), st.integers(1, 8), st.none() | st.integers(1, 64))
def test_all_processes_take_a_batch_in_equally_many_parts_none_of_them_empty(images, world, micro_batch):
    """Where batch norm asks the other processes, one part more in one of them would wait for ever."""
    assume(images >= world)
    parts = part_count(images, world, micro_batch)
    shares = [len(range(rank, images, world)) for rank in range(world)]
    assert 1 <= parts <= min(shares)
    largest = max(-(-share // parts) for share in shares)
    # A single image more where shares of one image and of two cannot be cut alike.
    assert micro_batch is None or largest <= max(micro_batch, -(-max(shares) // min(shares)))


def test_a_process_with_the_smaller_share_takes_as_many_parts_as_the_others(prepared):
    network, plan, run = prepared(micro_batch=8, gradient_clip=None)
    passes = []
    network.register_forward_hook(lambda module, inputs, output: passes.append(len(output)))
    object.__setattr__(plan, "ranks", SimpleNamespace(world=2, total=lambda values: values, rank=1))
    plan.feed.sizes = [17]
    run.start_sums(CPU)
    take_step(run, plan, torch.rand(8, 1, 32, 32), torch.zeros(8, dtype=torch.int64))
    assert passes == [4, 4]  # The first process has nine images, two parts of at most eight.


def small_memory(network, most, error):
    """Let the network fail with `error` on more than `most` images, as a full device does."""
    passes = []

    def check(module, inputs):
        passes.append(len(inputs[0]))
        if module.training and len(inputs[0]) > most:
            raise error

    network.register_forward_pre_hook(check)
    return passes


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_memory_that_runs_out_halves_the_batch_and_keeps_the_result(prepared, error, capsys):
    whole, _ = weights_after(prepared)
    network, plan, run = prepared()
    passes = small_memory(network, 5, error)
    fit(run, plan, [])
    for key, tensor in whole.items():
        torch.testing.assert_close(network.state_dict()[key], tensor, rtol=1e-4, atol=1e-5)
    assert run.micro_batch == 4
    assert passes[:4] == [16, 8, 4, 4]
    told = capsys.readouterr().err
    assert "for 16 images at a time: going on with 8" in told
    assert "batches of 16" in told


def test_memory_that_runs_out_while_a_batch_is_made_costs_no_batch(prepared, monkeypatch, capsys):
    whole, _ = weights_after(prepared)
    network, plan, run = prepared()
    made, full = plan.feed.training, [True]

    def training(epoch, first_step=0):
        for step, batch in enumerate(made(epoch, first_step), start=first_step):
            if (epoch, step) == (1, 1) and full:
                full.clear()
                raise torch.OutOfMemoryError("CUDA out of memory.")
            yield batch

    monkeypatch.setattr(plan.feed, "training", training)
    fit(run, plan, [])
    for key, tensor in whole.items():
        torch.testing.assert_close(network.state_dict()[key], tensor, rtol=1e-4, atol=1e-5)
    assert not full and run.micro_batch == 8
    assert "for 16 images at a time: going on with 8" in capsys.readouterr().err


@pytest.mark.parametrize(("free", "is_full"), [(5, True), (50, False)])
def test_no_algorithm_of_cudnn_means_a_full_memory_on_a_full_card_alone(monkeypatch, free, is_full):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (free, 100))
    for words in (
        "GET was unable to find an engine to execute this computation",
        "Unable to find a valid cuDNN algorithm to run convolution",
    ):
        assert is_out_of_memory(RuntimeError(words)) is is_full


def test_a_single_image_that_does_not_fit_is_a_sentence(prepared):
    network, plan, run = prepared()
    small_memory(network, 0, torch.OutOfMemoryError("CUDA out of memory."))
    with pytest.raises(BrainmriError, match="does not suffice for one image of 32 pixels"):
        fit(run, plan, [])


@pytest.mark.parametrize("freeze_body", [False, True])
def test_a_memory_too_small_for_evaluation_changes_nothing_but_the_batches(prepared, capsys, freeze_body):
    whole, plan, run = prepared(freeze_body=freeze_body)
    wanted = validate(whole, plan)
    network, plan, run = prepared(freeze_body=freeze_body)
    passes = []

    def check(module, inputs):
        passes.append(len(inputs[0]))
        if len(inputs[0]) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    plan.feed.part(network).register_forward_pre_hook(check)
    assert validate(run.evaluated, plan) == pytest.approx(wanted)
    assert passes[-4:] == [4, 4, 4, 3]
    assert "going on with 4 images at a time" in capsys.readouterr().err


def test_a_set_larger_than_the_memory_it_takes_is_trained_on(tmp_path):
    """A file of 400 MB: every image is read, and none stays."""
    count, size = 24_000, 128
    images = np.lib.format.open_memmap(tmp_path / "images.npy", "w+", np.uint8, (count, size, size))
    images[::1000] = 200
    images.flush()
    labels = np.arange(count) % 2
    part = Part(np.arange(count - 100), labels[:-100])
    val = Part(np.arange(count - 100, count), labels[-100:])
    data = TrainingData(np.load(tmp_path / "images.npy", mmap_mode="r"), part, val, ["a", "b"])
    recipe = recipe_from({**PLAIN, "image_size": size, "epochs": 1, "batch_size": 64, "augment": "standard"})
    # Convolutions would take a minute, and say nothing of the images' memory.
    body = torch.nn.Sequential(torch.nn.AvgPool2d(size // 4), torch.nn.Flatten())
    network = Classifier(body, torch.nn.Linear(16, 2), 0.0, 1.0)
    plan = make_plan(data, network, recipe, 0, CPU, tmp_path, ALONE)
    run, memory = make_run(network, plan), Memory()
    fit(run, plan, [memory])
    assert run.seen == count - 100
    assert max(memory.own) - memory.own[0] < images.nbytes / 4


class Memory(Callback):
    """Notes the memory of the process that is not a mapped file's."""

    def __init__(self):
        self.own = []

    def on_batch_end(self, run):
        status = Path("/proc/self/status").read_text()
        self.own.append(1024 * int(re.search(r"RssAnon:\s+(\d+)", status).group(1)))


def test_other_errors_are_not_taken_for_a_full_memory(prepared):
    network, plan, run = prepared()
    small_memory(network, 0, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes"):
        fit(run, plan, [])
    assert run.micro_batch is None


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, torch.tensor([0.5, 1.0, 2.0])])
@pytest.mark.parametrize("soft", [False, True])
def test_the_loss_of_parts_is_torchs_own_of_the_whole(smoothing, weights, soft):
    torch.manual_seed(0)
    logits, targets = torch.randn(12, 3), torch.arange(12) % 3
    if soft:
        targets = torch.rand(12, 3).softmax(dim=1)
    criterion = Criterion(weights, smoothing)
    wanted = torch.nn.functional.cross_entropy(logits, targets, weights, label_smoothing=smoothing)
    normaliser = criterion.normaliser(targets)
    parts = [criterion(logits[part], targets[part]) / normaliser for part in (slice(0, 5), slice(5, 12))]
    torch.testing.assert_close(sum(parts), wanted)


def test_the_loss_has_the_smoothing_and_the_class_weights_of_the_recipe(prepared, blob_files):
    table = pd.read_parquet(blob_files[0])
    table[(table["label"] != "glioma") | (table.index % 2 == 0)].to_parquet(blob_files[0])
    _, plan, _ = prepared(class_weights="balanced", label_smoothing=0.1)
    assert np.bincount(plan.data.train.labels).tolist() == [8, 16, 16]
    logits, targets = torch.randn(12, 3), torch.arange(12) % 3
    weights = torch.tensor([40 / 24, 40 / 48, 40 / 48])
    wanted = torch.nn.functional.cross_entropy(logits, targets, weights, label_smoothing=0.1)
    torch.testing.assert_close(plan.criterion(logits, targets) / plan.criterion.normaliser(targets), wanted)


def test_gradients_of_all_weights_together_are_clipped(prepared):
    network, plan, run = prepared(gradient_clip=0.01)
    before = [weights.detach().clone() for weights in network.parameters()]
    run.start_sums(CPU)
    take_step(run, plan, *next(iter(plan.feed.training(0))))
    moved = [(after.detach() - old).norm() for after, old in zip(network.parameters(), before, strict=True)]
    # The first step of SGD goes by the rate of 0.05 times the gradient.
    assert torch.stack(moved).norm().item() == pytest.approx(0.05 * 0.01, rel=0.01)


class Waits(Callback):
    """Notes each time that the host asks the device for a number, from an epoch's first step to its last."""

    def __init__(self, monkeypatch):
        self.asked = []
        for name in ("item", "tolist", "numpy", "cpu", "__float__", "__bool__", "__int__", "__index__"):
            kept = getattr(torch.Tensor, name)
            monkeypatch.setattr(
                torch.Tensor,
                name,
                lambda *words, kept=kept, name=name: self.asked.append(name) or kept(*words),
            )

    def on_epoch_begin(self, run):
        self.asked.clear()

    def on_batch_end(self, run):
        assert self.asked == []


@pytest.mark.parametrize("mixed", [{}, {"mixup": 0.2, "cutmix": 0.5}, {"class_weights": "balanced"}])
def test_nothing_waits_for_the_device_within_an_epoch(prepared, monkeypatch, mixed):
    """Neither the steps nor what makes the batches, as it does on a GPU."""
    network, plan, run = prepared(
        gradient_clip=1.0,
        optimizer={"name": "adamw"},
        epochs=1,
        cnn={"channels": [4], "batch_norm": True},
        augment={"rotation": 10, "contrast": 0.2, "brightness": 0.2, "noise": 0.1, "erase": 0.5},
        **mixed,
    )
    data = plan.data
    plan.feed.source = ResidentImages(data.images, np.concatenate([data.train.rows, data.val.rows]), CPU)
    fit(run, plan, [AverageWeights(network, 0.9), Waits(monkeypatch)])
    assert run.epoch == 1


def test_a_step_shortens_products_as_its_precision_says_backward_too(prepared):
    network, plan, run = prepared(epochs=1)
    seen = []
    first = next(network.body.parameters())
    first.register_hook(lambda _: seen.append(torch.backends.cudnn.allow_tf32))
    assert torch.backends.cudnn.allow_tf32
    for precision, shortened in (("fp32", False), ("bf16", True)):
        chosen = replace(plan, arithmetic=replace(plan.arithmetic, precision=precision))
        inputs, targets = next(iter(plan.feed.training(0)))
        run.start_sums(CPU)
        take_step(run, chosen, inputs, targets)
        assert seen.pop() is shortened and seen == []
    assert torch.backends.cudnn.allow_tf32


def test_a_frozen_body_runs_once_and_gives_the_same_head(prepared, monkeypatch):
    network, plan, run = prepared(freeze_body=True, epochs=3)
    passes = []
    network.body.register_forward_pre_hook(lambda module, inputs: passes.append(len(inputs[0])))
    fit(run, plan, [])
    assert passes == []
    assert run.steps == 3
    # The same batches as images: augmentation by nothing at all makes the feed one of images.
    monkeypatch.setattr("brainmri.training.prepare.can_cache_features", lambda recipe: False)
    other, slow_plan, slow = prepared(freeze_body=True, epochs=3)
    fit(slow, slow_plan, [])
    for key, tensor in network.state_dict().items():
        torch.testing.assert_close(tensor, other.state_dict()[key], rtol=1e-4, atol=1e-5)
    assert run.scores["val_loss"] == pytest.approx(slow.scores["val_loss"], rel=1e-4)


def test_a_linear_probe_trains_the_head_alone_and_counts_up_to_zero(prepared):
    network, plan, _ = prepared(linear_probe={"epochs": 3, "learning_rate": 0.01}, augment="standard")
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    rows = probe_head(network, plan)
    assert [(row["epoch"], row["phase"]) for row in rows] == [(-2, "probe"), (-1, "probe"), (0, "probe")]
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]
    assert rows[-1]["learning_rate"] < rows[0]["learning_rate"] < 0.01
    changed = {key for key, tensor in network.state_dict().items() if not torch.equal(tensor, before[key])}
    assert changed == {key for key in before if key.startswith("head.")}
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert replace(plan.recipe).freeze_body is False


def test_one_size_of_batches_is_compiled_and_all_else_runs_as_it_is(prepared, monkeypatch):
    """Each further size, and evaluation, would take the compiler's minute again."""
    graphs, real = [], torch.nn.Module.compile

    def counted(graph, inputs):
        graphs.append(len(inputs))
        return graph.forward

    monkeypatch.setattr(
        torch.nn.Module, "compile", lambda part, **named: real(part, backend=counted, **named)
    )
    compiled, _ = weights_after(prepared, compile=True)
    assert len(graphs) == 1
    plain, run = weights_after(prepared, compile=False)
    assert run.steps > 1 and len(run.model.state_dict()) == len(plain)
    for key, tensor in plain.items():
        torch.testing.assert_close(compiled[key], tensor, rtol=1e-4, atol=1e-5)
