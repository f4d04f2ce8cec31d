"""The configuration: what is valid is completed, every mistake is one sentence with its place."""

import json
from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from helpers import ROOT, SCHEMA
from hypothesis import given
from hypothesis import strategies as st

from brainmri.configuration import checked
from brainmri.errors import BrainmriError
from brainmri.study import Study

CONFIGURATIONS = sorted((ROOT / "config").rglob("*.yaml"))

VALID = {
    "study": "mine",
    "datasets": {"mine": {"source": {"phantom": {}}}},
    "splits": {"grouped": {"protocol": "grouped"}},
    "models": {"cnn": {"architecture": "cnn", "image_size": 64}},
}


def changed(path: str, value) -> dict:
    """Return the valid configuration with one key set; `path` is dotted."""
    config = deepcopy(VALID)
    *parents, last = path.split(".")
    place = config
    for key in parents:
        place = place.setdefault(key, {})
    place[last] = value
    return config


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


MISTAKES = [
    ("models.cnn.xyzzy", 1, "models.cnn: unknown key 'xyzzy'. The nearest of"),
    ("studdy", "x", "unknown key 'studdy'. Did you mean 'study'?"),
    ("study", "a/b", "study"),
    ("study", 3, "study: 3 is no string"),
    ("seeds", [], "seeds: it needs at least 1 entry"),
    ("seeds", [1, 1], "seeds: an entry stands twice"),
    ("seeds", [-1], "seeds.0: -1 is impossible; it must be at least 0"),
    ("datasets", {}, "datasets: it needs at least 1 entry"),
    ("datasets.mine.source", {}, "datasets.mine: source has none of its kinds"),
    ("datasets.mine.source", {"archive": "a.zip", "directory": "b"}, "archive and directory"),
    ("datasets.mine.source", {"kagle": "a/b"}, "Did you mean 'kaggle'?"),
    ("datasets.mine.source", {"kaggle": "no-owner"}, "datasets.mine.source.kaggle"),
    ("datasets.mine.source.phantom", {"patient": 3}, "Did you mean 'patients'?"),
    (
        "datasets.mine.source.phantom",
        {"patients": 2, "slices": 1, "conflicts": 3},
        "datasets.mine.source.phantom: copies (0.1) and conflicts (3) ask for 3 copies of 2 images",
    ),
    ("datasets.mine.source.phantom", {"corrupt": 2000}, "corrupt"),
    ("datasets.mine.layout", {"trian": "Training"}, "Did you mean 'train'?"),
    ("datasets.mine.layout", {"patient_pattern": "(P"}, "datasets.mine"),
    ("datasets.mine.crop", {"threshold": 300}, "datasets.mine.crop.threshold: 300 is impossible"),
    ("datasets.mine.crop", {"method": "contours"}, "Did you mean 'contour'?"),
    ("datasets.mine.splits", ["groupd"], "there is no split 'groupd'. Did you mean 'grouped'?"),
    (
        "datasets.mine.classes",
        {"gliom": "g", "no_tumor": "n"},
        "'gliom' is no class of this study. Did you mean 'glioma'?",
    ),
    ("datasets.mine.classes", {"glioma": "g", "no_tumor": "g"}, "mapped to both 'glioma' and 'no_tumor'"),
    (
        "datasets.mine.classes",
        {"glioma": "g", "no_tumor": []},
        "datasets.mine.classes.no_tumor: it needs at least 1 entry",
    ),
    ("class_names", ["glioma", "metastasis"], "no folder of any data set maps to 'metastasis'"),
    ("splits.grouped", {}, "splits.grouped: the key 'protocol' is missing"),
    ("splits.grouped.protocol", "patient", "splits.grouped.protocol: 'patient' is not allowed"),
    ("splits.grouped.test", 1.2, "splits.grouped.test: 1.2 is impossible; it must be below 1"),
    ("splits.grouped.train", 0.9, "splits.grouped: train + val + test is 1.2, 120% of the images"),
    ("splits.grouped.trian", 0.7, "splits.grouped: unknown key 'trian'. Did you mean 'train'?"),
    ("splits.grouped.folds", 1, "splits.grouped.folds: 1 is impossible; it must be at least 2"),
    (
        "splits.grouped",
        {"protocol": "random", "folds": 5},
        "splits.grouped: folds: the protocol 'random' has",
    ),
    ("splits.grouped", {"protocol": "grouped", "folds": 3, "fold": 3}, "the 3 folds are 0 to 2"),
    ("splits.grouped", {"protocol": "grouped", "fold": 3}, "splits.grouped: fold: 3 goes with folds"),
    (
        "splits",
        {"cv": {"protocol": "grouped", "folds": 2}, "cv-fold1": {"protocol": "random"}},
        "splits.cv-fold1: the split 'cv' has a fold of this name",
    ),
    (
        "splits.out",
        {"protocol": "leave_one_out"},
        "splits.out: test_dataset: name the data set that tests",
    ),
    (
        "splits.grouped.test_dataset",
        "mine",
        "splits.grouped: test_dataset: the protocol 'grouped' has none",
    ),
    (
        "splits.out",
        {"protocol": "leave_one_out", "test_dataset": "mine"},
        "splits.out.test_dataset: no data set is pooled from 'mine' and others",
    ),
    ("datasets.both.source", {"datasets": ["mine"]}, "datasets.both.source.datasets: it needs at least 2"),
    ("datasets.both.source", {"datasets": ["mine", "mnie"]}, "no data set 'mnie'. Did you mean 'mine'?"),
    ("datasets.both.source", {"datasets": ["mine", "both"]}, "'both' is itself pooled from others"),
    ("datasets.mine.splits", [], "datasets: none takes part in a split"),
    ("splits.report", {"protocol": "random"}, "splits.report: 'report' is the name of a folder"),
    ("models.probes", {"architecture": "cnn", "image_size": 64}, "'probes' is the name of a folder"),
    ("probes", {"model": "cmn"}, "probes.model: there is no model 'cmn'. Did you mean 'cnn'?"),
    ("probes", {"splits": ["gruped"]}, "probes.splits: there is no split 'gruped'. Did you mean 'grouped'?"),
    ("probes", {"epochs": -1}, "probes.epochs: -1 is impossible; it must be at least 0"),
    ("models.cnn.architecture", "resnet5O", "resnet50"),
    ("models.cnn.epochs", "twelve", "models.cnn.epochs: 'twelve' is no integer"),
    ("models.cnn.epochs", 0, "models.cnn.epochs: 0 is impossible; it must be at least 1"),
    ("models.cnn.epoch", 3, "models.cnn: unknown key 'epoch'. Did you mean 'epochs'?"),
    ("models.cnn.optimizer", {"name": "adamm"}, "Did you mean 'adam'?"),
    ("models.cnn.optimizer", {"learning_rate": 0}, "models.cnn.optimizer.learning_rate: 0 is impossible"),
    ("models.cnn.schedule", {"name": "cosin"}, "Did you mean 'cosine'?"),
    ("models.cnn.early_stopping", {"monitor": "val_acc"}, "Did you mean 'val_accuracy'?"),
    ("models.cnn.augment", "standart", "Did you mean 'standard'?"),
    ("models.cnn.augment", {"rotate": 3}, "Did you mean 'rotation'?"),
    ("models.cnn.augment", {"rotation": 300}, "models.cnn.augment.rotation: 300 is impossible"),
    ("models.cnn.augment", {"zoom": [1.2, 0.8]}, "models.cnn"),
    ("models.cnn.head", {"hidden": [0]}, "models.cnn.head.hidden.0: 0 is impossible"),
    ("models.cnn.cnn", {"channels": []}, "models.cnn.cnn.channels: it needs at least 1 entry"),
    ("models.cnn.precision", "bf61", "Did you mean 'bf16'?"),
    ("models.cnn.image_size", 4, "models.cnn.image_size: 4 is impossible"),
    ("models", {"a": {"architecture": "cnn"}}, "models.a: the key 'image_size' is missing"),
    ("models", {"a b": {"architecture": "cnn", "image_size": 64}}, "'a b' is no valid name"),
    ("claims", [{"system": "x", "model": "cn", "value": 0.9}], "there is no model 'cn'. Did you mean 'cnn'?"),
    (
        "claims",
        [{"system": "x", "model": "cnn", "value": 0.9, "protocol": "random"}],
        "claims.0.protocol: there is no split of the protocol 'random'. Known: grouped",
    ),
    (
        "claims",
        [{"system": "x", "model": "cnn", "value": 0.9, "dataset": "mien"}],
        "there is no data set 'mien'. Did you mean 'mine'?",
    ),
    (
        "claims",
        [{"system": "x", "model": "cnn", "value": 0.9, "metric": "acuracy"}],
        "claims.0.metric: 'acuracy' is not allowed. Did you mean 'accuracy'?",
    ),
    (
        "claims",
        [{"system": "x", "model": "cnn", "value": 0.9, "metric": "macro_f1", "part": "train"}],
        "of the training part accuracy alone is recorded",
    ),
    ("only", {"models": ["cn"]}, "only.models: the study has no 'cn' there. Did you mean 'cnn'?"),
    ("only", {"model": ["cnn"]}, "only: unknown key 'model'. Did you mean 'models'?"),
    ("claims", [{"system": "x", "model": "cnn", "value": 960}], "claims.0.value: 960 is impossible"),
    ("device", "gpu", "device: 'gpu' is not allowed"),
]


@pytest.mark.parametrize(
    ("path", "value", "expected"), MISTAKES, ids=[f"{m[0]}-{i}" for i, m in enumerate(MISTAKES)]
)
def test_a_mistake_is_a_sentence_that_names_its_place(path, value, expected):
    with pytest.raises(BrainmriError) as caught:
        checked(changed(path, value), SCHEMA)
    assert expected in str(caught.value)


def test_several_mistakes_are_told_at_once():
    config = changed("models.cnn.epoch", 3)
    config["splits"]["grouped"]["trian"] = 1
    with pytest.raises(BrainmriError) as caught:
        checked(config, SCHEMA)
    assert "'epochs'" in str(caught.value) and "'train'" in str(caught.value)


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3)
    ),
    max_leaves=6,
)


@given(st.sampled_from([mistake[0] for mistake in MISTAKES] + list(VALID)), junk)
def test_whatever_stands_in_a_key_there_is_no_traceback(path, value):
    try:
        checked(changed(path, value), SCHEMA)
    except BrainmriError as error:
        assert str(error).startswith("the configuration is at fault:")
