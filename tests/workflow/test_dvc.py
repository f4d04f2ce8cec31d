"""DVC beside Snakemake, in a fresh clone: the same artefacts, nothing twice, one model at a time."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from phantom_study import BIN, ROOT, SMALL_STUDY

pytestmark = pytest.mark.slow


def run(clone: Path, *command: str) -> str:
    """Run a command in the clone, with the environment's programs on the path, and return what it prints."""
    environment = dict(os.environ, PATH=f"{BIN}{os.pathsep}{os.environ['PATH']}")
    done = subprocess.run(command, cwd=clone, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """Return a copy of what git tracks, under git, with the small study as its default."""
    folder = tmp_path_factory.mktemp("clone") / "brainmri"
    for name in subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    # The keys that dvc.yaml follows stand in the file itself, as in the repository's own.
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text()) | SMALL_STUDY
    (folder / "config/config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    run(folder, "git", "init", "-q")
    run(folder, "git", "add", "-A")
    run(folder, "git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "clone")
    run(folder, "dvc", "repro")
    return folder


def test_repro_makes_every_run_and_the_report(clone):
    base = clone / "results/small"
    for split in ("grouped", "published"):
        for model in ("cnn", "resnet"):
            assert (base / "phantom" / split / model / "seed0" / "metrics.json").is_file()
    assert (base / "report/index.html").is_file()


def test_repro_again_does_nothing(clone):
    assert "up to date" in run(clone, "dvc", "status")
    told = run(clone, "dvc", "repro")
    assert "Running stage" not in told
    assert "up to date" in told


def test_snakemake_has_nothing_to_do_after_repro(clone):
    assert "Nothing to be done" in run(clone, "snakemake", "--cores", "1", "--dry-run")


def test_dvc_reads_the_metrics_of_every_run(clone):
    shown = run(clone, "dvc", "metrics", "show", "--json")
    assert shown.count("metrics.json") == 4
    assert "macro_f1" in shown


def test_data_and_models_are_in_the_cache_and_git_sees_the_metrics_alone(clone):
    untracked = run(clone, "git", "ls-files", "--others", "--exclude-standard").split()
    assert "dvc.lock" in untracked
    assert not [name for name in untracked if not name.endswith(("dvc.lock", ".gitignore", "metrics.json"))]


def test_one_changed_model_reruns_alone(clone):
    path = clone / "config/config.yaml"
    config = yaml.safe_load(path.read_text())
    # A size that no packed array has yet, too.
    config["models"]["cnn"] |= {"epochs": 1, "image_size": 48}
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    told = run(clone, "dvc", "repro")
    ran = {line.split("'")[1] for line in told.splitlines() if line.startswith("Running stage")}
    assert ran == {"model@phantom-grouped-cnn-0", "model@phantom-published-cnn-0", "report"}
