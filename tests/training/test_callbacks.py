"""Callbacks, told of epochs one by one."""

from types import SimpleNamespace

import pytest
import torch

from brainmri.models.classifier import Classifier
from brainmri.training.callbacks import EarlyStopping, KeepBest, Progress, TrainingState
from brainmri.training.recipe import EarlyStoppingSettings
from brainmri.training.scores import is_better, macro_f1


@pytest.fixture
def run():
    model = Classifier(torch.nn.Identity(), torch.nn.Linear(1, 1))
    return TrainingState(model, model, SimpleNamespace(param_groups=[{"lr": 0.1}]), None, epochs=10, steps=1)


def tell_epoch(run, callback, **scores):
    """End an epoch whose weights are its number."""
    run.epoch += 1
    run.scores = scores
    with torch.no_grad():
        run.model.head.weight.fill_(run.epoch)
    callback.on_epoch_end(run)


def test_the_weights_of_the_best_epoch_are_kept_not_those_of_the_last(run):
    best = KeepBest("val_loss")
    for loss in (0.5, 0.3, 0.4, 0.3):
        tell_epoch(run, best, val_loss=loss)
    assert best.best_epoch == 2
    assert best.weights["head.weight"].item() == 2
    assert run.model.head.weight.item() == 4


def test_a_score_that_rises_is_best_when_high_and_last_is_last(run):
    best, last = KeepBest("val_macro_f1"), KeepBest("last")
    for f1 in (0.5, 0.7, 0.6):
        tell_epoch(run, best, val_macro_f1=f1)
        last.on_epoch_end(run)
    assert (best.best_epoch, last.best_epoch) == (2, 3)


def test_early_stopping_waits_for_its_patience(run):
    stopping = EarlyStopping(EarlyStoppingSettings(patience=2, minimum_delta=0.05))
    for loss, stopped in ((1.0, False), (0.98, False), (0.9, False), (0.88, False), (0.86, True)):
        tell_epoch(run, stopping, val_loss=loss)
        assert run.stop is stopped


@pytest.mark.parametrize("kind", [KeepBest, EarlyStopping])
def test_a_restored_callback_goes_on_as_if_nothing_happened(run, kind):
    argument = "val_loss" if kind is KeepBest else EarlyStoppingSettings(patience=3)
    first, second = kind(argument), kind(argument)
    for loss in (0.5, 0.6):
        tell_epoch(run, first, val_loss=loss)
    second.restore(first.state())
    tell_epoch(run, first, val_loss=0.7)
    second.on_epoch_end(run)
    assert first.state() == second.state()


def test_nothing_is_better_than_nothing_but_nan():
    assert is_better("val_loss", 5.0, None)
    assert not is_better("val_loss", float("nan"), None)
    assert not is_better("val_accuracy", 0.5, 0.5)


def test_a_log_gets_one_line_an_epoch_and_no_bar(run, capsys):
    shown = Progress()
    shown.on_epoch_begin(run)
    shown.on_batch_end(run)
    names = ("train_loss", "val_loss", "train_accuracy", "val_accuracy", "val_macro_f1", "learning_rate")
    tell_epoch(run, shown, **dict.fromkeys(names, 0.25), seconds=2.0, images_per_second=100.0)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("epoch 1/10: train loss 0.2500")


def test_macro_f1_is_that_of_sklearn():
    import numpy as np
    from sklearn.metrics import f1_score

    generator = np.random.default_rng(0)
    labels, predicted = generator.integers(0, 4, (2, 200))
    assert macro_f1(labels, predicted, 4) == pytest.approx(f1_score(labels, predicted, average="macro"))
    # A class of which validation has no image says nothing about the model.
    assert macro_f1(np.array([0, 1]), np.array([0, 1]), 3) == 1
