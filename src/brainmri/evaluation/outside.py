"""The table `external/{other}.parquet`: what a model says of another data set, and what it was not asked.

`predict_external` writes it, `compare` reads it. It has a row for each file of the other set. Those that are
not tested have their reason, as in a manifest.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from brainmri.artefacts import read_parquet
from brainmri.errors import BrainmriError
from brainmri.splits.manifest import check_grouped
from brainmri.splits.reasons import CONFLICT

IDENTITY = ("trained_on", "split", "model", "seed", "tested_on")
# Why a usable image is not tested, beside `splits.reasons`. The first that fits is told.
LEARNT = "a copy or neighbour of it trained or validated the model"
SHARED = "a copy or neighbour of it is in the set that the model is from"
OTHER_CLASS = "its class is not left in the test parts of both sets"
# The columns of `external.parquet` that count them; whatever else is left out is unusable.
COUNTS = {
    "n_copies_learnt": LEARNT,
    "n_copies_shared": SHARED,
    "n_label_conflicts": CONFLICT,
    "n_other_classes": OTHER_CLASS,
}


@dataclass(frozen=True)
class Outside:
    """What one training says of another data set.

    Parameters
    ----------
    identity
        See `IDENTITY`.
    classes
        The classes that the model could choose from: those of both sets.
    image_id, group_id : (N,) array of str
        The tested images, sorted, and the group of each in its set.
    truth : (N,) int array
        Indices in `classes`.
    logits : (N, C) float array
        Of `classes`, not calibrated.
    left_out
        How many files were not tested, by the names of `COUNTS` and `n_unusable`.
    """

    identity: dict
    classes: list[str]
    image_id: np.ndarray
    group_id: np.ndarray
    truth: np.ndarray
    logits: np.ndarray
    left_out: dict[str, int]


def outside_schema(class_names: list[str], classes: list[str]) -> pa.Schema:
    """Return the columns of the table.

    Parameters
    ----------
    class_names
        All classes of the model, each with its logit.
    classes
        Those of both sets, each with its probability among them.
    """
    return pa.schema(
        [
            *((name, pa.int64() if name == "seed" else pa.string()) for name in IDENTITY),
            *((name, pa.string()) for name in ("image_id", "group_id", "label", "reason", "predicted")),
            ("confidence", pa.float64()),
            *((f"logit_{name}", pa.float32()) for name in class_names),
            *((f"prob_{name}", pa.float64()) for name in classes),
        ]
    )


def read_outside(path: Path) -> Outside:
    """Read what one training says of another data set.

    Raises
    ------
    BrainmriError
        If the table is missing or is not what `predict_external` writes.
    """
    table = read_parquet(path, needed=["image_id"], unique="image_id")
    advice = "Run predict_external again."
    missing = {*IDENTITY, "group_id", "label", "reason"} - set(table.columns)
    if missing or table.empty:
        raise BrainmriError(f"{path} lacks {', '.join(sorted(missing)) or 'rows'}. {advice}")
    classes = [name.removeprefix("prob_") for name in table.columns if name.startswith("prob_")]
    tested = table[table["reason"].isna()].sort_values("image_id")
    truth = pd.Index(classes).get_indexer(tested["label"])
    logits = tested[[f"logit_{name}" for name in classes]].to_numpy(dtype=np.float64)
    if (truth < 0).any() or not np.isfinite(logits).all():
        raise BrainmriError(f"{path} has a tested image of no known class, or without logits. {advice}")
    check_grouped(tested, path, "predict_external")
    if (table["trained_on"] == table["tested_on"]).any():
        raise BrainmriError(f"{path} is of a data set tested on itself. {advice}")
    reasons = table["reason"].dropna()
    left_out = {name: int((reasons == reason).sum()) for name, reason in COUNTS.items()}
    left_out["n_unusable"] = len(reasons) - sum(left_out.values())
    first = table.iloc[0]
    return Outside(
        {name: int(first[name]) if name == "seed" else str(first[name]) for name in IDENTITY},
        classes,
        tested["image_id"].to_numpy(str),
        tested["group_id"].to_numpy(str),
        truth,
        logits,
        left_out,
    )
