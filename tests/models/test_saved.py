"""A model on disk: what comes back, and what is refused."""

import json
import pickle

import numpy as np
import pytest
import torch
from helpers import save
from safetensors.torch import load_file, save_file

from brainmri.digests import file_digest
from brainmri.errors import BrainmriError
from brainmri.mapping import settings_from
from brainmri.models.build import build_model
from brainmri.models.saved import load_model, predict_logits
from brainmri.models.settings import Design


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (7, 32, 32), np.uint8)


@pytest.fixture
def saved(tmp_path):
    """Return a small trained model's folder, and the classifier that it was made of."""
    torch.manual_seed(0)
    design = settings_from(
        Design, {"image_size": 32, "cnn": {"channels": [4], "batch_norm": True}, "head": {"hidden": 8}}
    )
    model = build_model(design, 3)
    model.mean, model.std = 0.25, 0.2
    classes = ["glioma", "meningioma", "pituitary"]
    return save(model, tmp_path / "run", design, classes, {"method": "none"}, seed=3, best_epoch=2), model


def test_what_was_saved_comes_back(saved, images):
    folder, model = saved
    expected = predict_logits(model, images)
    for path in (folder, folder / "model.safetensors", folder / "model"):
        loaded, document = load_model(path)
        assert not loaded.training
        np.testing.assert_array_equal(predict_logits(loaded, images), expected)
    assert document["classes"] == ["glioma", "meningioma", "pituitary"]
    assert document["crop"] == {"method": "none"}
    assert document["manifest_sha256"] == "0" * 64
    assert (document["seed"], document["best_epoch"], document["channels"]) == (3, 2, 1)
    assert document["parameters"] == sum(parameter.numel() for parameter in model.parameters())


def test_logits_do_not_depend_on_the_batch(saved, images):
    _, model = saved
    whole = predict_logits(model, images)
    assert whole.shape == (7, 3)
    assert whole.dtype == np.float32
    np.testing.assert_allclose(predict_logits(model, images, "cpu", batch_size=2), whole, atol=1e-5)
    assert predict_logits(model, images[:0]).shape == (0, 3)


def test_logits_are_those_of_the_normalised_image(saved, images):
    _, model = saved
    with torch.no_grad():
        expected = model.eval()(((torch.from_numpy(images) / 255 - 0.25) / 0.2)[:, None])
    np.testing.assert_allclose(predict_logits(model, images), expected.numpy(), atol=1e-5)


def deep_network(depth):
    """Return the entries of a document that describe a transformer of so many layers."""
    recipe = {"architecture": "vit_tiny_patch16_224", "image_size": 224, "backbone": {"depth": depth}}
    return {"architecture": recipe["architecture"], "image_size": 224, "recipe": recipe}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"classes": None}, "'classes'"),
        ({"classes": ["a", "a", "b"]}, "'classes'"),
        ({"classes": ["a", "b", "=1+1"]}, "'classes'"),
        ({"classes": ["a", "b"]}, "shape"),
        ({"mean": "0.5"}, "'mean' is no number"),
        ({"std": 0}, "'std' is not above 0"),
        ({"recipe": []}, "'recipe' is no mapping"),
        ({"image_size": 64}, "differ"),
        ({"recipe": {"image_size": 32, "cnn": {"channels": [16384] * 2}}}, "shape"),
        ({"recipe": {"image_size": 32, "cnn": {"channels": ["x"]}}}, "cnn.channels"),
        ({"recipe": {"image_size": 32, "head": {"hidden": [16384] * 60}}}, "shape|lacks"),
        ({"recipe": {"architecture": "hf-hub:x/y"}}, "architecture"),
        (deep_network(10**7), "backbone.*allowed: numbers up to"),
        (deep_network(16384), "far fewer weights"),
        ({"weights_sha256": "1" * 64}, "is not the file"),
    ],
)
def test_a_document_that_lies_is_refused(saved, changes, words):
    folder, _ = saved
    document = {**json.loads((folder / "model.json").read_text()), **changes}
    (folder / "model.json").write_text(json.dumps(document))
    with pytest.raises(BrainmriError, match=words):
        load_model(folder)


@pytest.mark.parametrize("key", ["architecture", "classes", "image_size", "mean", "std", "recipe"])
def test_a_missing_key_is_named(saved, key):
    folder, _ = saved
    document = json.loads((folder / "model.json").read_text())
    del document[key]
    (folder / "model.json").write_text(json.dumps(document))
    with pytest.raises(BrainmriError, match=f"'{key}' is missing"):
        load_model(folder)


@pytest.mark.parametrize("text", ["[]", "nonsense", '"text"'])
def test_a_document_of_another_kind_is_refused(saved, text):
    folder, _ = saved
    (folder / "model.json").write_text(text)
    with pytest.raises(BrainmriError, match=r"model\.json"):
        load_model(folder)


def test_weights_that_are_none_are_refused(saved):
    folder, _ = saved
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    for hostile in (b"", b"\xff" * 64, whole[:-100], pickle.dumps({"a": 1})):
        weights.write_bytes(hostile)
        with pytest.raises(BrainmriError, match="no readable weights file"):
            load_model(folder)
    weights.unlink()
    with pytest.raises(BrainmriError, match="does not exist"):
        load_model(folder)


@pytest.mark.parametrize("change", ["missing", "shape", "infinite"])
def test_weights_of_another_network_are_refused(saved, change):
    folder, _ = saved
    weights = folder / "model.safetensors"
    state = load_file(weights)
    if change == "missing":
        del state["head.0.weight"]
    else:
        state["head.0.weight"] = torch.ones(2, 2) if change == "shape" else state["head.0.weight"] * torch.inf
    save_file(state, weights)
    document = json.loads((folder / "model.json").read_text())
    document["weights_sha256"] = file_digest(weights)
    (folder / "model.json").write_text(json.dumps(document))
    with pytest.raises(BrainmriError, match=r"head\.0\.weight"):
        load_model(folder)
