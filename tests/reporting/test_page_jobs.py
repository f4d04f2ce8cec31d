"""The page's table of jobs."""

import json
import re

import pytest

from brainmri.jobs import jobs_of
from brainmri.reporting.page_jobs import jobs_context
from brainmri.reporting.report import report


def told(event: str, second: int, **facts) -> str:
    """Return a line of a record."""
    line = {"time": f"2026-01-01T10:00:{second:02d}+00:00", "event": event, "host": "here", "pid": 7, **facts}
    return json.dumps(line) + "\n"


def ended(wall: float, **facts) -> str:
    """Return the lines of an attempt that succeeded."""
    taken = {"exit_code": 0, "wall_seconds": wall, "cpu_seconds": 2 * wall, "peak_mib": 100 * wall}
    return told("start", 0) + told("end", 1, **taken, **facts)


@pytest.fixture
def records(study):
    """The jobs by rule; what is recorded of them is removed afterwards."""
    jobs = {job.rule: job for job in jobs_of(study)}
    for job in jobs.values():
        job.record.parent.mkdir(parents=True, exist_ok=True)
    yield jobs
    for job in jobs.values():
        job.record.unlink(missing_ok=True)


def test_jobs_stand_with_what_they_took_the_longest_first(study, records):
    records["crop"].record.write_text(ended(2.0, images=300))
    records["train"].record.write_text(ended(90.0))
    records["fetch"].record.write_text(ended(0.5))
    context = jobs_context(study)
    assert [row["rule"] for row in context["rows"]] == ["train", "crop", "fetch"]
    assert context["of"] == len([job for job in jobs_of(study) if job.rule not in ("report", "plot_data")])
    crop = context["rows"][1]
    assert crop == {
        "rule": "crop",
        "wildcards": "phantom, 64",
        "wall": "2.0 s",
        "cpu": "4.0 s",
        "peak": "200 MiB",
        "speed": "150",
        "attempts": 1,
        "host": "here",
        # What the table is sorted by.
        "numbers": {"wall": 2.0, "cpu": 4.0, "peak": 200},
    }
    assert (context["wall"], context["cpu"], context["attempts"]) == ("1 min 32 s", "3 min 05 s", 3)


def test_attempts_that_failed_before_count_and_those_before_a_success_do_not(study, records):
    failed = told("start", 0) + told(
        "failure", 9, exit_code=1, wall_seconds=9.0, cpu_seconds=1.0, peak_mib=1.0
    )
    killed = told("start", 0, pid=8) + told("progress", 5, pid=8, what="w", done=1)
    records["audit"].record.write_text(ended(40.0) + failed + killed + ended(2.0))
    row = jobs_context(study)["rows"][0]
    assert (row["wall"], row["attempts"]) == ("16.0 s", 3)


def test_a_job_that_never_succeeded_has_no_row(study, records):
    records["audit"].record.write_text(told("start", 0))
    assert jobs_context(study)["rows"] == []


def test_the_page_shows_the_table_and_escapes_what_stands_in_a_record(study, page, records):
    assert "The jobs left no record of what they took" in page
    records["crop"].record.write_text(ended(2.0).replace('"here"', '"<script>"'))
    output = study.folder / "report" / "jobs.html"
    report(study, output)
    again = output.read_text(encoding="utf-8")
    output.unlink()
    assert '<th scope="row">crop</th><td class="name">phantom, 64</td>' in again
    assert re.search(r'<td class="number" data-value="2.0">2.0 s</td>', again)
    assert "<td>&lt;script&gt;</td>" in again
