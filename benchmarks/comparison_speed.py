"""What all intervals and tests of a study cost, from the predictions on disk to the tables.

    .venv/bin/python benchmarks/comparison_speed.py [--models 15] [--images 1311] [--seeds 1]

The study has two splits, published and grouped, of so many test images each, in groups of one to eight, a
third of them in both. `evaluate` tells every metric of every training with its interval, 2000 resamples
each, and the bands of its curves; `compare` tests every two models of a split, each model against three
baselines, and each model under the one protocol against the other. The limit for all of it is a minute on two
cores.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import numpy as np
import pandas as pd

from brainmri.artefacts import read_parquet, write_json, write_parquet
from brainmri.evaluation.compare import compare
from brainmri.evaluation.evaluate import evaluate
from brainmri.evaluation.predictions import predictions_schema
from brainmri.evaluation.probabilities import softmax

NAMES = ["glioma", "meningioma", "pituitary", "no_tumor"]
BASELINES = ("majority_class", "metadata", "nearest_neighbour")
RESAMPLES = 2000
LIMIT = 60


def drawn_images(images: int, start: int) -> pd.DataFrame:
    """Return test images in groups of one to eight, the first of them numbered `start`."""
    sizes = np.random.default_rng(0).integers(1, 9, size=images)
    group = np.repeat(np.arange(images), sizes)[:images] + start
    return pd.DataFrame(
        {
            "image_id": [f"g{own:05d}_{place:05d}.png" for place, own in enumerate(group)],
            "split": "test",
            "group_id": [f"g{own:05d}" for own in group],
            "label": np.array(NAMES)[group % len(NAMES)],
        }
    )


def write_predictions(images: pd.DataFrame, skill: float, seed: int, path: Path) -> None:
    """Write what a model of some skill says of the images."""
    generator = np.random.default_rng(seed)
    truth = pd.Index(NAMES).get_indexer(images["label"])
    logits = generator.normal(size=(len(images), len(NAMES))) + skill * np.eye(len(NAMES))[truth]
    probabilities = softmax(logits)
    table = images.assign(
        predicted=np.array(NAMES)[logits.argmax(axis=1)], confidence=probabilities.max(axis=1)
    )
    for index, name in enumerate(NAMES):
        table[f"logit_{name}"], table[f"prob_{name}"] = logits[:, index], probabilities[:, index]
    write_parquet(table, path, config={}, schema=predictions_schema(NAMES))


def write_baselines(images: pd.DataFrame, split: str, path: Path) -> None:
    """Write baselines that name classes at random."""
    generator = np.random.default_rng(1)
    tables = [
        images[["image_id", "group_id", "label"]].assign(
            dataset="set",
            split=split,
            baseline=name,
            predicted=generator.choice(NAMES, len(images)),
        )
        for name in BASELINES
    ]
    write_parquet(pd.concat(tables), path, config={})


def timed(function, *arguments, **options) -> tuple[float, float]:
    """Return wall and CPU seconds of a call."""
    wall, cpu = perf_counter(), process_time()
    function(*arguments, **options)
    return perf_counter() - wall, process_time() - cpu


def measure(folder: Path, models: int, images: int, seeds: int) -> list[tuple[str, float, float]]:
    """Return what was done, and its wall and CPU seconds."""
    write_json({"temperature": 1.0, "referral_confidence": 0.5}, folder / "calibration.json")
    metrics, predictions, baselines, spent = [], [], [], np.zeros(2)
    for split, start, skill in (("published", 0, 4.0), ("grouped", images // 7, 2.5)):
        drawn = drawn_images(images, start)
        baselines.append(folder / split / "baselines.parquet")
        write_baselines(drawn, split, baselines[-1])
        for model in range(models):
            for seed in range(seeds):
                place = folder / split / f"model{model}" / f"seed{seed}"
                write_predictions(
                    drawn, skill + model / 20, seed + 1000 * model, place / "predictions.parquet"
                )
                spent += timed(
                    evaluate,
                    place / "predictions.parquet",
                    folder / "calibration.json",
                    place / "metrics.json",
                    *("set", split, split, f"model{model}"),
                    seed,
                    RESAMPLES,
                    place / "curves.parquet",
                )
                metrics.append(place / "metrics.json")
                predictions.append(place / "predictions.parquet")
    compared = timed(
        compare,
        metrics,
        folder / "comparison.parquet",
        predictions,
        baselines,
        folder / "pairs.parquet",
        folder / "leakage.parquet",
        RESAMPLES,
    )
    pairs, leakage = (len(read_parquet(folder / f"{name}.parquet")) for name in ("pairs", "leakage"))
    return [
        (f"`evaluate`, {len(metrics)} trainings", *spent),
        (f"`compare`, {pairs} pairs and {leakage} protocol differences", *compared),
        ("both", *(spent + compared)),
    ]


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=int, default=15, help="models of the study")
    parser.add_argument("--images", type=int, default=1311, help="test images of each split")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each model on each split")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        rows = measure(Path(folder), options.models, options.images, options.seeds)
    print("| stage | wall, s | CPU, s | limit, s |\n|---|---|---|---|")
    for index, (name, wall, cpu) in enumerate(rows):
        print(f"| {name} | {wall:.1f} | {cpu:.1f} | {LIMIT if index == len(rows) - 1 else ''} |")


if __name__ == "__main__":
    main()
