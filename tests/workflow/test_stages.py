"""dvc.yaml is what the configuration gives, and each artefact of a study belongs to one of its stages."""

import json
import re
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml
from helpers import ROOT

from brainmri.jobs import jobs_of
from brainmri.sources.fetch import fetch
from brainmri.sources.settings import SourceSettings
from brainmri.status import configured

sys.path.insert(0, str(ROOT / "workflow/versioning"))
from plan import other_starts
from stages import stages_text

POOLED = {
    "study": "pooled",
    "datasets": {
        "one": {"source": {"phantom": {"patients": 24, "slices": 3}}, "crop": {"method": "none"}},
        "two": {"source": {"directory": "two"}, "splits": ["cv"]},
        "both": {"source": {"datasets": ["one", "two"]}, "splits": ["left_out"]},
    },
    "splits": {
        "cv": {"protocol": "grouped", "folds": 3},
        "left_out": {"protocol": "leave_one_out", "test_dataset": "two"},
    },
    "models": {
        "cnn": {"architecture": "cnn", "image_size": 32},
        "other": {"architecture": "cnn", "image_size": 64},
    },
    "external": True,
}
CONFIGURATIONS = [
    *("config/config.yaml", "config/kaggle.yaml"),
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "config/examples").glob("*.yaml")),
    POOLED,
]


def stages_of(text: str) -> dict[str, dict]:
    """Return every stage of a dvc.yaml by its name, those over a list written out."""
    found = {}
    # Configurations of ninety trainings: the readers in C.
    for name, stage in yaml.load(text, Loader=yaml.CSafeLoader)["stages"].items():
        for key, item in stage.get("foreach", {None: None}).items():
            written = json.dumps(stage["do"] if item else stage)
            filled = re.sub(r"\$\{item\.(\w+)\}", lambda match, item=item: str(item[match[1]]), written)
            found[f"{name}@{key}" if item else name] = json.loads(filled.replace("${key}", str(key)))
    return found


def made_by(stage: dict) -> list[Path]:
    """Return what a stage declares to make."""
    made = [*stage["outs"], *stage.get("metrics", [])]
    return [Path(out if isinstance(out, str) else next(iter(out))) for out in made]


@pytest.fixture(
    scope="module", params=CONFIGURATIONS, ids=lambda config: config if isinstance(config, str) else "pooled"
)
def planned(request, tmp_path_factory):
    """Return the stages of a configuration, the configuration as written, and its study."""
    if isinstance(request.param, str):
        path = ROOT / request.param
    else:
        path = tmp_path_factory.mktemp("pooled") / "config.yaml"
        path.write_text(yaml.safe_dump(request.param, sort_keys=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return stages_of(stages_text(path)), yaml.safe_load(path.read_text()), configured(path)


def test_the_committed_file_is_what_the_default_configuration_gives(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert (ROOT / "dvc.yaml").read_text() == stages_text(), "run `make stages`"


def test_every_artefact_is_an_output_of_exactly_one_stage(planned):
    stages, _, study = planned
    made = Counter(out for stage in stages.values() for out in made_by(stage))
    assert set(made.values()) == {1}
    for job in jobs_of(study):
        for output in job.outputs:
            assert len([place for place in (output, *output.parents) if place in made]) == 1, output


def test_what_a_stage_reads_is_made_by_another_or_lies_in_git(planned):
    stages, _, _ = planned
    made = {out for stage in stages.values() for out in made_by(stage)}
    for name, stage in stages.items():
        for dependency in map(Path, stage["deps"]):
            if dependency.parts[0] in ("data", "results"):
                assert dependency in made, (name, dependency)
            else:
                assert (ROOT / dependency).is_file(), (name, dependency)


def test_parameters_stand_in_the_configuration_and_not_in_the_commands(planned):
    stages, written, _ = planned
    for name, stage in stages.items():
        for parameters in stage.get("params", []):
            for key in parameters.get("config/config.yaml") or []:
                value = written
                for part in key.split("."):
                    assert part in value, (name, key)
                    value = value[part]
        assert ("--allowed-rules" in stage["cmd"]) is (name != "plan") and "--config " not in stage["cmd"]


def test_each_stage_depends_on_its_own_entry_of_the_plan_which_depends_on_all_that_decides_it(planned):
    stages, _, study = planned
    plan = f"{study.folder}/plan.json"
    for name, stage in stages.items():
        entries = [
            keys for parameters in stage["params"] for path, keys in parameters.items() if path == plan
        ]
        assert entries == ([] if name == "plan" else [[name.replace("@", ".")]])
    assert stages["plan"]["params"] == [{"config/config.yaml": None}]
    rules = {str(path.relative_to(ROOT)) for path in (ROOT / "workflow/rules").iterdir()}
    deciding = {
        "Snakefile",
        "workflow/schemas/config.schema.yaml",
        "src/brainmri/configuration.py",
        "src/brainmri/training/standard.py",
    }
    assert rules | deciding <= set(stages["plan"]["deps"])


def test_the_file_is_the_same_on_every_machine(tmp_path, monkeypatch):
    config = {
        "study": "local",
        "archives_dir": "kept",
        "datasets": {
            "kaggle": {"source": {"kaggle": "someone/set"}},
            "zipped": {"source": {"archive": "other.zip"}},
        },
        "splits": {"random": {"protocol": "random"}},
        "models": {
            "tuned": {"architecture": "resnet18", "image_size": 32, "pretrained": True},
            "own": {"architecture": "resnet18", "image_size": 32, "pretrained": "own.safetensors"},
            "random": {"architecture": "resnet18", "image_size": 32},
        },
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    monkeypatch.chdir(tmp_path)
    without = stages_text(Path("config.yaml"))
    assert stages_of(without)["plan"]["always_changed"]
    files = ["kept/someone/set.zip", "other.zip", "data/weights/resnet18.safetensors", "own.safetensors"]
    for file in files:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).touch()
    assert stages_text(Path("config.yaml")) == without


def test_a_new_file_in_the_folder_of_a_source_is_told_to_dvc(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(POOLED, sort_keys=False))
    study = configured(Path("config.yaml"))
    assert other_starts(study) == []
    Path("two").mkdir()
    Path("two/a.png").touch()
    folder = study.data_folder("two")
    fetch("two", SourceSettings(directory=Path("two")), folder / "raw", folder / "fetch.json")
    assert other_starts(study) == []
    Path("two/b.png").touch()
    assert [start.stage for start in other_starts(study)] == ["data-two"]


def test_only_a_study_with_archives_folders_or_weights_looks_at_the_machine_each_time(planned):
    stages, _, study = planned
    sources = {key for dataset in study.datasets.values() for key in dataset["source"]}
    pretrained = any(recipe["pretrained"] for recipe in study.models.values())
    looks = bool(pretrained or sources & {"kaggle", "archive", "directory"})
    assert stages["plan"].get("always_changed", False) is looks
