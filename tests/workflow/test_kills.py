"""Snakemake killed in every stage, or begun twice: the same command goes on, and nothing is wrong."""

import shutil
import time

import pytest
from killed_study import KilledStudy
from phantom_study import SMALL_STUDY

from brainmri.attempts import attempts_of
from brainmri.jobs import MADE, jobs_of, remembered

pytestmark = pytest.mark.slow

# One training of each kind is enough: every rule is there.
STUDY = SMALL_STUDY | {
    "study": "killed",
    "splits": {"grouped": SMALL_STUDY["splits"]["grouped"]},
    "models": {"cnn": SMALL_STUDY["models"]["cnn"]},
}
# A second data set, cropped otherwise, and both in one.
SOUTH = {
    "source": {"phantom": {"patients": 8, "slices": 1, "size": 64, "seed": 2}},
    "crop": {"margin": 4},
    "splits": [],
}
BOTH = {"source": {"datasets": ["phantom", "south"]}, "splits": []}
# What only several data sets have, and what it makes.
OF_SEVERAL = {
    "overlap": "data/phantom/overlap/south.parquet",
    "pool": "data/both/audit.json",
    "crop_alike": "data/south/alike/phantom/images_32.npy",
    "predict_external": "results/killed/phantom/grouped/cnn/seed0/external/south.parquet",
    "draw_external": "results/killed/figures/external/cnn.svg",
}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Return a study that ran and that nobody killed."""
    study = KilledStudy(tmp_path_factory.mktemp("undisturbed") / "study", STUDY)
    done = study.run()
    assert done.returncode == 0, done.stdout + done.stderr
    return study


def kill_in_each(study, rules: set[str]) -> None:
    """Call a study's command again and again, killed once in each of some rules, until it is done."""
    killed = set()
    for _ in range(len(rules) + 1):
        process = study.begin()
        rule = study.kill_at(process, killed)
        if rule is None:
            break
        killed.add(rule)
    assert process.returncode == 0, (study.folder / "told.txt").read_text()[-3000:]
    assert killed == rules


def test_a_run_killed_in_every_stage_goes_on_by_the_same_command(undisturbed, tmp_path):
    made, rules = undisturbed.made(), {job["rule"] for job in undisturbed.status()}
    assert rules | OF_SEVERAL.keys() == MADE.keys()
    # `shrink` calls the sub-command of `crop`.
    rules -= {"shrink"}
    study = KilledStudy(tmp_path / "study", STUDY)
    kill_in_each(study, rules)
    assert study.made() == made
    assert ends(study), "an orphan is still at work"


def test_of_two_runs_at_once_one_waits_or_is_refused_and_the_results_are_right(undisturbed, tmp_path):
    study = KilledStudy(tmp_path / "study", STUDY)
    first, second = study.begin(), study.begin()
    statuses = sorted(process.wait() for process in (first, second))
    assert statuses[0] == 0
    told = (study.folder / "told.txt").read_text()
    assert statuses[1] == 0 or "Directory cannot be locked" in told, told[-3000:]
    assert study.made() == undisturbed.made()


class OfSeveral(KilledStudy):
    """A study of which only what needs several data sets is made, and killed."""

    def command(self, *arguments: str) -> list:
        """Return the command that makes it."""
        return super().command(*arguments, "--", *OF_SEVERAL.values())

    def rules_begun(self) -> set[str]:
        """Return the rules at work; not the sub-commands, as `shrink` and `crop_alike` have one."""
        jobs = jobs_of(remembered(self.folder / "logs" / "killed" / "study.json"))
        return {
            job.rule
            for job in jobs
            if job.rule in OF_SEVERAL
            for last in attempts_of(self.folder / job.record)[-1:]
            if not last.end
        }


def test_what_only_several_data_sets_have_goes_on_too(undisturbed, tmp_path):
    folder = shutil.copytree(undisturbed.folder, tmp_path / "study")
    datasets = STUDY["datasets"] | {"south": SOUTH, "both": BOTH}
    study = OfSeveral(folder, STUDY | {"datasets": datasets})
    kill_in_each(study, set(OF_SEVERAL))
    made = study.made()
    # Once more, by a run that nobody kills.
    for path in OF_SEVERAL.values():
        (study.folder / path).unlink()
    done = study.run()
    assert done.returncode == 0, done.stdout + done.stderr
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
