"""The file that holds the state of a training: what is in it, and what is made of a broken one."""

from threading import Event

import numpy as np
import pytest
import torch
from helpers import Trap

from brainmri.errors import BrainmriError
from brainmri.models.classifier import Classifier
from brainmri.training import checkpoint
from brainmri.training.callbacks import History, TrainingState
from brainmri.training.checkpoint import Checkpoint
from brainmri.training.recipe import OptimizerSettings


@pytest.fixture
def run():
    model = Classifier(torch.nn.Identity(), torch.nn.Linear(2, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=OptimizerSettings().learning_rate)
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    return TrainingState(
        model, model, optimizer, scaler, epochs=4, steps=1, epoch=2, scores={"val_loss": 0.5}
    )


def test_only_the_very_same_training_is_resumed(run, tmp_path, capsys):
    path, history = tmp_path / "one.pt", History()
    history.on_epoch_end(run)
    Checkpoint(path, "mark", [history]).on_epoch_end(run)
    weight = run.model.head.weight.detach().clone()
    with torch.no_grad():
        run.model.head.weight.zero_()
    run.epoch = 0

    assert Checkpoint(path, "another mark", [History()]).found() is None
    fresh = History()
    kept = Checkpoint(path, "mark", [fresh])
    kept.take_up(run, kept.found())
    assert run.epoch == 2
    assert torch.equal(run.model.head.weight, weight)
    assert fresh.rows == [{"val_loss": 0.5}]


def test_a_training_that_stopped_early_does_not_go_on_after_a_kill(run, tmp_path):
    run.stop = True
    Checkpoint(tmp_path / "one.pt", "mark", []).on_epoch_end(run)
    run.stop = False
    kept = Checkpoint(tmp_path / "one.pt", "mark", [])
    kept.take_up(run, kept.found())
    assert run.stop


@pytest.fixture
def beside_the_training(monkeypatch):
    """Let states be written as with a GPU; return an event that each waits for."""
    monkeypatch.setattr(checkpoint, "WRITES_AT_ONCE", ())
    released, real = Event(), checkpoint.write_document

    def write_when_released(*words):
        assert released.wait(20)
        real(*words)

    monkeypatch.setattr(checkpoint, "write_document", write_when_released)
    return released


def test_a_state_that_is_written_meanwhile_is_that_of_its_epoch(run, tmp_path, beside_the_training):
    path, history = tmp_path / "one.pt", History()
    history.on_epoch_end(run)
    kept = Checkpoint(path, "mark", [history])
    kept.on_epoch_end(run)
    before = run.model.head.weight.detach().clone()
    with torch.no_grad():
        run.model.head.weight.zero_()
        for moments in run.optimizer.state.values():
            moments["exp_avg"].zero_()
    history.rows.append({})
    assert not path.exists()
    beside_the_training.set()
    kept.finish()
    state = torch.load(path, weights_only=True)
    assert torch.equal(state["model"]["head.weight"], before)
    assert state["optimizer"]["state"][0]["exp_avg"].any()
    assert len(state["callbacks"][0]["rows"]) == 1


def test_a_state_that_cannot_be_written_meanwhile_ends_the_training(run, tmp_path, beside_the_training):
    (tmp_path / "file").touch()
    kept = Checkpoint(tmp_path / "file" / "one.pt", "mark", [])
    kept.on_epoch_end(run)
    beside_the_training.set()
    with pytest.raises(BrainmriError, match="file"):
        kept.on_epoch_end(run)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04 half a file"])
def test_a_broken_checkpoint_starts_anew(tmp_path, capsys, content):
    path = tmp_path / "one.pt"
    path.write_bytes(content)
    assert Checkpoint(path, "mark", []).found() is None
    assert "starting anew" in capsys.readouterr().err


def test_a_pickle_in_the_place_of_a_checkpoint_is_not_run(tmp_path, capsys):
    torch.save({"fingerprint": "mark", "epoch": Trap(tmp_path / "sprung")}, tmp_path / "one.pt")
    assert Checkpoint(tmp_path / "one.pt", "mark", []).found() is None
    assert "starting anew" in capsys.readouterr().err
    assert not (tmp_path / "sprung").exists()


def test_a_checkpoint_is_plain_data(run, tmp_path):
    path = tmp_path / "one.pt"
    Checkpoint(path, "mark", [History()]).on_epoch_end(run)
    document = torch.load(path, weights_only=True)
    assert document["fingerprint"] == "mark"
    assert not list(tmp_path.glob(".*"))
    assert np.isfinite(document["model"]["head.weight"].numpy()).all()


def test_what_a_kill_left_half_written_is_removed_at_the_end(tmp_path):
    path = tmp_path / "one.pt"
    for name in ("one.pt", ".one.pt.123.tmp", ".other.pt.123.tmp"):
        (tmp_path / name).touch()
    Checkpoint(path, "fingerprint", []).remove()
    assert [left.name for left in tmp_path.iterdir()] == [".other.pt.123.tmp"]
