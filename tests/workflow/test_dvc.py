"""DVC beside Snakemake, in fresh clones: the same artefacts, nothing twice, one model at a time.

The tests of a clone follow each other: each begins where the one before it ended.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from helpers import BIN, ROOT
from local_s3 import KEYS, local_s3
from phantom_study import SMALL_STUDY
from safetensors.torch import save_file

from brainmri.models.build import build_model
from brainmri.models.settings import CnnSettings, Design
from brainmri.sources.phantom import phantom

pytestmark = pytest.mark.slow

CNN = SMALL_STUDY["models"]["cnn"]
STUDY = SMALL_STUDY | {
    # The one whose metrics git keeps.
    "study": "quickstart",
    "splits": {"grouped": SMALL_STUDY["splits"]["grouped"]},
    "models": {"cnn": CNN, "other": CNN | {"epochs": 1}},
    "explain": {"images": 2},
    "probes": {"epochs": 0},
}
PLACE = "results/quickstart/phantom/grouped"
ARCHIVE, WEIGHTS = "data/archives/scans.zip", "data/weights/own.safetensors"
# What starts from files that git and DVC do not know.
LOCAL_STUDY = STUDY | {
    "datasets": {"scans": {"source": {"archive": ARCHIVE}}},
    "models": {"own": CNN | {"epochs": 1, "pretrained": WEIGHTS}},
    "explain": {"images": 0},
}
HANDSHAKE = (sys.executable, "workflow/versioning/handshake.py")
SNAKEMAKE = ("snakemake", "--cores", "2", "--resources", "gpu=1")


def tried(clone: Path, *command: str) -> subprocess.CompletedProcess:
    """Run a command in the clone, with the environment's programs and the clone's own sources."""
    own = KEYS | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(clone / "src")}
    for kind in ("AUTHOR", "COMMITTER"):
        own |= {f"GIT_{kind}_NAME": "t", f"GIT_{kind}_EMAIL": "t@example.org"}
    return subprocess.run(command, cwd=clone, capture_output=True, text=True, env=os.environ | own)


def run(clone: Path, *command: str) -> str:
    """Run a command in the clone, which must succeed, and return what it prints."""
    done = tried(clone, *command)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def commit(clone: Path) -> None:
    run(clone, "git", "add", "--all")
    run(clone, "git", "commit", "-qm", "step")


def change(clone: Path, model: str, **values) -> None:
    """Change keys of a model in the configuration."""
    path = clone / "config/config.yaml"
    config = yaml.safe_load(path.read_text())
    config["models"][model] |= values
    path.write_text(yaml.safe_dump(config, sort_keys=False))


def ran(told: str) -> set[str]:
    """Return the stages that DVC says it ran."""
    return {line.split("'")[1] for line in told.splitlines() if line.startswith("Running stage")}


def cached(clone: Path) -> dict[str, str]:
    """Return name and digest of every file in the cache."""
    files = [path for path in (clone / ".dvc/cache/files").rglob("*") if path.is_file()]
    return {str(path.relative_to(clone)): hashlib.md5(path.read_bytes()).hexdigest() for path in files}


def has_nothing_to_do(clone: Path) -> bool:
    return "Nothing to be done" in run(clone, *SNAKEMAKE, "--dry-run")


def stale(clone: Path) -> set[str]:
    """Return the stages of which DVC says that they are not up to date."""
    return set(json.loads(run(clone, "dvc", "status", "--json")))


def copied(folder: Path, study: dict) -> Path:
    """Copy what git tracks into a folder, with a study of its own as the default one."""
    for name in subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines():
        if not name.startswith(("tests/", "docs/", "results/quickstart/")):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
    # The keys that dvc.yaml follows stand in the file itself, as in the repository's own.
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text()) | study
    (folder / "config/config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    return folder


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """Return what git tracks, with a small study that Snakemake ran; recorded, and pushed to a folder."""
    base = tmp_path_factory.mktemp("dvc")
    folder = copied(base / "origin", STUDY)
    run(folder, "git", "init", "-q")
    run(folder, "dvc", "remote", "add", "--default", "store", str(base / "store"))
    commit(folder)
    early = tried(folder, *HANDSHAKE, "record")
    assert early.returncode == 1 and "has not finished the study" in early.stderr
    run(folder, *SNAKEMAKE)
    trained = (folder / PLACE / "cnn/seed0/model.safetensors").stat().st_mtime_ns
    assert "Recorded" in run(folder, *HANDSHAKE, "record")
    assert (folder / PLACE / "cnn/seed0/model.safetensors").stat().st_mtime_ns == trained
    commit(folder)
    run(folder, "dvc", "push")
    return folder


@pytest.fixture(scope="module")
def clone(origin):
    """Return a fresh clone that pulled from the folder and adopted; its files are read-only links."""
    folder = origin.parent / "clone"
    subprocess.run(["git", "clone", "-q", origin, folder], check=True)
    run(folder, "dvc", "config", "--local", "cache.type", "hardlink,symlink")
    # Nothing is here yet, and so nothing is adopted.
    empty = tried(folder, *HANDSHAKE, "adopt")
    assert empty.returncode == 1 and "dvc pull" in empty.stderr
    run(folder, "dvc", "pull")
    assert "Adopted" in run(folder, *HANDSHAKE, "adopt")
    return folder


def test_what_snakemake_made_is_recorded_and_both_tools_have_nothing_to_do(origin):
    assert has_nothing_to_do(origin)
    assert "up to date" in run(origin, "dvc", "status")
    assert ran(run(origin, "dvc", "repro")) == set()
    assert run(origin, "git", "status", "--porcelain") == ""
    tracked = run(origin, "git", "ls-files", "results", "data").split()
    assert f"{PLACE}/cnn/seed0/metrics.json" in tracked
    assert all(name.endswith(("metrics.json", "README.md", ".gitignore")) for name in tracked)


def test_a_clone_has_nothing_to_do_after_pull_and_adopt(clone):
    assert not os.access(clone / PLACE / "cnn/seed0/model.safetensors", os.W_OK) or os.geteuid() == 0
    assert has_nothing_to_do(clone)
    assert ran(run(clone, "dvc", "repro")) == set()


def test_a_clone_pulls_from_s3_with_keys_that_are_written_nowhere(origin):
    clone = origin.parent / "from-s3"
    with local_s3("store") as address:
        run(origin, "dvc", "remote", "add", "cloud", "s3://store/brainmri")
        run(origin, "dvc", "remote", "modify", "cloud", "endpointurl", address)
        run(origin, "dvc", "push", "--remote", "cloud")
        commit(origin)
        subprocess.run(["git", "clone", "-q", origin, clone], check=True)
        run(clone, "dvc", "pull", "--remote", "cloud")
    assert "Adopted" in run(clone, *HANDSHAKE, "adopt")
    assert has_nothing_to_do(clone)
    for folder in (origin, clone):
        written = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
        secrets = [value.encode() for value in KEYS.values()]
        assert not [path for path in written if any(secret in path.read_bytes() for secret in secrets)]


def test_metrics_and_plots_are_shown(clone):
    shown = run(clone, "dvc", "metrics", "show", "--json")
    assert shown.count("metrics.json") == 2 and "macro_f1" in shown
    run(clone, "dvc", "plots", "show", "--out", "plots")
    page = (clone / "plots/index.html").read_text()
    assert "loss phantom/grouped/cnn/seed0" in page and "confusion phantom/grouped/cnn/seed0" in page
    assert '"type": "line"' in page and '"type": "rect"' in page
    shutil.rmtree(clone / "plots")


def test_a_changed_model_runs_alone_in_both_tools_and_the_cache_stays_whole(clone):
    before = cached(clone)
    change(clone, "cnn", epochs=1, head={"hidden": [8]})
    stale = tried(clone, *HANDSHAKE, "adopt")
    assert stale.returncode == 1 and "dvc status" in stale.stderr
    plan = run(clone, *SNAKEMAKE, "--dry-run", "--quiet", "rules")
    planned = {words[0]: words[1] for line in plan.splitlines() if len(words := line.split()) == 2}
    assert planned["train"] == planned["evaluate"] == planned["report"] == "1"
    assert not {"fetch", "audit", "crop", "split", "baselines"} & set(planned)
    other = (clone / PLACE / "other/seed0/model.safetensors").stat().st_mtime_ns
    assert ran(run(clone, "dvc", "repro")) == {"plan", "model@phantom.grouped.cnn.0", "report"}
    assert (clone / PLACE / "other/seed0/model.safetensors").stat().st_mtime_ns == other
    assert before.items() <= cached(clone).items()
    assert has_nothing_to_do(clone)
    assert "accuracy" in run(clone, "dvc", "metrics", "diff")
    commit(clone)


SCHEMA = "workflow/schemas/config.schema.yaml"
MODELS = {f"model@phantom.grouped.{name}.0" for name in ("cnn", "other")}


@pytest.mark.parametrize(
    ("file", "old", "new", "changed"),
    [
        # A default that nobody writes, a sentence, what `recipe: standard` would stand for, a rule.
        (SCHEMA, 'default: 0.9, description: "Momentum', 'default: 0.8, description: "Momentum', MODELS),
        (SCHEMA, "Momentum of sgd", "Momentum", set()),
        ("src/brainmri/training/standard.py", '"augment": "standard"', '"augment": "none"', set()),
        (
            "workflow/rules/evaluation.smk",
            "brainmri baselines",
            "nice brainmri baselines",
            {"baselines@phantom.grouped"},
        ),
    ],
)
def test_a_changed_default_or_rule_makes_stale_what_it_decides(clone, file, old, new, changed):
    path = clone / file
    before = path.read_text()
    assert before.count(old) == 1
    path.write_text(before.replace(old, new))
    assert stale(clone) == {"plan"}
    refused = tried(clone, *HANDSHAKE, "adopt")
    assert refused.returncode == 1 and "dvc status" in refused.stderr
    assert ran(run(clone, "dvc", "repro", "plan")) == {"plan"}
    # The page tells the recipes of all models, too.
    assert stale(clone) == changed | ({"report"} if changed == MODELS else set())
    if not changed:
        assert "Adopted" in run(clone, *HANDSHAKE, "adopt")
    path.write_text(before)
    run(clone, "dvc", "repro", "plan")
    assert stale(clone) == set()


def test_an_experiment_changes_a_parameter(clone):
    # A size that is not packed yet, too.
    wish = [
        "-S",
        "config/config.yaml:models.cnn.epochs=2",
        "-S",
        "config/config.yaml:models.cnn.image_size=48",
    ]
    assert ran(run(clone, "dvc", "exp", "run", *wish)) == {"plan", "model@phantom.grouped.cnn.0", "report"}
    assert yaml.safe_load((clone / "config/config.yaml").read_text())["models"]["cnn"]["image_size"] == 48
    # The stages still name the old size.
    assert "make stages" in tried(clone, *HANDSHAKE, "adopt").stderr


def write_local(folder: Path, seed: int) -> None:
    """Write an archive and weights into a clone."""
    for file in (ARCHIVE, WEIGHTS):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
    drawn = folder.parent / f"drawn{seed}"
    phantom(drawn, truth=drawn.with_suffix(".parquet"), patients=24, slices=2, size=64, seed=seed)
    shutil.make_archive(str((folder / ARCHIVE).with_suffix("")), "zip", drawn)
    design = Design(architecture="cnn", image_size=32, cnn=CnnSettings(**CNN["cnn"]))
    save_file(build_model(design, 4).body.state_dict(), folder / WEIGHTS)


@pytest.fixture(scope="module")
def local_origin(tmp_path_factory):
    """Return a recorded and pushed study that starts from an archive and weights of this machine."""
    base = tmp_path_factory.mktemp("local")
    folder = copied(base / "origin", LOCAL_STUDY)
    write_local(folder, seed=1)
    run(folder, "git", "init", "-q")
    run(folder, "dvc", "remote", "add", "--default", "store", str(base / "store"))
    run(folder, *SNAKEMAKE)
    run(folder, *HANDSHAKE, "record")
    commit(folder)
    run(folder, "dvc", "push")
    return folder


def test_a_clone_adopts_without_the_archive_and_weights_and_with_the_same_but_not_with_others(local_origin):
    clone = local_origin.parent / "clone"
    subprocess.run(["git", "clone", "-q", local_origin, clone], check=True)
    run(clone, "dvc", "pull")
    assert "Adopted" in run(clone, *HANDSHAKE, "adopt")
    assert has_nothing_to_do(clone)
    assert ran(run(clone, "dvc", "repro")) == {"plan"}
    assert run(clone, "git", "status", "--porcelain") == ""
    for file, made in ((ARCHIVE, "data/scans"), (WEIGHTS, "results/quickstart/scans/grouped/own/seed0")):
        place = clone / file
        place.parent.mkdir(parents=True)
        shutil.copy(local_origin / file, place)
        assert "Adopted" in run(clone, *HANDSHAKE, "adopt")
        assert has_nothing_to_do(clone)
        place.write_bytes(b"other")
        refused = tried(clone, *HANDSHAKE, "adopt")
        assert refused.returncode == 1
        assert f"{file} is not what {made} was made from" in refused.stderr
        shutil.copy(local_origin / file, place)
    assert ran(run(clone, "dvc", "repro")) == {"plan"}


def test_another_archive_or_weights_under_the_same_name_are_noticed_where_they_lie(local_origin):
    assert ran(run(local_origin, "dvc", "repro")) == {"plan"}
    archive = (local_origin / ARCHIVE).read_bytes()
    write_local(local_origin, seed=2)
    run(local_origin, "dvc", "repro", "plan")
    assert stale(local_origin) == {"plan", "data-scans", "model@scans.grouped.own.0"}
    # What is undone is as if it had not been.
    (local_origin / ARCHIVE).write_bytes(archive)
    assert ran(run(local_origin, "dvc", "repro")) == {"plan", "model@scans.grouped.own.0", "report"}
    assert ran(run(local_origin, "dvc", "repro")) == {"plan"}
    assert has_nothing_to_do(local_origin)
