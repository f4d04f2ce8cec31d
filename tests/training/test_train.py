"""The stage `train` on a tiny data set: what it writes, what it sees, what it refuses."""

import json
import shutil
import subprocess

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file
from training_command import train_command

from brainmri.errors import BrainmriError
from brainmri.images.box import CropSettings
from brainmri.models.saved import load_model, predict_logits
from brainmri.training.checkpoint import checkpoint_path
from brainmri.training.lock import locked
from brainmri.training.parts import class_weights, load_data, measure_normalisation
from brainmri.training.recipe import recipe_from
from brainmri.training.train import train

SMALL = {
    "image_size": 32,
    "cnn": {"channels": [4, 8], "batch_norm": True, "dropout": 0.1},
    "head": {"hidden": 16, "dropout": 0.2},
    "epochs": 2,
    "batch_size": 16,
    "augment": "standard",
}


@pytest.fixture
def trained(blob_files, tmp_path):
    """Return a function that trains by changes to a small recipe, and returns the folder of the results."""

    def run(name="run", seed=0, crop=CropSettings(), **changes):  # noqa: B008 (frozen)
        folder = tmp_path / name
        manifest, images = blob_files
        train(
            manifest,
            images,
            folder / "model.safetensors",
            folder / "model.json",
            folder / "history.parquet",
            recipe_from({**SMALL, **changes}),
            seed=seed,
            crop=crop,
            checkpoint_dir=tmp_path / "checkpoints",
            cache_dir=tmp_path / "arithmetic",
            device="cpu",
        )
        return folder

    return run


def weights_of(folder):
    return (folder / "model.safetensors").read_bytes()


def history_of(folder):
    return pd.read_parquet(folder / "history.parquet")


def test_the_three_artefacts_say_what_happened(trained, tmp_path):
    rates = {"learning_rate": 0.002, "body_learning_rate": 0.0005}
    folder = trained(crop=CropSettings(method="none"), seed=5, optimizer=rates)
    history = history_of(folder)
    assert list(history.columns) == [
        *("epoch", "train_loss", "val_loss", "train_accuracy", "val_accuracy", "val_macro_f1"),
        *("learning_rate", "seconds", "images_per_second", "phase"),
    ]
    assert list(history["epoch"]) == [1, 2]
    assert list(history["learning_rate"]) == [0.002, 0.002]
    assert b"brainmri.inputs" in pq.read_schema(folder / "history.parquet").metadata
    _, document = load_model(folder)
    assert document["classes"] == ["glioma", "meningioma", "pituitary"]
    assert document["crop"]["method"] == "none"
    assert document["recipe"]["head"]["hidden"] == 16
    assert (document["seed"], document["epochs"], document["device"]) == (5, 2, "cpu")
    assert document["best_epoch"] == history["val_loss"].idxmin() + 1
    assert document["seconds"] == pytest.approx(history["seconds"].sum())
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_the_saved_model_scores_what_the_history_says_of_the_best_epoch(trained, blob_files):
    manifest, images = blob_files
    # Smoothing is for training alone.
    folder = trained(precision="fp32", epochs=4, label_smoothing=0.3, checkpoint={"monitor": "val_loss"})
    model, document = load_model(folder)
    rows = pd.read_parquet(manifest).query("split == 'val'")
    logits = predict_logits(model, np.load(images)[rows["row"]], "cpu")
    loss = torch.nn.functional.cross_entropy(
        torch.from_numpy(logits), torch.tensor(rows["label_index"].values)
    )
    history = history_of(folder)
    assert loss.item() == pytest.approx(history["val_loss"].min(), rel=1e-5)
    accuracy = history["val_accuracy"][document["best_epoch"] - 1]
    assert (logits.argmax(1) == rows["label_index"]).mean() == pytest.approx(accuracy)


def test_it_learns(trained):
    history = history_of(trained(epochs=12, augment="none", optimizer={"learning_rate": 0.01}))
    assert history["train_loss"].iloc[-1] < 0.7 * history["train_loss"].iloc[0]
    assert history["val_accuracy"].max() > 0.6


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_same_seed_gives_the_same_bits_and_another_does_not(trained, precision):
    first, again, other = (
        trained(name, seed=seed, precision=precision) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert weights_of(first) == weights_of(again)
    assert weights_of(first) != weights_of(other)
    timeless = ["seconds", "images_per_second"]
    pd.testing.assert_frame_equal(
        history_of(first).drop(columns=timeless), history_of(again).drop(columns=timeless), check_exact=True
    )


def test_the_test_part_is_never_seen(trained, blob_files):
    manifest, images = blob_files
    before = trained("before")
    packed = np.load(images)
    rows = pd.read_parquet(manifest).query("split == 'test'")["row"]
    packed[rows] = 255 - packed[rows][:, ::-1]
    np.save(images, packed)
    assert weights_of(trained("after")) == weights_of(before)


def test_images_of_training_do_matter(trained, blob_files):
    images = blob_files[1]
    before = trained("before")
    packed = np.load(images)
    packed[0] = 255 - packed[0]
    np.save(images, packed)
    assert weights_of(trained("after")) != weights_of(before)


def test_early_stopping_ends_the_training_and_the_best_epoch_is_saved(trained):
    folder = trained(
        epochs=50,
        optimizer={"name": "sgd", "learning_rate": 1e-9, "momentum": 0.0},
        early_stopping={"monitor": "val_accuracy", "patience": 2},
        checkpoint={"monitor": "val_accuracy"},
    )
    history = history_of(folder)
    assert len(history) < 50
    document = json.loads((folder / "model.json").read_text())
    assert document["best_epoch"] == history["val_accuracy"].idxmax() + 1


def test_every_setting_of_a_recipe_can_be_trained_with(trained):
    folder = trained(
        architecture="mobilenetv2_035",
        head={"hidden": []},
        freeze_batch_norm=True,
        optimizer={"name": "adamw", "body_learning_rate": 1e-4, "weight_decay": 0.05},
        schedule={"name": "cosine", "warmup_epochs": 0.5},
        label_smoothing=0.1,
        class_weights="balanced",
        gradient_clip=1.0,
        epochs=1,
    )
    model, document = load_model(folder)
    assert document["architecture"] == "mobilenetv2_035"
    assert document["interpolation"] == "bicubic"
    assert model.body.bn1.running_mean.abs().max() == 0


def test_a_frozen_body_keeps_its_weights(trained):
    first = load_file(trained("one", freeze_body=True, epochs=1) / "model.safetensors")
    second = load_file(trained("two", freeze_body=True, epochs=3) / "model.safetensors")
    for key, tensor in first.items():
        assert torch.equal(tensor, second[key]) is key.startswith("body."), key


def test_a_training_that_diverges_says_so(trained, tmp_path):
    with pytest.raises(BrainmriError, match=r"loss is (nan|inf) in epoch \d: .*learning_rate"):
        trained(optimizer={"name": "sgd", "learning_rate": 99.0}, precision="fp32", head={"hidden": [64] * 6})
    assert not (tmp_path / "run").exists()


def test_a_second_training_of_the_same_model_is_kept_out(trained, tmp_path):
    target = tmp_path / "run" / "model.safetensors"
    with (
        locked(checkpoint_path(tmp_path / "checkpoints", target), target),
        pytest.raises(BrainmriError, match="Another process is training"),
    ):
        trained()
    trained()


def changed(blob_files, change):
    manifest, _ = blob_files
    change(pd.read_parquet(manifest)).to_parquet(manifest)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table[table["split"] != "val"], "no image in its part 'val'"),
        (lambda table: table[table["split"] != "train"], "no image in its part 'train'"),
        (
            lambda table: table[(table["split"] != "train") | (table["label"] != "glioma")],
            "no training image of glioma",
        ),
        (lambda table: table[table["label"] == "glioma"], "one class only"),
        (lambda table: table.assign(row=table["row"] + 1), "come from different runs"),
        (lambda table: table.assign(label_index=0), "do not match label_index"),
        (lambda table: pd.concat([table, table.head(1)]), "twice"),
        (lambda table: table.assign(split=table["split"].replace("val", "valid")), "holds 'valid'"),
        (lambda table: table.drop(columns="label"), "no readable Parquet table"),
    ],
)
def test_manifests_that_cannot_be_trained_on_are_refused(trained, blob_files, change, words):
    changed(blob_files, change)
    with pytest.raises(BrainmriError, match=words):
        trained()


def test_images_of_another_size_are_refused(trained):
    with pytest.raises(BrainmriError, match="images of 32 pixels; the recipe wants image_size 64"):
        trained(image_size=64)


def test_excluded_images_are_left_out_and_gaps_in_the_labels_closed(blob_files):
    manifest, images = blob_files

    def change(table):
        table.loc[:4, "split"] = "excluded"
        table.loc[:4, ["label_index", "row"]] = None
        return table.assign(label_index=table["label_index"].replace({2: 3}))

    changed(blob_files, change)
    data = load_data(manifest, images, 32)
    assert len(data.train) == 43
    assert data.classes == ["glioma", "meningioma", "pituitary"]
    assert set(data.train.labels) == {0, 1, 2}


def test_mean_and_deviation_are_those_of_the_training_part(blob_files):
    manifest, images = blob_files
    data = load_data(manifest, images, 32)
    pixels = np.load(images)[:48] / 255
    assert measure_normalisation(data) == pytest.approx((pixels.mean(), pixels.std()))


def test_balanced_weights_are_inverse_to_the_frequency():
    weights = class_weights(np.array([0, 0, 0, 1]), 2)
    assert weights == pytest.approx([4 / 6, 2])


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile wants a C++ compiler (g++)")
def test_a_compiled_network_trains_and_is_saved_like_any_other(blob_files, tmp_path):
    """The compiler's own names must not get into the file; the result is that of the plain network."""
    recipe = {**SMALL, "ema": 0.9, "precision": "fp32", "layout": "contiguous", "augment": "none"}
    recipe |= {"cnn": {"channels": [4]}, "head": {"hidden": 32}, "batch_size": 3}
    recipe["optimizer"] = {"name": "adamw", "weight_decay": 0.01}
    folders = {compiled: tmp_path / str(compiled) for compiled in (False, True)}
    for compiled, folder in folders.items():
        command = train_command(blob_files, folder, tmp_path / "state", {**recipe, "compile": compiled})
        subprocess.run(command, check=True, capture_output=True)
    plain, quick = (load_file(folder / "model.safetensors") for folder in folders.values())
    assert plain.keys() == quick.keys()
    for key, weights in plain.items():
        np.testing.assert_allclose(quick[key], weights, rtol=1e-2, atol=1e-3, err_msg=key)
