"""What a job leaves beside its log: its start, how far it was, its end or why it failed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from brainmri import progress as progress_module
from brainmri.errors import BrainmriError
from brainmri.events import recorded
from brainmri.progress import LISTENERS, progress

BRAINMRI = Path(sys.executable).with_name("brainmri")


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A function that returns the events of this process's record."""
    path = tmp_path / "logs" / "job.jsonl"
    monkeypatch.setenv("BRAINMRI_EVENTS", str(path))
    return lambda: [json.loads(line) for line in path.read_text().splitlines()]


def test_a_job_tells_start_progress_and_end(kept, monkeypatch, capsys):
    monkeypatch.setattr(progress_module, "SECONDS_BETWEEN", 0.0)
    with recorded("crop"):
        for _ in progress(range(3), description="crop", unit="image"):
            pass
        with progress(total=5, description="copies", unit="block") as bar:
            bar.update(2)
    events = kept()
    assert [event["event"] for event in events] == ["start", *["progress"] * 6, "end"]
    assert {event["pid"] for event in events} == {os.getpid()}
    assert len({event["host"] for event in events}) == 1
    told = [(event["what"], event["done"], event["of"], event["ended"]) for event in events[1:-1]]
    assert told[:4] == [
        ("crop", done, 3, ended) for done, ended in ((1, False), (2, False), (3, False), (3, True))
    ]
    assert told[4:] == [("copies", 2, 5, False), ("copies", 2, 5, True)]
    end = events[-1]
    assert (end["exit_code"], end["images"]) == (0, 3)
    assert end["wall_seconds"] >= 0 and end["cpu_seconds"] > 0 and end["peak_mib"] > 1
    human = capsys.readouterr().err.splitlines()
    assert human[0].startswith("brainmri ") and "crop: image 2 of 3" in human
    assert human[-1].startswith("crop: done in ") and "3 images or files" in human[-1]
    assert LISTENERS == []


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (BrainmriError("the file is gone: bring it back."), 1, "the file is gone: bring it back."),
        (KeyboardInterrupt(), 130, "interrupted"),
        (SystemExit(2), 2, "the command line is at fault"),
        (MemoryError("no room"), 1, "MemoryError: no room"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_failure_is_kept_with_its_reason(kept, error, code, reason):
    with pytest.raises(type(error)), recorded("audit"):
        raise error
    failure = kept()[-1]
    assert (failure["event"], failure["exit_code"], failure["reason"]) == ("failure", code, reason)
    assert failure["wall_seconds"] >= 0


def test_attempts_follow_each_other_and_a_torn_line_takes_none_with_it(kept, tmp_path):
    path = tmp_path / "logs" / "job.jsonl"
    with recorded("crop"):
        pass
    with path.open("a") as handle:
        handle.write('{"event": "sta')
    with recorded("crop"):
        pass
    lines = path.read_text().splitlines()
    assert len(lines) == 5
    assert [json.loads(line)["event"] for line in lines[:2] + lines[3:]] == ["start", "end"] * 2


def test_a_record_that_cannot_be_written_stops_nothing(tmp_path, monkeypatch, capsys):
    (tmp_path / "taken").write_text("a file")
    monkeypatch.setenv("BRAINMRI_EVENTS", str(tmp_path / "taken" / "job.jsonl"))
    with recorded("crop"):
        done = True
    assert done
    assert capsys.readouterr().err.count("no record is kept in") == 1


def test_without_the_variable_nothing_is_kept_or_said(monkeypatch, capsys, tmp_path):
    monkeypatch.delenv("BRAINMRI_EVENTS", raising=False)
    monkeypatch.chdir(tmp_path)
    with recorded("crop"):
        for _ in progress(range(3), description="crop", unit="image"):
            pass
    assert capsys.readouterr().err == ""
    assert list(tmp_path.iterdir()) == []


def test_the_command_keeps_its_record_beside_the_log_that_it_writes_to(tmp_path):
    log = tmp_path / "a folder" / "audit.log"
    log.parent.mkdir()
    command = [BRAINMRI, "audit", "--inventory", "none.parquet"]
    command += ["--duplicates", "d", "--groups", "g", "--output", "o"]
    with log.open("w") as handle:
        environment = os.environ | {"BRAINMRI_EVENTS": "beside-log"}
        done = subprocess.run(command, stdout=handle, stderr=handle, cwd=tmp_path, env=environment)
    assert done.returncode == 1
    start, failure = map(json.loads, log.with_suffix(".jsonl").read_text().splitlines())
    assert (start["event"], start["command"]) == ("start", "audit")
    assert failure["reason"] == "none.parquet does not exist: run the stage that makes it first."
    assert log.read_text().endswith(f"brainmri audit: {failure['reason']}\n")
