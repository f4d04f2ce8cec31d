"""The configuration: what is valid is completed; data sets, splits and models are chosen as told."""

import json
from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from configurations import VALID, changed
from helpers import ROOT, SCHEMA

from brainmri.configuration import checked
from brainmri.errors import BrainmriError
from brainmri.study import Study

CONFIGURATIONS = sorted((ROOT / "config").rglob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: path.stem)
def test_every_configuration_of_the_repository_is_valid(path):
    assert checked(yaml.safe_load(path.read_text()), SCHEMA)["study"]


def test_defaults_are_filled_in_and_the_input_is_left_alone():
    before = deepcopy(VALID)
    config = checked(VALID, SCHEMA)
    assert before == VALID
    assert config["seeds"] == [0]
    assert config["models"]["cnn"]["optimizer"]["learning_rate"] == 0.001
    assert config["datasets"]["mine"]["crop"]["threshold"] == 45


def test_a_single_folder_may_stand_without_its_list():
    config = changed("datasets.mine.classes", {"glioma": "g", "no_tumor": ["n", "m"]})
    config["class_names"] = ["glioma", "no_tumor"]
    assert checked(config, SCHEMA)["datasets"]["mine"]["classes"] == {"glioma": ["g"], "no_tumor": ["n", "m"]}


def test_an_architecture_may_name_the_tag_of_its_weights():
    assert checked(changed("models.cnn.architecture", "resnet50.a1_in1k"), SCHEMA)


def test_a_split_of_folds_becomes_a_split_for_each_wherever_it_is_named():
    config = changed("splits", {"cv": {"protocol": "grouped", "folds": 3}, "random": {"protocol": "random"}})
    config["datasets"] |= {"one": {"source": {"phantom": {}}, "splits": ["random", "cv", "cv-fold1"]}}
    config = checked(config, SCHEMA)
    assert list(config["splits"]) == ["cv-fold0", "cv-fold1", "cv-fold2", "random"]
    assert [split["fold"] for split in config["splits"].values()] == [0, 1, 2, None]
    assert config["datasets"]["one"]["splits"] == ["random", "cv-fold0", "cv-fold1", "cv-fold2"]
    assert config["datasets"]["mine"]["splits"] is None


def as_texts(value):
    """Return what Snakemake makes of a value in brackets after --config: every leaf is a text."""
    if isinstance(value, dict):
        return {key: as_texts(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [as_texts(item) for item in value]
    return value if isinstance(value, str) else json.dumps(value)


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: path.stem)
def test_numbers_given_as_texts_on_the_command_line_are_numbers(path):
    config = yaml.safe_load(path.read_text())
    assert checked(as_texts(config), SCHEMA) == checked(config, SCHEMA)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e999", "[1]", "twelve"])
def test_a_text_that_is_no_number_stays_a_mistake(text):
    with pytest.raises(BrainmriError, match="learning_rate"):
        checked(changed("models.cnn.optimizer", {"learning_rate": text}), SCHEMA)


def study_of(config: dict) -> Study:
    """Return the study that a configuration describes, as the Snakefile makes it."""
    return Study.from_config(checked(config, SCHEMA))


def test_the_first_model_is_probed_on_every_split_unless_the_configuration_says_otherwise():
    config = deepcopy(VALID)
    config["models"]["net"] = {"architecture": "resnet18", "image_size": 64}
    config["splits"]["cv"] = {"protocol": "grouped", "folds": 2}
    study = study_of(config)
    assert (study.probed_model(), study.probes["epochs"]) == ("cnn", 4)
    assert study.probed() == study.dataset_splits()
    of_folds = study_of(config | {"probes": {"model": "net", "splits": ["cv"]}})
    assert of_folds.probed() == [("mine", "cv-fold0"), ("mine", "cv-fold1")]
    assert of_folds.probes_folder("mine", "cv-fold0") == Path("results/mine/mine/cv-fold0/probes/net")
    assert study_of(config | {"probes": {"epochs": 0}}).probed() == []


def test_where_only_leaves_the_probed_model_or_split_out_the_rest_is_probed():
    config = deepcopy(VALID)
    config["models"]["net"] = {"architecture": "resnet18", "image_size": 64}
    config["splits"]["random"] = {"protocol": "random"}
    config["probes"] = {"model": "net", "splits": ["grouped"]}
    assert study_of(config | {"only": {"models": ["cnn"]}}).probed_model() == "cnn"
    assert study_of(config | {"only": {"splits": ["random"]}}).probed() == []


def test_only_a_part_of_a_study_is_left_with_its_claims():
    config = yaml.safe_load((ROOT / "config/reference/sartaj-baseline-efficientnet.yaml").read_text())
    config["only"] = {"models": ["mobilenetv2_100", "baseline_cnn"], "splits": ["grouped"]}
    config = checked(config, SCHEMA)
    assert list(config["models"]) == ["baseline_cnn", "mobilenetv2_100"]
    assert list(config["splits"]) == ["grouped"]
    assert [claim["model"] for claim in config["claims"]] == ["baseline_cnn"]


def test_a_data_set_that_takes_part_in_no_split_that_is_left_is_left_out():
    config = yaml.safe_load((ROOT / "config/kaggle.yaml").read_text())
    assert set(checked(config | {"only": {"splits": ["random"]}}, SCHEMA)["datasets"]) == {"orvile"}
    left = checked(config | {"only": {"datasets": ["masoud", "sartaj"]}}, SCHEMA)["datasets"]
    assert {name: dataset["splits"] for name, dataset in left.items()} == {
        "sartaj": ["published", "grouped"],
        "masoud": ["published", "grouped"],
    }
    with pytest.raises(BrainmriError, match="none of these data sets takes part in one of these splits"):
        checked(config | {"only": {"datasets": ["orvile"], "splits": ["published"]}}, SCHEMA)


def test_a_pooled_set_that_is_chosen_brings_its_members_and_a_split_of_folds_its_folds():
    config = pooled()
    config["splits"]["cv"] = {"protocol": "grouped", "folds": 2}
    left = checked(config | {"only": {"datasets": ["both"], "splits": ["cv"]}}, SCHEMA)
    assert {name: dataset["splits"] for name, dataset in left["datasets"].items()} == {
        "mine": [],
        "other": [],
        "both": None,
    }
    assert list(left["splits"]) == ["cv-fold0", "cv-fold1"]
    assert list(checked(config | {"only": {"splits": ["cv-fold1"]}}, SCHEMA)["splits"]) == ["cv-fold1"]


def pooled(**keys) -> dict:
    """Return a valid configuration with two sets, one of both, and a split that leaves out the first."""
    config = changed("datasets.both", {"source": {"datasets": ["mine", "other"]}} | keys)
    config["datasets"]["other"] = {"source": {"phantom": {}}}
    config["splits"]["external"] = {"protocol": "leave_one_out", "test_dataset": "mine"}
    return config


def test_a_split_that_leaves_out_a_member_is_of_the_pooled_set_alone():
    study = study_of(pooled())
    assert study.splits_of("mine") == study.splits_of("other") == ["grouped"]
    assert study.splits_of("both") == ["grouped", "external"]
    assert (study.fetched(), study.pooled()) == (["mine", "other"], ["both"])


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"layout": {"train": "Training"}}, "datasets.both: a pooled data set is read as its members are"),
        ({"classes": {"glioma": "a", "no_tumor": "b"}}, "a pooled data set is read as its members are"),
    ],
)
def test_a_pooled_set_has_no_folders_of_its_own(keys, expected):
    with pytest.raises(BrainmriError, match=expected):
        checked(pooled(**keys), SCHEMA)


def test_a_set_that_is_not_pooled_cannot_leave_out_a_member():
    config = pooled()
    config["datasets"]["mine"]["splits"] = ["external"]
    with pytest.raises(BrainmriError, match="'external' tests on 'mine', which is not among the members"):
        checked(config, SCHEMA)
