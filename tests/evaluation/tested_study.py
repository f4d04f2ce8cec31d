"""Predictions and metrics on disk, as `predict_split` and `evaluate` leave them, without a model."""

from pathlib import Path

import numpy as np
import pandas as pd

from brainmri.artefacts import write_json, write_parquet

NAMES = ["glioma", "meningioma", "pituitary", "no_tumor"]


def images_of(groups: int, images: int = 2, start: int = 0) -> pd.DataFrame:
    """Return test images: so many of each group, the classes in turns."""
    group = np.repeat(np.arange(start, start + groups), images)
    return pd.DataFrame(
        {
            "image_id": [f"p{own:03d}_{index % images}.png" for index, own in enumerate(group)],
            "group_id": [f"g{own:03d}" for own in group],
            "truth": group % len(NAMES),
        }
    )


def write_tested(
    folder: Path, images: pd.DataFrame, predicted: np.ndarray, split: str, model: str, seed: int = 0
) -> tuple[Path, Path]:
    """Write predictions.parquet and what `compare` reads of metrics.json; return metrics and predictions."""
    place = folder / "set" / split / model / f"seed{seed}"
    table = images[["image_id", "group_id"]].assign(
        split="test", label=np.array(NAMES)[images["truth"]], predicted=np.array(NAMES)[predicted]
    )
    for index, name in enumerate(NAMES):
        table[f"logit_{name}"] = 4.0 * (np.asarray(predicted) == index)
    write_parquet(table.sample(frac=1, random_state=seed), place / "predictions.parquet", config={})
    accuracy = float((images["truth"].to_numpy() == predicted).mean())
    identity = {"dataset": "set", "split": split, "protocol": split, "model": model, "seed": seed}
    test = {"n_images": len(images), "accuracy": {"value": accuracy}}
    write_json({"identity": identity, "test": test}, place / "metrics.json")
    return place / "metrics.json", place / "predictions.parquet"


def wrong_at(images: pd.DataFrame, *places: int) -> np.ndarray:
    """Return predictions that are right but for some images."""
    predicted = images["truth"].to_numpy().copy()
    predicted[list(places)] = (predicted[list(places)] + 1) % len(NAMES)
    return predicted
