"""The lock of a training: one at a time, and an orphan gives way."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from brainmri.errors import BrainmriError
from brainmri.processes import identity, is_orphan
from brainmri.training import lock
from brainmri.training.lock import locked

# Holds a lock until SIGTERM, then lets go of it and says so; the second argument makes it deaf.
HOLDER = """
import signal, sys, time
from pathlib import Path
from brainmri.training.lock import locked
stop = []
signal.signal(signal.SIGTERM, lambda *_: sys.argv[2] == "deaf" or stop.append(1))
with locked(Path(sys.argv[1]), Path("model")):
    Path(sys.argv[1]).with_suffix(".held").touch()
    while not stop:
        time.sleep(0.02)
    Path(sys.argv[1]).with_suffix(".left").touch()
"""


def started(checkpoint, manner="polite", orphan=False):
    """Start a holder and wait until it holds; an orphan's parent has ended by then."""
    words = [sys.executable, "-c", HOLDER, str(checkpoint), manner]
    if orphan:
        parent = f"import subprocess; subprocess.Popen({words!r}); import time; time.sleep(60)"
        process = subprocess.Popen([sys.executable, "-c", parent])
    else:
        process = subprocess.Popen(words)
    wait_for(checkpoint.with_suffix(".held"))
    if orphan:
        process.kill()
        process.wait()
    return process


def wait_for(path):
    until = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < until, path
        time.sleep(0.02)


def holder_pid(checkpoint):
    return json.loads(checkpoint.with_suffix(".lock").read_text())["pid"]


def has_ended(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.fixture
def holder(tmp_path):
    process = started(tmp_path / "one.pt")
    yield process
    process.terminate()
    process.wait()


def test_a_living_workflow_is_left_alone(holder, tmp_path):
    checkpoint = tmp_path / "one.pt"
    with pytest.raises(BrainmriError, match="Another process is"), locked(checkpoint, Path("model")):
        pass
    assert holder.poll() is None
    holder.terminate()
    holder.wait()
    assert list(tmp_path.glob("*.lock")) == []
    with locked(checkpoint, Path("model")):
        assert holder_pid(checkpoint) == os.getpid()


@pytest.mark.parametrize("manner", ["polite", "deaf"])
def test_an_orphan_gives_way(tmp_path, monkeypatch, capsys, manner):
    checkpoint = tmp_path / "one.pt"
    if manner == "deaf":
        monkeypatch.setattr(lock, "PATIENCE_SECONDS", 1.0)
    started(checkpoint, manner, orphan=True)
    pid = holder_pid(checkpoint)
    with locked(checkpoint, Path("model")):
        assert holder_pid(checkpoint) == os.getpid()
        assert checkpoint.with_suffix(".left").exists() is (manner == "polite")
    assert f"process {pid} still trains model" in capsys.readouterr().err
    until = time.monotonic() + 10
    while not has_ended(pid):
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"[]", b'{"pid": 1}', b'{"pid": "x", "place": "", "started": 0}']
)
def test_a_holder_that_cannot_be_told_is_left_alone(holder, tmp_path, content):
    checkpoint = tmp_path / "one.pt"
    checkpoint.with_suffix(".lock").write_bytes(content)
    with pytest.raises(BrainmriError, match="is locked"), locked(checkpoint, Path("model")):
        pass
    assert holder.poll() is None


def test_a_process_is_an_orphan_once_an_ancestor_is_gone():
    me = identity()
    assert not is_orphan(me)
    assert is_orphan({**me, "ancestors": [*me["ancestors"], [me["pid"], "another start"]]})


def test_a_lock_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(BrainmriError, match="Cannot write"),
        locked(tmp_path / "file" / "one.pt", Path("model")),
    ):
        pass
