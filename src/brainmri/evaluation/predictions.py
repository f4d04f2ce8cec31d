"""The table `predictions.parquet`: written by `predict_split`, read by whoever judges a model."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from brainmri.artefacts import read_parquet
from brainmri.errors import BrainmriError
from brainmri.splits.manifest import check_grouped

PARTS = ("val", "test")


@dataclass(frozen=True)
class Predictions:
    """What a model says of the images of one part.

    Parameters
    ----------
    truth : (N,) int array
        True class indices.
    predicted : (N,) int array
        Indices of the class with the highest logit.
    logits : (N, C) float array
        As the model gives them, not calibrated.
    group_id : (N,) array of str
        The name of each image's group.
    image_id : (N,) array of str
        The images.
    """

    truth: np.ndarray
    predicted: np.ndarray
    logits: np.ndarray
    group_id: np.ndarray
    image_id: np.ndarray


def predictions_schema(class_names: list[str]) -> pa.Schema:
    """Return the columns of ``predictions.parquet`` for these classes."""
    return pa.schema(
        [
            ("image_id", pa.string()),
            ("split", pa.string()),
            ("group_id", pa.string()),
            ("label", pa.string()),
            ("predicted", pa.string()),
            ("confidence", pa.float64()),
            *((f"logit_{name}", pa.float32()) for name in class_names),
            *((f"prob_{name}", pa.float64()) for name in class_names),
        ]
    )


def read_predictions(path: Path) -> tuple[list[str], dict[str, Predictions]]:
    """Read the predictions of each part.

    Parameters
    ----------
    path
        A ``predictions.parquet``.

    Returns
    -------
    class_names : list of str
        In the order of their index.
    parts : dict of Predictions
        ``val`` and ``test``; a part without images has length 0.

    Raises
    ------
    BrainmriError
        If the table is missing, lacks a column, or has an unknown class or a logit that is no number.
    """
    table = read_parquet(path, needed=["image_id", "split"], unique="image_id", words={"split": PARTS})
    class_names = [name.removeprefix("logit_") for name in table.columns if name.startswith("logit_")]
    advice = "Run predict_split again."
    missing = {"group_id", "label"} - set(table.columns)
    if missing or not class_names:
        raise BrainmriError(f"{path} lacks {', '.join(sorted(missing)) or 'logits'}. {advice}")
    indices = pd.Index(class_names).get_indexer(table["label"])
    if (indices < 0).any():
        unknown = table["label"][indices < 0].iloc[0]
        raise BrainmriError(f"{path} has the label '{unknown}', which its model does not know. {advice}")
    logits = table[[f"logit_{name}" for name in class_names]].to_numpy(dtype=np.float64)
    if not np.isfinite(logits).all():
        raise BrainmriError(f"{path} has logits that are no finite numbers. {advice}")
    check_grouped(table, path, "predict_split")
    group_id, image_id = (table[name].to_numpy(dtype=str) for name in ("group_id", "image_id"))
    parts = {}
    for name in PARTS:
        rows = (table["split"] == name).to_numpy()
        own = logits[rows]
        parts[name] = Predictions(indices[rows], own.argmax(axis=1), own, group_id[rows], image_id[rows])
    return class_names, parts
