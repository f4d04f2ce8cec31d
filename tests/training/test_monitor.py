"""What a training can be watched by: every epoch once, and no figure that is not known."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer import event_file_writer

from brainmri.training.callbacks import TrainingState
from brainmri.training.monitor import TAGS, DeviceUsage, TensorBoardEvents, peak_resident_bytes
from brainmri.training.ranks import Ranks

CUDA = torch.device("cuda", 0)


@pytest.fixture
def run(monkeypatch):
    # TensorBoard reads the files of one second in the order of this number as text: 9 comes after 10.
    monkeypatch.setattr(event_file_writer, "_global_uid", event_file_writer.AtomicCounter(0))
    return TrainingState(None, None, None, None, epochs=10, steps=1)


def train_epochs(run, events, count, offset=0.0):
    for _ in range(count):
        events.on_epoch_begin(run)
        run.epoch += 1
        run.scores = dict.fromkeys(TAGS.values(), offset + run.epoch)
        events.on_epoch_end(run)


def points(folder, tag="loss/val"):
    """Return what TensorBoard shows: (epoch, value)."""
    shown = EventAccumulator(str(folder)).Reload()
    return [(event.step, event.value) for event in shown.Scalars(tag)]


def test_every_score_of_every_epoch_is_shown_at_once(tmp_path, run):
    events = TensorBoardEvents(tmp_path)
    train_epochs(run, events, 2)
    # Not closed: a training is watched while it runs.
    for tag in TAGS:
        assert points(tmp_path, tag) == [(1, 1.0), (2, 2.0)]
    events.close()
    events.close()


def test_no_epoch_is_shown_twice_after_a_kill_before_its_checkpoint(tmp_path, run):
    train_epochs(run, TensorBoardEvents(tmp_path), 3)
    resumed = TrainingState(None, None, None, None, epochs=10, steps=1, epoch=2)
    train_epochs(resumed, TensorBoardEvents(tmp_path), 2, offset=0.5)
    assert points(tmp_path) == [(1, 1.0), (2, 2.0), (3, 3.5), (4, 4.5)]


def test_a_training_from_the_start_shows_nothing_of_the_one_before(tmp_path, run):
    train_epochs(run, TensorBoardEvents(tmp_path), 3)
    train_epochs(
        TrainingState(None, None, None, None, epochs=10, steps=1), TensorBoardEvents(tmp_path), 1, offset=0.5
    )
    assert points(tmp_path) == [(1, 1.5)]


def test_tensorboard_is_imported_only_where_it_is_used():
    code = "import sys, brainmri.training.monitor; sys.exit('tensorboard' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_on_a_cpu_memory_is_known_and_energy_is_not():
    usage = DeviceUsage(torch.device("cpu"))
    before = usage.peak_memory()
    ballast = bytearray(peak_resident_bytes())
    ballast[::4096] = bytes([1]) * len(ballast[::4096])
    assert usage.peak_memory() > 1.5 * before
    del ballast
    assert usage.facts() == {"peak_memory_bytes": usage.peak_memory(), "energy_joules": None}


class Refusal(Exception):
    """The fake's NVMLError."""


@pytest.fixture
def card(monkeypatch):
    """Put a card with an energy counter in place of CUDA and NVML; return its changeable state."""
    card = SimpleNamespace(millijoules=5_000_000, peak=700, refuses=False, asked=None)

    def handle_by_uuid(uuid):
        card.asked = uuid
        return "handle"

    def consumption(handle):
        if card.refuses:
            raise Refusal("Not Supported")
        return card.millijoules

    nvml = SimpleNamespace(
        NVMLError=Refusal,
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID=handle_by_uuid,
        nvmlDeviceGetTotalEnergyConsumption=consumption,
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="12-ab"))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: card.peak)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: None)
    return card


def test_energy_is_what_the_card_has_used_since_the_start(card):
    usage = DeviceUsage(CUDA)
    card.millijoules += 1500
    assert usage.facts() == {"peak_memory_bytes": 700, "energy_joules": 1.5}
    assert card.asked == "GPU-12-ab"


def test_a_resumed_training_counts_what_it_used_before(card):
    first = DeviceUsage(CUDA)
    card.millijoules += 2000
    state = first.state()
    card.millijoules += 9000  # whatever the card did in between
    card.peak = 500
    second = DeviceUsage(CUDA)
    second.restore(state)
    card.millijoules += 500
    assert second.facts() == {"peak_memory_bytes": 700, "energy_joules": 2.5}


def test_a_part_that_is_unknown_makes_the_sum_unknown(card):
    usage = DeviceUsage(CUDA)
    usage.restore({"peak_memory_bytes": 900, "energy_joules": None})
    assert usage.facts() == {"peak_memory_bytes": 900, "energy_joules": None}


def test_what_several_devices_used_is_added_once(card):
    first, second = (DeviceUsage(CUDA, Ranks(rank, 2)) for rank in (0, 1))
    for usage in (first, second):
        usage.restore({"peak_memory_bytes": 900, "energy_joules": 10.0})
    card.millijoules += 500
    told = [(usage.peak_memory(), usage.energy()) for usage in (first, second)]
    both = SimpleNamespace(told=lambda own: told)
    first.ranks = both
    assert first.facts() == {"peak_memory_bytes": 900, "energy_joules": 11.0}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_card_that_refuses_to_tell_stops_nothing(card, when):
    card.refuses = when == "before"
    usage = DeviceUsage(CUDA)
    card.refuses = True
    assert usage.energy() is None


def test_without_nvml_nothing_is_told(card, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert DeviceUsage(CUDA).energy() is None
