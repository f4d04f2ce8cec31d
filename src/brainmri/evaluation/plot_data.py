"""The stage `plot_data`: a training's curves and its test predictions as text, which `dvc plots` reads."""

from pathlib import Path

import numpy as np
import pandas as pd

from brainmri.artefacts import read_parquet, written_atomically
from brainmri.errors import BrainmriError
from brainmri.evaluation.predictions import read_predictions

# Without times: two equal trainings give equal files.
CURVES = ["epoch", "train_loss", "val_loss", "train_accuracy", "val_accuracy", "val_macro_f1"]


def plot_data(history: Path, predictions: Path, curves: Path, confusion: Path) -> None:
    """Write what DVC plots of one training, since it reads no Parquet.

    Parameters
    ----------
    history
        ``history.parquet`` of the training.
    predictions
        Its ``predictions.parquet``.
    curves
        Where to write ``history.csv``: losses and scores, one row an epoch.
    confusion
        Where to write ``confusion.csv``: the true and the predicted class, one row a test image.

    Raises
    ------
    BrainmriError
        If an input is missing, is damaged, or has nothing to plot.
    """
    epochs = read_parquet(history, needed=CURVES)
    if epochs.empty:
        raise BrainmriError(f"{history} has no epoch: train the model again.")
    class_names, parts = read_predictions(predictions)
    names, test = np.array(class_names), parts["test"]
    if not len(test.truth):
        raise BrainmriError(f"{predictions} has no test image: nothing can be said of the model.")
    classes = pd.DataFrame({"actual": names[test.truth], "predicted": names[test.predicted]})
    for table, path in ((epochs[CURVES], curves), (classes, confusion)):
        with written_atomically(path) as temporary:
            table.to_csv(temporary, index=False, lineterminator="\n")
