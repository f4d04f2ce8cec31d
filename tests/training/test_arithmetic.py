"""Which precision and layout a training runs in: measured once, remembered, and steady."""

import json
import signal

import pytest
import torch

from brainmri.errors import BrainmriError
from brainmri.models.build import build_model
from brainmri.training import arithmetic, choice, race
from brainmri.training.arithmetic import Arithmetic, allowed, in_arithmetic
from brainmri.training.choice import choose_arithmetic, fastest
from brainmri.training.interruption import Interrupted, Interruption
from brainmri.training.race import seconds_per_step
from brainmri.training.recipe import recipe_from

CPU = torch.device("cpu")
DENSE = {"image_size": 32, "cnn": {"channels": [4, 8]}, "batch_size": 4}


def network_of(**recipe):
    return build_model(recipe_from({"image_size": 32, **recipe}), 3)


@pytest.fixture
def bf16(monkeypatch):
    """Pretend that the processor multiplies bf16 numbers in hardware."""
    monkeypatch.setattr(arithmetic, "cpu_has_bf16", lambda: True)


@pytest.fixture
def raced(monkeypatch):
    """Replace the race by given times; return the list of the races that were held."""
    races = []

    def pretend(times):
        def race(network, candidates, device, images, size):
            races.append([str(candidate) for candidate in candidates])
            return dict(zip(races[-1], times, strict=True))

        monkeypatch.setattr(choice, "seconds_per_step", race)
        return races

    return pretend


def test_a_real_race_times_every_candidate_and_leaves_the_network_alone(bf16):
    network = network_of(**DENSE)
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    state = torch.get_rng_state()
    times = seconds_per_step(network, allowed(recipe_from(DENSE), CPU), CPU, 4, 32)
    layouts = ("channels last", "contiguous")
    assert set(times) == {f"{precision}, {layout}" for precision in ("fp32", "bf16") for layout in layouts}
    assert all(seconds > 0 for seconds in times.values())
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("has_bf16", [True, False])
def test_close_races_are_decided_by_the_rule_so_that_two_trainings_agree(monkeypatch, has_bf16):
    monkeypatch.setattr(arithmetic, "cpu_has_bf16", lambda: has_bf16)
    rule = f"{'bf16' if has_bf16 else 'fp32'}, channels last"
    candidates = allowed(recipe_from(DENSE), CPU)
    names = [str(candidate) for candidate in candidates]
    for shift in range(4):
        close = {name: 0.100 + 0.003 * ((place + shift) % len(names)) for place, name in enumerate(names)}
        assert str(fastest(candidates, close, CPU)) == rule
    other = next(name for name in names if name != rule)
    clear = dict.fromkeys(names, 0.1) | {other: 0.05}
    assert str(fastest(candidates, clear, CPU)) == other
    # Half the time, but of so short a step that the machine's mood decides.
    short = dict.fromkeys(names, 0.004) | {other: 0.002}
    assert str(fastest(candidates, short, CPU)) == rule


def test_the_choice_is_remembered_told_and_made_anew_for_another_network(bf16, raced, tmp_path):
    races, told = raced([0.1, 0.2, 0.3, 0.4]), []
    recipe = recipe_from(DENSE)
    first = choose_arithmetic(recipe, network_of(**DENSE), CPU, 10, tmp_path, told.append)
    again = choose_arithmetic(recipe, network_of(**DENSE), CPU, 10, tmp_path, told.append)
    assert first == again == Arithmetic("fp32", True)
    assert len(races) == 1
    assert "fp32, channels last" in told[0] and "100 ms" in told[0]
    wider = {**DENSE, "cnn": {"channels": [8, 8]}}
    choose_arithmetic(recipe_from(wider), network_of(**wider), CPU, 10, tmp_path, told.append)
    assert len(races) == 2


def test_all_studies_of_a_user_share_the_memory(bf16, raced, tmp_path, monkeypatch):
    races, told = raced([0.1, 0.2, 0.3, 0.4]), []
    recipe, network = recipe_from(DENSE), network_of(**DENSE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    for study in ("one", "other"):
        (tmp_path / study).mkdir()
        monkeypatch.chdir(tmp_path / study)
        choose_arithmetic(recipe, network, CPU, 10, None, print)
    assert len(races) == 1 and len(list((tmp_path / "home/brainmri/arithmetic").iterdir())) == 1
    # A place that takes no file costs the memory, not the training.
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert choose_arithmetic(recipe, network, CPU, 10, None, told.append) == Arithmetic("fp32", True)
    assert "not remembered" in told[0]


SPOILT = ["", "[]", "{}", json.dumps({"seconds_per_step": {"fp32, contiguous": "x"}})]


@pytest.mark.parametrize("content", SPOILT)
def test_a_spoilt_memory_is_measured_anew(bf16, raced, tmp_path, content):
    races = raced([0.1, 0.2, 0.3, 0.4])
    recipe, network = recipe_from(DENSE), network_of(**DENSE)
    choose_arithmetic(recipe, network, CPU, 10, tmp_path, print)
    (file,) = tmp_path.iterdir()
    file.write_text(content)
    assert choose_arithmetic(recipe, network, CPU, 10, tmp_path, print) == Arithmetic("fp32", True)
    assert len(races) == 2


class Hungry(torch.nn.Module):
    """A layer that fails with `error` in training on more than `most` images."""

    def __init__(self, most, error):
        super().__init__()
        self.most, self.error = most, error

    def forward(self, images):
        if len(images) > self.most:
            raise self.error
        return images


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("full"), RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED")]
)
def test_a_batch_too_large_for_the_memory_is_raced_in_halves(bf16, capsys, error):
    network = network_of(**DENSE)
    network.body.append(Hungry(3, error))
    times = seconds_per_step(network, allowed(recipe_from(DENSE), CPU), CPU, 9, 32)
    assert len(times) == 4
    assert "going on with 3 images at a time" in capsys.readouterr().err


class Filling(torch.nn.Module):
    """A layer on a device that four networks' copies fill up: only then five images are too many."""

    passes = 0

    def forward(self, images):
        Filling.passes += 1
        if Filling.passes > 4 and len(images) >= 5:
            raise torch.OutOfMemoryError("full")
        return images


def test_a_memory_that_fills_up_in_the_race_ends_no_training(bf16, capsys, monkeypatch):
    monkeypatch.setattr(race, "tried_images", lambda network, images, *_: images)
    network = network_of(**DENSE)
    network.body.append(Filling())
    assert len(seconds_per_step(network, allowed(recipe_from(DENSE), CPU), CPU, 8, 32)) == 4
    assert "going on with 4 images at a time" in capsys.readouterr().err


def test_an_end_while_the_network_is_compiled_is_no_failure_of_the_compiler(monkeypatch):
    def signalled(graph, inputs):
        signal.raise_signal(signal.SIGTERM)

    compiled = torch.nn.Module.compile
    monkeypatch.setattr(
        torch.nn.Module, "compile", lambda network, **named: compiled(network, backend=signalled)
    )
    with pytest.raises(Interrupted), Interruption():
        race.compiled_seconds(network_of(**DENSE), Arithmetic("fp32", True), CPU, 4, 32)


def test_an_arithmetic_that_nothing_runs_in_is_told_with_its_reason(bf16, tmp_path):
    network = network_of(**DENSE)
    network.body.append(Hungry(0, RuntimeError("no kernel for it\nand more")))
    with pytest.raises(BrainmriError, match=r"None of .* runs on cpu: no kernel for it$"):
        choose_arithmetic(recipe_from(DENSE), network, CPU, 10, tmp_path, print)
    # What `deterministic: true` forbids has advice of its own, given by who asked for it.
    network.body[-1].error = RuntimeError("x does not have a deterministic implementation")
    with pytest.raises(RuntimeError, match="deterministic"):
        choose_arithmetic(recipe_from(DENSE), network, CPU, 10, tmp_path, print)


def test_compiling_is_measured_once_so_that_a_resumed_training_decides_alike(raced, tmp_path, monkeypatch):
    """A pretended GPU, on which compiling takes a minute and saves a tenth of each step of half a second."""
    cuda, measured = torch.device("cuda"), []
    monkeypatch.setattr(choice, "device_name", str)
    monkeypatch.setattr(arithmetic.torch.cuda, "is_bf16_supported", lambda **_: True)
    monkeypatch.setattr(choice, "compiled_seconds", lambda *_: measured.append(1) or [60.0, 0.45])
    races, network = raced([0.5] * 6), network_of(**DENSE)
    recipe = recipe_from(DENSE)
    for steps, compiled in ((100, False), (1100, False), (1300, True), (1300, True), (1100, False)):
        chosen = choose_arithmetic(recipe, network, cuda, steps, tmp_path, print)
        assert chosen == Arithmetic("bf16", True, compiled)
    assert len(races) == len(measured) == 1
    # Several processes share the batch, and deterministic kernels take their own time.
    choose_arithmetic(recipe, network, cuda, 100, tmp_path, print, world=2)
    choose_arithmetic(recipe_from({**DENSE, "deterministic": True}), network, cuda, 100, tmp_path, print)
    assert len(races) == 3


def test_what_the_recipe_names_is_taken_without_a_race(raced, tmp_path):
    races, network = raced([]), network_of(**DENSE)
    recipe = recipe_from({**DENSE, "precision": "bf16", "layout": "contiguous"})
    assert choose_arithmetic(recipe, network, CPU, 10, tmp_path, print) == Arithmetic("bf16", False)
    assert races == []


@pytest.mark.parametrize("precision", ["fp16", "tf32"])
def test_what_needs_cuda_is_refused_on_a_cpu(precision):
    with pytest.raises(BrainmriError, match="needs CUDA"):
        allowed(recipe_from({**DENSE, "precision": precision}), CPU)


def test_tf32_is_allowed_inside_only():
    torch.backends.cuda.matmul.allow_tf32 = False
    with in_arithmetic("tf32", CPU):
        assert torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32
    with in_arithmetic("fp32", CPU):
        assert not torch.backends.cudnn.allow_tf32
