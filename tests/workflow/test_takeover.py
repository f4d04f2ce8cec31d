"""What a killed run left is taken away, and what a live one holds is not."""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from brainmri.artefacts import written_atomically
from brainmri.training.lock import place, start_time

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "workflow"))
import takeover  # noqa: E402 (lies beside the rules)

ALIVE = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from takeover import take_over
print(take_over(Path(sys.argv[2]), Path(sys.argv[3])), flush=True)
time.sleep(60)
"""


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Return Snakemake's folder with a lock in it, and that of the logs; forget what this process holds."""
    locks = tmp_path / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").write_text("results/page\n")
    monkeypatch.setattr(takeover, "HELD", [])
    return tmp_path / ".snakemake", tmp_path / "logs"


def record(logs: Path, pid: int, **changes) -> None:
    """Write the record of a job that has begun."""
    event = {"time": datetime.now(UTC).isoformat(), "event": "start", "command": "crop", "host": "here"}
    event |= {"pid": pid, "place": place(), "started": start_time(pid)} | changes
    logs.mkdir(exist_ok=True)
    (logs / "crop.jsonl").write_text(json.dumps(event) + "\n")


def test_the_lock_of_a_killed_run_goes(folders):
    told = takeover.take_over(*folders)
    assert "unlocked" in told[0]
    assert not list((folders[0] / "locks").iterdir())


def test_what_a_killed_job_had_begun_to_write_goes(folders):
    results = folders[0].parent / "results" / "study"
    with suppress(KeyboardInterrupt), written_atomically(results / "metrics.json") as temporary:
        temporary.write_text("half")
        left = results / temporary.name.replace(str(os.getpid()), "99999")
        left.write_text("half")
        (results / ".notes.tmp").write_text("another tool's")
        raise KeyboardInterrupt
    takeover.take_over(*folders)
    assert [path.name for path in results.iterdir()] == [".notes.tmp"]


def test_the_lock_of_a_live_run_stays_and_goes_once_it_was_killed(folders):
    command = [sys.executable, "-c", ALIVE, ROOT / "workflow", *folders]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        other.stdout.readline()
        (folders[0] / "locks/0.output.lock").touch()
        assert takeover.take_over(*folders) == []
        assert (folders[0] / "locks/0.output.lock").exists()
        takeover.HELD.clear()
        other.kill()
    assert takeover.take_over(*folders)


def test_an_orphan_that_does_not_end_is_killed(folders, monkeypatch):
    monkeypatch.setattr(takeover, "SECONDS_TO_END", 0.3)
    with subprocess.Popen(["sleep", "60"]) as orphan:
        record(folders[1], orphan.pid)
        told = takeover.take_over(*folders)
        assert orphan.wait(timeout=10) == -9
    assert f"process {orphan.pid}" in told[0]


@pytest.mark.parametrize("changes", [{"place": "another host"}, {"started": "1"}, {"started": None}])
def test_a_process_that_is_not_surely_the_job_is_left_alone(folders, monkeypatch, changes):
    monkeypatch.setattr(takeover, "SECONDS_TO_END", 0.1)
    with subprocess.Popen(["sleep", "60"]) as stranger:
        record(folders[1], stranger.pid, **changes)
        takeover.take_over(*folders)
        assert stranger.poll() is None
        stranger.kill()


def test_without_a_lock_nobody_is_touched(folders):
    (folders[0] / "locks/0.output.lock").unlink()
    with subprocess.Popen(["sleep", "60"]) as job:
        record(folders[1], job.pid)
        assert takeover.take_over(*folders) == []
        time.sleep(0.1)
        assert job.poll() is None
        job.kill()
