"""A model's own predictions and those on another data set, as the stages before `compare` leave them."""

from pathlib import Path

import numpy as np
import pandas as pd

from brainmri.artefacts import write_json, write_parquet
from brainmri.evaluation.evaluate import evaluate
from brainmri.evaluation.outside import COUNTS, outside_schema
from brainmri.evaluation.predictions import predictions_schema

NAMES = ["glioma", "meningioma", "pituitary", "no_tumor"]
TEMPERATURE = 1.5


def judged(groups: int, accuracy: float, classes: list[str], seed: int, images: int = 2) -> pd.DataFrame:
    """Return images in groups, the classes in turns, with logits of all classes that are right so often."""
    generator = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), images)
    label = np.array(classes)[group % len(classes)]
    logits = generator.normal(size=(len(group), len(NAMES)))
    chosen = pd.Index(NAMES).get_indexer(label)
    wrong = generator.random(len(group)) >= accuracy
    # The next class that there is, so that leaving out the others changes no answer.
    following = np.array(classes)[(group + 1) % len(classes)]
    chosen[wrong] = pd.Index(NAMES).get_indexer(following)[wrong]
    logits[np.arange(len(group)), chosen] += 8
    table = pd.DataFrame({"image_id": [f"{own:03d}_{n}.png" for n, own in enumerate(group)], "label": label})
    table["group_id"] = [f"g{own:03d}" for own in group]
    table["predicted"] = np.array(NAMES)[chosen]
    table[[f"logit_{name}" for name in NAMES]] = logits.astype(np.float32)
    return table.assign(confidence=0.9, **{f"prob_{name}": 0.25 for name in NAMES})


def write_own(folder: Path, table: pd.DataFrame, identity: dict, resamples: int = 200) -> tuple[Path, Path]:
    """Write predictions and metrics of a training; return metrics and predictions."""
    paths = [folder / name for name in ("predictions.parquet", "calibration.json", "metrics.json")]
    write_parquet(table.assign(split="test"), paths[0], config={}, schema=predictions_schema(NAMES))
    write_json({"temperature": TEMPERATURE, "referral_confidence": 0.5}, paths[1])
    evaluate(*paths, **identity, resamples=resamples)
    return paths[2], paths[0]


def write_outside(
    folder: Path, table: pd.DataFrame, identity: dict, other: str, classes: list[str], copies: int = 3
) -> Path:
    """Write what a training says of another set, of which some copies were left out."""
    dropped = {reason: copies if place == 0 else 1 for place, reason in enumerate(COUNTS.values())}
    rest = [
        {"image_id": f"{place}_{number}", "label": NAMES[0], "reason": reason}
        for place, (reason, count) in enumerate([*dropped.items(), ("corrupt: cut off", 1)])
        for number in range(count)
    ]
    rows = pd.concat([table.assign(reason=None), pd.DataFrame(rest)], ignore_index=True)
    names = {"trained_on": identity["dataset"], "tested_on": other}
    rows = rows.assign(**names, **{key: identity[key] for key in ("split", "model", "seed")})
    schema = outside_schema(NAMES, classes)
    path = folder / "external" / f"{other}.parquet"
    write_parquet(rows[schema.names], path, config={}, schema=schema)
    return path


def identity_of(dataset: str = "north", model: str = "cnn", seed: int = 0, split: str = "grouped") -> dict:
    """Return which training it is."""
    return {"dataset": dataset, "split": split, "protocol": "grouped", "model": model, "seed": seed}
