"""The lock of a training among nodes that share a file system: signs of life, and giving way."""

import errno
import fcntl
import json
import subprocess
import sys
import threading
import time

import pytest

from brainmri import processes
from brainmri.errors import BrainmriError
from brainmri.processes import identity
from brainmri.training import beat, lock
from brainmri.training.lock import locked

# Holds a lock, as if on the node that the second argument names, until SIGTERM; then says so.
HOLDER = """
import signal, sys, time
from pathlib import Path
from brainmri import processes
from brainmri.training import beat, lock
beat.BEAT_SECONDS = 0.05
if sys.argv[2] != "here":
    processes.place = beat.place = lock.place = lambda: sys.argv[2] + " pid:[1]"
stop = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
with lock.locked(Path(sys.argv[1]), Path("model")):
    Path(sys.argv[1]).with_suffix(".held").touch()
    while not stop:
        time.sleep(0.02)
Path(sys.argv[1]).with_suffix(".left").touch()
"""


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """Wait for tenths of a second where the cluster waits for half a minute."""
    monkeypatch.setattr(beat, "WATCHED_SECONDS", 1.0)
    monkeypatch.setattr(lock, "PATIENCE_SECONDS", 0.3)
    for name in (*processes.JOB_NUMBERS, "JOB_ID", "SGE_ROOT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def holder_at(tmp_path):
    """Return a function that starts a holder as if on a node, and waits until it holds."""
    started = []

    def start(node):
        started.append(subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path / "one.pt", node]))
        until = time.monotonic() + 60
        while not (tmp_path / "one.held").exists():
            assert time.monotonic() < until
            time.sleep(0.02)
        return started[0]

    yield start
    for process in started:
        process.terminate()
        process.wait()


def left_by(path, node):
    """Write the lock file that a training on another node left."""
    path.write_text(json.dumps({**identity(), "place": f"{node} pid:[1]"}))


def test_what_a_dead_node_left_is_taken_over(tmp_path):
    left_by(tmp_path / "one.lock", "n7")
    with locked(tmp_path / "one.pt", tmp_path / "model"):
        assert json.loads((tmp_path / "one.lock").read_text()) == identity()
    assert list(tmp_path.iterdir()) == []


def test_a_training_on_another_node_is_left_alone_where_locks_do_not_reach(tmp_path):
    path, ended = tmp_path / "one.lock", threading.Event()
    left_by(path, "n7")

    def live():
        while not ended.wait(0.05):
            path.touch()

    thread = threading.Thread(target=live)
    thread.start()
    try:
        with (
            pytest.raises(BrainmriError, match=r"on n7 is training .*model"),
            locked(tmp_path / "one.pt", tmp_path / "model"),
        ):
            pass
    finally:
        ended.set()
        thread.join()
    assert "n7" in path.read_text()


@pytest.mark.parametrize(
    "told",
    [
        {"SLURM_JOB_ID": "12"},
        {"PBS_JOBID": "12"},
        {"LSB_JOBID": "12"},
        {"SGE_ROOT": "/opt/sge", "JOB_ID": "12"},
    ],
)
def test_a_job_knows_its_number(monkeypatch, told):
    assert processes.cluster_job() is None
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    assert processes.cluster_job() == "12"


def test_a_job_number_without_grid_engine_is_something_else(monkeypatch):
    monkeypatch.setenv("JOB_ID", "12")
    assert processes.cluster_job() is None


@pytest.mark.parametrize("name", ["SLURM_JOB_ID", "PBS_JOBID"])
def test_the_same_job_on_another_node_gives_way(tmp_path, monkeypatch, holder_at, capsys, name):
    monkeypatch.setattr(lock, "PATIENCE_SECONDS", 30.0)
    monkeypatch.setenv(name, "12")
    holder_at("n7")
    with locked(tmp_path / "one.pt", tmp_path / "model"):
        assert json.loads((tmp_path / "one.lock").read_text()) == identity()
    assert "on n7" in capsys.readouterr().err
    assert not (tmp_path / "one.leave").exists()


def test_another_job_on_another_node_is_not_asked_to_stop(tmp_path, monkeypatch, holder_at):
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    process = holder_at("n7")
    monkeypatch.setenv("SLURM_JOB_ID", "13")
    with (
        pytest.raises(BrainmriError, match="on n7 is training"),
        locked(tmp_path / "one.pt", tmp_path / "model"),
    ):
        pass
    assert process.poll() is None


def test_who_lost_the_lock_ends_and_leaves_it_to_the_other(tmp_path, holder_at):
    process = holder_at("here")
    left_by(tmp_path / "one.lock", "n8")
    assert process.wait(30) == 0
    assert (tmp_path / "one.left").exists()
    assert "n8" in (tmp_path / "one.lock").read_text()


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
def test_a_file_system_without_locks_will_do(tmp_path, monkeypatch, holder_at, code):
    process = holder_at("here")

    def refuse(*_):
        raise OSError(code, "no locks here")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with (
        pytest.raises(BrainmriError, match="Another process is training"),
        locked(tmp_path / "one.pt", tmp_path / "model"),
    ):
        pass
    process.terminate()
    process.wait()
    with locked(tmp_path / "one.pt", tmp_path / "model"):
        assert (tmp_path / "one.lock").exists()
