"""What DVC plots of a training: the same numbers as in its tables, as text."""

import numpy as np
import pandas as pd
import pytest
from tested_study import NAMES, images_of, write_tested, wrong_at

from brainmri.artefacts import write_parquet
from brainmri.errors import BrainmriError
from brainmri.evaluation.plot_data import plot_data


@pytest.fixture
def training(tmp_path):
    """Return the paths of a history and of predictions, of which two are wrong."""
    images = images_of(8)
    _, predictions = write_tested(tmp_path, images, wrong_at(images, 0, 5), "grouped", "cnn")
    write_history(tmp_path / "history.parquet", 3)
    return tmp_path / "history.parquet", predictions


def write_history(path, epochs: int) -> None:
    columns = ("train_loss", "val_loss", "train_accuracy", "val_accuracy", "val_macro_f1")
    history = pd.DataFrame(
        {"learning_rate": 0.1, "epoch": range(1, epochs + 1), **dict.fromkeys(columns, 0.5)}
    )
    write_parquet(history, path, config={})


def test_the_curves_and_every_test_image_are_written(tmp_path, training):
    plot_data(*training, tmp_path / "plots/history.csv", tmp_path / "plots/confusion.csv")
    curves = pd.read_csv(tmp_path / "plots/history.csv")
    assert list(curves)[:5] == ["epoch", "train_loss", "val_loss", "train_accuracy", "val_accuracy"]
    assert curves["epoch"].tolist() == [1, 2, 3]
    confusion = pd.read_csv(tmp_path / "plots/confusion.csv")
    assert list(confusion) == ["actual", "predicted"]
    assert len(confusion) == 16 and set(np.unique(confusion)) == set(NAMES)
    assert (confusion["actual"] != confusion["predicted"]).sum() == 2
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == ["confusion.csv", "history.csv"]


def test_without_an_epoch_or_a_test_image_it_refuses(tmp_path, training):
    history, predictions = training
    write_history(history, 0)
    with pytest.raises(BrainmriError, match="has no epoch"):
        plot_data(history, predictions, tmp_path / "a.csv", tmp_path / "b.csv")
    write_history(history, 1)
    table = pd.read_parquet(predictions).assign(split="val")
    write_parquet(table, predictions, config={})
    with pytest.raises(BrainmriError, match="no test image"):
        plot_data(history, predictions, tmp_path / "a.csv", tmp_path / "b.csv")
