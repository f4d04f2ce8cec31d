"""`brainmri status`: tells how each job stands, whatever lies on the disk, and never trips over it."""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from helpers import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brainmri.cli import main
from brainmri.events import recorded
from brainmri.jobs import Job, document_of, jobs_of, remember
from brainmri.processes import identity, place, start_time
from brainmri.standing import RUNS, epochs_in
from brainmri.study import Study
from brainmri.training.interruption import INTERRUPTED, Interrupted

EPOCH = "epoch {}/8: train loss 1; val loss 1, accuracy 0.5, macro-F1 0.4; rate 1e-03, 2.0 s, 8 images/s"


@pytest.fixture
def study(tmp_path, monkeypatch) -> Study:
    """A study that Snakemake has been called for, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    study = Study(
        "small",
        datasets={"phantom": {"source": {"phantom": {}}, "splits": None}},
        splits={"grouped": {}},
        models={"cnn": {"image_size": 32}},
        seeds=[0],
        class_names=["glioma", "no_tumor"],
        explain={"images": 2},
    )
    remember(study)
    return study


@pytest.fixture
def jobs(study) -> dict[str, Job]:
    """Its jobs by rule."""
    return {job.rule: job for job in jobs_of(study)}


@pytest.fixture
def told(capsys):
    """A function that runs `brainmri status`, and returns what it says, or its JSON document."""

    def run(*words: str):
        assert main(["status", *words]) == 0
        text = capsys.readouterr().out
        return json.loads(text) if "--json" in words else text

    return run


def attempt(job: Job, monkeypatch, error: BaseException | None = None, log: str = "") -> None:
    """Attempt a job: as the command does, with its record and its log."""
    job.log.parent.mkdir(parents=True, exist_ok=True)
    job.log.write_text(log)
    with monkeypatch.context() as patch, suppress(ValueError, Interrupted):
        patch.setenv("BRAINMRI_EVENTS", str(job.record))
        with recorded(job.rule):
            if error:
                raise error
            make(job)


def make(job: Job) -> None:
    """Make what a job makes."""
    for path in job.outputs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def begin(job: Job, **start) -> None:
    """Leave a record that has begun and not ended."""
    facts = {"time": "2026-01-01T10:00:00+00:00", "event": "start", "command": job.rule, "host": "here"}
    facts |= {"pid": os.getpid(), "place": place(), "started": start_time(os.getpid())}
    job.record.parent.mkdir(parents=True, exist_ok=True)
    job.record.write_text(json.dumps(facts | start) + "\n")


def test_where_files_lie_is_no_part_of_what_a_study_is(study):
    assert Study(**document_of(study)) == study
    moved = replace(study, archives_dir="other", weights_dir="elsewhere", logs_dir=Path("there"))
    assert document_of(moved) == document_of(study)


def test_records_of_listed_rules_are_counted_once_and_others_too(study, jobs):
    folder = study.logs_dir / "data" / "phantom"
    folder.mkdir(parents=True)
    for name in ("crop_32", "crop_alike_north_32", "overlap-north", "resample_4", "cropped"):
        (folder / f"{name}.jsonl").touch()
    found = {job.rule for job in jobs_of(study)} - set(jobs)
    assert found == {"resample", "cropped"}


def test_before_anything_is_done_all_waits(told, jobs):
    text = told("small")
    assert text.startswith(f"Study small: {len(jobs)} jobs: {len(jobs)} waiting.")
    assert "Nothing is running." in text


def test_what_is_done_runs_failed_and_waits(told, jobs, monkeypatch):
    attempt(jobs["fetch"], monkeypatch)
    make(jobs["checksum"])
    attempt(
        jobs["inventory"], monkeypatch, ValueError("odd"), log="first\nTraceback\nValueError: \x1b[31modd\n"
    )
    begin(jobs["train"])
    jobs["train"].log.write_text("\n".join(EPOCH.format(epoch) for epoch in (1, 2)) + "\n")
    text = told("--lines", "2")
    assert f"{len(jobs)} jobs: 2 done, 1 running, 1 failed, {len(jobs) - 4} waiting." in text
    assert "inventory dataset=phantom" in text and "ValueError: odd" in text and "exit status 1" in text
    assert "| Traceback\n    | ValueError: �[31modd" in text and "| first" not in text
    assert "epoch 2 of 8, at most about 12.0 s left" in text
    assert "1 of them left no record" in text
    assert "Nothing is running" not in text


def test_the_json_form_has_every_job_with_what_it_took(told, jobs, monkeypatch):
    attempt(jobs["fetch"], monkeypatch)
    attempt(jobs["train"], monkeypatch, Interrupted("stopped as asked"), log=EPOCH.format(3))
    document = told("small", "--json")
    assert (
        document["totals"] | {"jobs": len(jobs), "done": 1, "stopped": 1, "failed": 0} == document["totals"]
    )
    found = {job["rule"]: job for job in document["jobs"]}
    assert set(found) == set(jobs)
    assert found["fetch"]["state"] == "done" and found["fetch"]["exit_code"] == 0
    assert found["fetch"]["wall_seconds"] >= 0 and found["fetch"]["peak_mib"] > 1
    assert (
        found["train"] | {"state": "stopped", "exit_code": INTERRUPTED, "epoch": 3, "epochs": 8}
        == found["train"]
    )
    assert found["train"]["last_lines"] == [EPOCH.format(3)]


def test_a_killed_job_has_failed_and_one_that_is_made_again_is_done(told, jobs):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    begin(jobs["crop"], pid=ended.pid)
    assert "ended without a word: killed" in told()
    begin(jobs["crop"], started="1")  # Its number went to another process.
    assert "ended without a word: killed" in told()
    make(jobs["crop"])
    assert "failed" not in told()


def test_on_another_machine_signs_of_life_count(told, jobs):
    begin(jobs["audit"], host="node7", place="node7 pid:[1]")
    assert "on node7" in told()
    past = time.time() - 130
    os.utime(jobs["audit"].record, (past, past))
    text = told()
    # Whether it was killed cannot be seen from here.
    assert "1 silent" in text and "failed" not in text
    assert f"process {os.getpid()} on node7: no sign of life for 2 min " in text
    assert " s: suspended, queued again, or killed\n" in text
    (job,) = [job for job in told("--json")["jobs"] if job["rule"] == "audit"]
    assert job["state"] == "silent" and job["reason"].startswith("no sign of life for 2 min ")


def test_while_a_run_of_snakemake_lives_nobody_is_asked_for_another(told, jobs):
    sign = Path(".snakemake", RUNS, "1.json")
    sign.parent.mkdir(parents=True)
    sign.write_text(json.dumps(identity() | {"place": "login2 pid:[1]", "pid": 9}))
    text = told()
    assert "Snakemake is at work on login2 (process 9);" in text and "called again" not in text
    os.utime(sign, (0, 0))
    assert "called again" in told()
    sign.write_text(json.dumps(identity()))  # here, where its process can be seen
    os.utime(sign, (0, 0))
    assert f"(process {os.getpid()});" in told()
    sign.write_text("[]")
    assert "called again" in told()


def test_jobs_of_rules_that_are_not_listed_count_once_they_left_a_record(told, study, jobs, monkeypatch):
    for path, error in (
        ("logs/small/weigh/phantom-grouped.log", None),
        ("logs/small/sum.log", ValueError("odd")),
        ("logs/data/phantom/weigh-other.log", None),
        # Of listed rules, but not of this study any more.
        ("logs/data/phantom/crop_96.log", None),
        ("logs/small/train/phantom-grouped-old-seed0.log", None),
    ):
        attempt(Job(Path(path).stem, {}, Path(path), ()), monkeypatch, error)
    document = told("--json")
    others = {
        (job["rule"], job["state"], *job["wildcards"].values())
        for job in document["jobs"][:-1]
        if job["state"] != "waiting"
    }
    assert others == {
        ("weigh", "done", "phantom-grouped"),
        ("sum", "failed"),
        ("weigh", "done", "phantom", "weigh-other"),
    }
    assert document["totals"]["jobs"] == len(jobs) + 3


def test_a_job_whose_output_was_removed_waits_again(told, jobs, monkeypatch):
    attempt(jobs["fetch"], monkeypatch)
    jobs["fetch"].outputs[0].unlink()
    assert "done" not in told()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(record=st.binary(max_size=200), log=st.binary(max_size=200), cut=st.integers(0, 400))
def test_no_record_and_no_log_is_too_broken(told, jobs, record, log, cut):
    job = jobs["train"]
    begin(job, pid=2**22 + 1)
    job.record.write_bytes(job.record.read_bytes()[:cut] + record)
    job.log.write_bytes(log)
    assert told("small").startswith("Study small")
    assert told("small", "--json")["study"] == "small"


@pytest.mark.parametrize(
    "line",
    [
        *("[]", "{}", "null", '"start"', '{"event": "start"}'),
        '{"event": "start", "time": "x", "host": "h", "pid": 1}',
        '{"event": "end", "time": "2026-01-01T10:00:00", "host": "h", "pid": 1}',
    ],
)
def test_lines_that_are_none_of_ours_are_passed_over(told, jobs, line):
    begin(jobs["train"])
    jobs["train"].record.write_text(line + "\n" + jobs["train"].record.read_text() + line + "\n")
    assert "1 running" in told()


def test_a_study_is_found_by_its_configuration_too(tmp_path, monkeypatch, told):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "config" / "examples"
    folder.mkdir(parents=True)
    default = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    (folder / "own.yaml").write_text(yaml.safe_dump(default | {"study": "own"}))
    (folder / "odd.yaml").write_text("- no\n- configuration\n")
    for number, name in enumerate(("[a]", "{a: 1}", "3")):
        (folder / f"strange{number}.yaml").write_text(f"study: {name}\n")
    assert told("own").startswith("Study own")
    assert told("--configfile", "config/examples/own.yaml").startswith("Study own")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "No study was run in this folder"),
        (["smal"], "There is no study 'smal'"),
        (["--configfile", "none.yaml"], "none.yaml is no readable configuration"),
        (["broken"], "tells of no study"),
        (["--lines", "-1"], "lines is -1"),
    ],
    ids=str,
)
def test_what_is_no_study_is_a_sentence(tmp_path, monkeypatch, capsys, words, sentence):
    monkeypatch.chdir(tmp_path)
    if words == ["broken"]:
        path = tmp_path / "logs" / "broken" / "study.json"
        path.parent.mkdir(parents=True)
        path.write_text(
            '{"name": "broken", "datasets": [1], "splits": 2, "models": {}, "seeds": 3, "class_names": []}'
        )
    assert main(["status", *words]) == 1
    assert sentence in capsys.readouterr().err


def test_a_trainings_own_line_tells_how_far_it_is(capsys):
    from brainmri.training.callbacks import Progress

    names = ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "val_macro_f1", "learning_rate")
    scores = dict.fromkeys(names, 0.5) | {"seconds": 4.0, "images_per_second": 123.4}
    Progress().on_epoch_end(SimpleNamespace(epoch=3, epochs=10, scores=scores))
    epochs = epochs_in(capsys.readouterr().err)
    assert (epochs.done, epochs.of, epochs.seconds_left) == (3, 10, 28.0)


def test_it_starts_light():
    code = (
        "import sys; import brainmri.status, brainmri.events; "
        "heavy = {'torch', 'pandas', 'numpy', 'cv2', 'pyarrow', 'sklearn', 'matplotlib', 'jsonschema'}; "
        "sys.exit(' '.join(heavy & set(sys.modules)) or 0)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
