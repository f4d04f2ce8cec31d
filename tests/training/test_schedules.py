"""Schedules against torch's own, and against their formulas."""

import math
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from brainmri.training.callbacks import TrainingState
from brainmri.training.recipe import ScheduleSettings
from brainmri.training.schedules import Schedule, rate_at


def optimizer(rate=0.1):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)


def run_with(losses, settings, steps=4, rate=0.1):
    """Return the rate of each epoch's last step, under a schedule that is told these validation losses."""
    mine = optimizer(rate)
    schedule = Schedule(settings, [rate])
    run = TrainingState(SimpleNamespace(), None, mine, None, epochs=len(losses), steps=steps)
    rates = []
    for loss in losses:
        for run.step in range(steps):
            schedule.on_batch_begin(run)
        rates.append(run.learning_rate)
        run.scores = {"val_loss": loss}
        run.epoch += 1
        schedule.on_epoch_end(run)
    return rates


def test_step_is_torchs_step():
    theirs = optimizer()
    reference = torch.optim.lr_scheduler.StepLR(theirs, step_size=4, gamma=0.2)
    expected = []
    for _ in range(12):
        expected.append(theirs.param_groups[0]["lr"])
        theirs.step()
        reference.step()
    found = run_with([1.0] * 12, ScheduleSettings(name="step", step_epochs=4, factor=0.2))
    assert found == pytest.approx(expected)


@settings(deadline=None)
@given(st.lists(st.floats(0, 10), min_size=1, max_size=30), st.integers(0, 3))
def test_plateau_is_torchs_plateau(losses, patience):
    theirs = optimizer()
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(
        theirs, factor=0.3, patience=patience, threshold=0.0, eps=0.0
    )
    expected = []
    for loss in losses:
        expected.append(theirs.param_groups[0]["lr"])
        reference.step(loss)
    found = run_with(losses, ScheduleSettings(name="plateau", factor=0.3, patience=patience))
    assert found == pytest.approx(expected)


def test_every_batch_has_its_rate_and_every_group_its_own():
    wanted = ScheduleSettings(name="cosine", warmup_epochs=0.5)
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in (0.001, 0.1)]
    schedule = Schedule(wanted, [0.001, 0.1])
    run = TrainingState(SimpleNamespace(), None, torch.optim.SGD(groups), None, epochs=2, steps=4)
    for run.step in range(4):
        schedule.on_batch_begin(run)
        share = rate_at(wanted, 1.0, (run.step + 0.5) / 4, 2)  # in the middle of the step
        rates = [group["lr"] for group in run.optimizer.param_groups]
        assert rates == pytest.approx([0.001 * share, 0.1 * share])


def test_plateau_can_watch_a_score_that_rises():
    wanted = ScheduleSettings(name="plateau", monitor="val_accuracy", patience=0, factor=0.5)
    schedule = Schedule(wanted, [0.1])
    run = TrainingState(SimpleNamespace(), None, optimizer(), None, epochs=3, steps=1)
    for accuracy, reductions in ((0.5, 0), (0.6, 0), (0.6, 1)):
        run.scores = {"val_accuracy": accuracy}
        schedule.on_epoch_end(run)
        assert schedule.reductions == reductions


def test_plateau_can_watch_the_training_part():
    schedule = Schedule(ScheduleSettings(name="plateau", monitor="train_loss", patience=0, factor=0.5), [0.1])
    run = TrainingState(SimpleNamespace(), None, optimizer(), None, epochs=2, steps=1)
    for train_loss, val_loss, reductions in ((0.5, 0.1, 0), (0.4, 0.2, 0), (0.4, 0.1, 1)):
        run.scores = {"train_loss": train_loss, "val_loss": val_loss}
        schedule.on_epoch_end(run)
        assert schedule.reductions == reductions


def test_cosine_falls_from_the_base_to_the_minimum():
    wanted = ScheduleSettings(name="cosine", minimum_learning_rate=0.01)
    assert rate_at(wanted, 0.1, 0, 10) == 0.1
    assert rate_at(wanted, 0.1, 5, 10) == pytest.approx(0.055)
    assert rate_at(wanted, 0.1, 2.5, 10) == pytest.approx(0.01 + 0.09 * (1 + math.cos(math.pi / 4)) / 2)
    assert rate_at(wanted, 0.1, 10, 10) == pytest.approx(0.01)


@pytest.mark.parametrize("name", ["constant", "step", "plateau", "cosine"])
def test_warm_up_rises_linearly_and_then_is_gone(name):
    wanted = ScheduleSettings(name=name, warmup_epochs=2, step_epochs=4)
    without = ScheduleSettings(name=name, step_epochs=4)
    if name != "cosine":  # whose cosine starts after the warm-up
        assert rate_at(wanted, 0.1, 1, 8) == pytest.approx(0.5 * rate_at(without, 0.1, 1, 8))
        assert rate_at(wanted, 0.1, 5, 8) == rate_at(without, 0.1, 5, 8)
    assert rate_at(wanted, 0.1, 0.5, 8) == pytest.approx(0.025)
    assert rate_at(wanted, 0.1, 2, 8) == pytest.approx(0.1)


@settings(deadline=None)
@given(st.floats(0, 8), st.sampled_from(["constant", "step", "plateau", "cosine"]))
def test_rates_stay_between_the_minimum_and_the_base(time, name):
    wanted = ScheduleSettings(name=name, minimum_learning_rate=0.01, step_epochs=1)
    assert 0.01 - 1e-12 <= rate_at(wanted, 0.1, time, 8, reductions=3) <= 0.1 + 1e-12
    # A body that is trained at less than the minimum is not raised to it.
    assert rate_at(wanted, 0.001, time, 8) <= 0.001


def test_a_warm_up_longer_than_the_training_is_no_error():
    wanted = ScheduleSettings(name="cosine", warmup_epochs=20)
    assert rate_at(wanted, 0.1, 5, 10) == pytest.approx(0.025)
