"""Snakemake killed in every stage, or begun twice: the same command goes on, and nothing is wrong."""

import time

import pytest
from killed_study import KilledStudy
from phantom_study import SMALL_STUDY

pytestmark = pytest.mark.slow

# One training of each kind is enough: every rule is there.
STUDY = SMALL_STUDY | {
    "study": "killed",
    "splits": {"grouped": SMALL_STUDY["splits"]["grouped"]},
    "models": {"cnn": SMALL_STUDY["models"]["cnn"]},
}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Return what a run makes that nobody kills, and the sub-commands that it ran."""
    study = KilledStudy(tmp_path_factory.mktemp("undisturbed") / "study", STUDY)
    done = study.run()
    assert done.returncode == 0, done.stdout + done.stderr
    return study.made(), {job["rule"] for job in study.status()}


def test_a_run_killed_in_every_stage_goes_on_by_the_same_command(undisturbed, tmp_path):
    made, rules = undisturbed
    # `shrink` calls the sub-command of `crop`.
    rules -= {"shrink"}
    study, killed = KilledStudy(tmp_path / "study", STUDY), set()
    for _ in range(len(rules) + 1):
        process = study.begin()
        rule = study.kill_at(process, killed)
        if rule is None:
            break
        killed.add(rule)
    assert process.returncode == 0, (study.folder / "told.txt").read_text()[-3000:]
    assert killed == rules
    assert study.made() == made
    assert ends(study), "an orphan is still at work"


def test_of_two_runs_at_once_one_waits_or_is_refused_and_the_results_are_right(undisturbed, tmp_path):
    made, _ = undisturbed
    study = KilledStudy(tmp_path / "study", STUDY)
    first, second = study.begin(), study.begin()
    statuses = sorted(process.wait() for process in (first, second))
    assert statuses[0] == 0
    told = (study.folder / "told.txt").read_text()
    assert statuses[1] == 0 or "Directory cannot be locked" in told, told[-3000:]
    assert study.made() == made


def test_a_live_run_keeps_its_lock(tmp_path):
    study = KilledStudy(tmp_path / "study", STUDY)
    first = study.begin()
    try:
        while not study.rules_begun():
            assert first.poll() is None
            time.sleep(0.05)
        refused = study.run()
    finally:
        first.kill()
        first.wait()
    assert refused.returncode == 1
    assert "Directory cannot be locked" in refused.stdout + refused.stderr
    # Its orphan ends, though nobody asks it to.
    assert ends(study)


def ends(study: KilledStudy) -> bool:
    """Tell whether nothing is at work in the study's folder, at once or soon."""
    until = time.monotonic() + 20
    while study.processes() and time.monotonic() < until:
        time.sleep(0.1)
    return not study.processes()
