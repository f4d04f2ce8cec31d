"""Every mistake in a configuration is one sentence with its place."""

import pytest
from configurations import VALID, changed
from helpers import SCHEMA
from hypothesis import given
from hypothesis import strategies as st

from brainmri.configuration import checked
from brainmri.errors import BrainmriError

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
    ("datasets.mine.classes", {"glioma": True, "no_tumor": "n"}, "glioma: True is no string; YAML reads yes"),
    ("datasets.mine.classes", {"glioma": [1, 2], "no_tumor": "n"}, "classes.glioma.0: 1 is no string; YAML"),
    ("class_names", ["glioma", "metastasis"], "no folder of any data set maps to 'metastasis'"),
    ("datasets.mine.classes", {"glioma": "g", "no_tumor": "n"}, "leave 'pituitary' out of class_names"),
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
