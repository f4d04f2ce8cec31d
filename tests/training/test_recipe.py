"""The recipe: defaults as documented, mistakes named by their key."""

import json
from dataclasses import asdict

import pytest

from brainmri.cli import main
from brainmri.errors import BrainmriError
from brainmri.training.recipe import AugmentSettings, Recipe, recipe_from


def test_an_empty_entry_is_the_default_recipe_and_survives_json():
    recipe = recipe_from({})
    assert recipe == Recipe()
    assert recipe_from(json.loads(json.dumps(asdict(recipe)))) == recipe


def test_standard_augmentation_is_what_the_documentation_says():
    amounts = {"horizontal_flip": 0.5, "rotation": 15, "shift": 0.1, "zoom": [0.9, 1.1]}
    expected = AugmentSettings(**amounts, brightness=0.2, contrast=0.2)
    assert recipe_from({"augment": "standard"}).augmentation == expected
    assert recipe_from({"augment": "none"}).augmentation == AugmentSettings()
    own = recipe_from({"augment": {"rotation": 10, "shift": [0.0, 0.2]}}).augmentation
    assert (own.rotation, own.shifts, own.zoom) == (10, (0.0, 0.2), [1.0, 1.0])


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"epoch": 3}, "no key 'epoch'. Did you mean 'epochs'"),
        ({"epochs": 0}, "epochs is 0; allowed: 1 to 100000"),
        ({"epochs": 1.5}, "epochs is 1.5; allowed: a whole number"),
        ({"epochs": 200_000}, "epochs is 200000; allowed: 1 to 100000"),
        ({"batch_size": 0}, "batch_size"),
        ({"micro_batch": 0}, "micro_batch is 0; allowed: 1 or more, or null"),
        (
            {"optimizer": {"weight_decay": 100}},
            "optimizer.weight_decay is 100; allowed: 0 up to, not including, 100",
        ),
        ({"optimizer": {"layer_decay": 2}}, "optimizer.layer_decay is 2; allowed: above 0, up to 1, or null"),
        ({"augment": {"shift": [0.5]}}, "allowed: 2 numbers, each 0 up to, not including, 1, or 0 up to"),
        ({"optimizer": {"name": "lion"}}, "optimizer.name is 'lion'; allowed: adam, adamw, sgd"),
        ({"optimizer": {"learning_rate": 0}}, "optimizer.learning_rate"),
        ({"optimizer": {"body_learning_rate": -1}}, "optimizer.body_learning_rate"),
        ({"optimizer": {"momentum": 1.0}}, "optimizer.momentum"),
        ({"schedule": {"name": "cosin"}}, "schedule.name is 'cosin'; allowed"),
        ({"schedule": {"factor": 0}}, "schedule.factor"),
        ({"schedule": {"monitor": "train_accuracy"}}, "schedule.monitor"),
        ({"early_stopping": {"patience": 0}}, "early_stopping.patience"),
        ({"early_stopping": True}, "early_stopping is True; allowed: a mapping, null"),
        ({"checkpoint": {"monitor": "best"}}, "checkpoint.monitor"),
        ({"augment": "lots"}, "augment is 'lots'; allowed: none, standard, a mapping"),
        ({"augment": {"rotation": -3}}, "augment.rotation"),
        ({"augment": {"zoom": [1.1, 0.9]}}, "augment.zoom"),
        ({"augment": {"shift": [0.1, 0.1, 0.1]}}, "augment.shift"),
        ({"label_smoothing": 1}, "label_smoothing"),
        ({"class_weights": "inverse"}, "class_weights is 'inverse'; allowed: balanced, null"),
        ({"gradient_clip": 0}, "gradient_clip"),
        ({"precision": "fp8"}, "precision is 'fp8'"),
        ([], "allowed: a mapping"),
    ],
)
def test_a_wrong_entry_is_refused_in_words(document, words):
    with pytest.raises(BrainmriError, match=words):
        recipe_from(document)


def test_the_command_line_names_a_misspelt_key(tmp_path, capsys):
    words = ["train", "--recipe", '{"head": {"dropot": 0.1}}']
    for option in ("manifest", "images", "model", "metadata", "history"):
        words += [f"--{option}", str(tmp_path / option)]
    assert main(words) == 1
    assert capsys.readouterr().err == (
        "brainmri train: There is no key 'recipe.head.dropot'. Did you mean 'dropout'?\n"
    )


def test_the_command_line_takes_nested_objects_null_and_lists(blob_files, tmp_path):
    words = ["train", "--manifest", str(blob_files[0]), "--images", str(blob_files[1])]
    for option in ("model", "metadata", "history"):
        words += [f"--{option}", str(tmp_path / option)]
    recipe = {
        "image_size": 32,
        "epochs": 1,
        "pretrained": False,
        "cnn": {"channels": [4, 4]},
        "head": {"hidden": []},
        "early_stopping": None,
        "class_weights": None,
        "optimizer": {"body_learning_rate": None},
        "augment": {"shift": [0.1, 0.0], "zoom": [0.9, 1.1]},
        "backbone": {},
    }
    checkpoints = ["--checkpoint_dir", str(tmp_path / "checkpoints")]
    assert main([*words, *checkpoints, "--recipe", json.dumps(recipe), "--device", "cpu"]) == 0
    written = json.loads((tmp_path / "metadata").read_text())["recipe"]
    assert written == asdict(recipe_from(recipe))
