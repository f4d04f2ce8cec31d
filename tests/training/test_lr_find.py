"""`brainmri lr-find`: a rate that trains, a figure, and sentences where it cannot."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from training_command import train_command

from brainmri.cli import main
from brainmri.training.range_test import suggested_rate

RECIPE = {"image_size": 32, "cnn": {"channels": [8, 16]}, "batch_size": 16, "precision": "fp32"}
RECIPE |= {"layout": "contiguous", "optimizer": {"name": "sgd"}}


def found(files, folder, *words, recipe=RECIPE):
    manifest, images = files
    command = ["lr-find", "--manifest", manifest, "--images", images, "--recipe", json.dumps(recipe)]
    command += ["--figure", folder / "rates.png", "--table", folder / "rates.parquet", "--device", "cpu"]
    return main([str(word) for word in [*command, "--threads", 1, *words]])


def test_the_suggested_rate_trains(blob_files, tmp_path, capsys):
    assert found(blob_files, tmp_path, "--lowest", 1e-4, "--highest", 100, "--steps", 120) == 0
    told = capsys.readouterr().out
    table = pd.read_parquet(tmp_path / "rates.parquet")
    rate = suggested_rate(table)
    assert f"learning_rate: {rate:.1e}" in told
    assert np.all(np.diff(table["learning_rate"]) > 0)
    assert Image.open(tmp_path / "rates.png").size[0] > 500

    losses = {}
    for tried in (rate, 1e-4):
        recipe = {**RECIPE, "optimizer": {"name": "sgd", "learning_rate": tried}, "epochs": 5}
        folder = tmp_path / f"{tried}"
        assert main(train_command(blob_files, folder, tmp_path / "state", recipe)[1:]) == 0
        losses[tried] = pd.read_parquet(folder / "history.parquet")["train_loss"].iloc[-1]
    assert losses[rate] < 0.8 * losses[1e-4]


def test_the_same_seed_finds_the_same(blob_files, tmp_path):
    for name in ("one", "two"):
        assert found(blob_files, tmp_path / name, "--steps", 20) == 0
    one, two = ((tmp_path / name / "rates.png").read_bytes() for name in ("one", "two"))
    assert one == two


def test_a_loss_that_never_falls_gives_no_suggestion():
    rates = np.geomspace(1e-6, 1, 50)
    table = pd.DataFrame({"learning_rate": rates, "smoothed_loss": np.linspace(1, 2, 50)})
    assert suggested_rate(table) is None
    valley = table.assign(smoothed_loss=1 - np.exp(-((np.log(rates / 1e-2)) ** 2)))
    assert 1e-3 < suggested_rate(valley) < 1e-2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--lowest", 1, "--highest", 0.1), "0 < lowest < highest"),
        (("--steps", 3), "allowed: 10 to 100000"),
        (("--figure", "rates.txt"), "must end in .png or .svg"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(blob_files, tmp_path, capsys, words, message):
    assert found(blob_files, tmp_path, *words) == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("rates*"))


def test_torch_is_not_imported_for_a_wrong_option():
    import subprocess

    code = (
        "import sys; from pathlib import Path; from brainmri.lr_find import lr_find; "
        "from brainmri.training.recipe import Recipe; "
        "from brainmri.errors import BrainmriError\n"
        "try: lr_find(Path('a'), Path('b'), Recipe(), steps=1)\n"
        "except BrainmriError: print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    assert Path(sys.executable).exists()
