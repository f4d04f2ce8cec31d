"""Which precision and layout a training runs in: measured once, remembered, and steady."""

import json

import pytest
import torch

from brainmri.errors import BrainmriError
from brainmri.models.build import build_model
from brainmri.training import arithmetic, choice
from brainmri.training.arithmetic import Arithmetic, allowed, in_arithmetic
from brainmri.training.choice import choose_arithmetic, fastest
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
