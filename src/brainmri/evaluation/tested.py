"""What all models of a split, and the baselines beside them, say of its test images."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from brainmri.artefacts import read_json, read_parquet
from brainmri.errors import BrainmriError
from brainmri.evaluation.predictions import read_predictions


@dataclass(frozen=True)
class JudgedSplit:
    """The test part of one split, and what each contender says of each of its images.

    Parameters
    ----------
    dataset, split, protocol
        Which split.
    class_names
        The classes in the order of their index.
    image_id, group_id : (N,) array of str
        The test images, sorted, and the group of each.
    truth : (N,) int array
        True class indices.
    seeds
        The seeds that every model was trained with.
    predicted : dict of (S, N) int array
        Class indices by model and seed.
    baselines : dict of (1, N) int array
        Class indices by baseline; these know no seed.
    """

    dataset: str
    split: str
    protocol: str
    class_names: list[str]
    image_id: np.ndarray
    group_id: np.ndarray
    truth: np.ndarray
    seeds: list[int]
    predicted: dict[str, np.ndarray]
    baselines: dict[str, np.ndarray]

    def of_classes(self, classes: np.ndarray) -> "JudgedSplit":
        """Return the same with the images of some classes (indices) alone."""
        kept = np.isin(self.truth, classes)
        return replace(
            self,
            image_id=self.image_id[kept],
            group_id=self.group_id[kept],
            truth=self.truth[kept],
            predicted={name: predicted[:, kept] for name, predicted in self.predicted.items()},
            baselines={name: predicted[:, kept] for name, predicted in self.baselines.items()},
        )


def read_tested(metrics: list[Path], predictions: list[Path], baselines: list[Path]) -> list[JudgedSplit]:
    """Read the test predictions of a study, split by split.

    Parameters
    ----------
    metrics
        The ``metrics.json`` of each training, which tells what was trained.
    predictions
        The ``predictions.parquet`` that each was measured on, in the same order.
    baselines
        The ``baselines.parquet`` of some of the splits.

    Raises
    ------
    BrainmriError
        If the files do not belong together.
    """
    tables, identities = {}, {}
    for measured, path in both_of_each(metrics, predictions):
        document = read_json(measured)
        identity = document["identity"]
        place = identity["dataset"], identity["split"]
        identities[place] = identity
        table = test_table(path)
        check_measured(table, path, document, measured)
        tables.setdefault(place, {})[identity["model"], identity["seed"]] = path, table
    beside = {}
    for path in baselines:
        told = read_parquet(path, ["dataset", "split", "baseline", "image_id", "predicted"])
        for place, table in told.groupby(["dataset", "split"]):
            beside[place] = path, table
    return [
        joined_predictions(identities[place], own, beside.get(place)) for place, own in sorted(tables.items())
    ]


def both_of_each(metrics: list[Path], predictions: list[Path]) -> list[tuple[Path, Path]]:
    """Return the metrics.json and predictions.parquet of each training, or raise where one is missing."""
    if len(predictions) != len(metrics):
        raise BrainmriError(
            f"{len(metrics)} metrics.json and {len(predictions)} predictions.parquet are given: name both of "
            "each training, in the same order."
        )
    return list(zip(metrics, predictions, strict=True))


def test_table(path: Path) -> pd.DataFrame:
    """Return image, group, truth and predicted class of the test part; the classes in its attributes."""
    class_names, parts = read_predictions(path)
    part = parts["test"]
    columns = {name: getattr(part, name) for name in ("image_id", "group_id", "truth", "predicted")}
    table = pd.DataFrame(columns).sort_values("image_id", ignore_index=True)
    table.attrs["class_names"] = class_names
    return table


def check_measured(table: pd.DataFrame, path: Path, document: dict, measured: Path) -> None:
    """Refuse metrics that are not those of the predictions that stand beside them."""
    accuracy = float((table["truth"] == table["predicted"]).mean())
    try:
        test = document["test"]
        is_same = test["n_images"] == len(table) and np.isclose(test["accuracy"]["value"], accuracy)
    except (KeyError, TypeError):
        is_same = False
    if not is_same:
        raise BrainmriError(f"{measured} was not measured on {path}: run evaluate again.")


def joined_predictions(
    identity: dict, tables: dict[tuple[str, int], tuple[Path, pd.DataFrame]], beside: tuple | None
) -> JudgedSplit:
    """Join the tables of a split's trainings, and of its baselines, image by image."""
    models = list(dict.fromkeys(model for model, _ in tables))
    seeds = sorted({seed for _, seed in tables})
    first_path, first = next(iter(tables.values()))
    for model in models:
        missing = [seed for seed in seeds if (model, seed) not in tables]
        if missing:
            raise BrainmriError(
                f"{identity['dataset']}, {identity['split']}: {model} lacks the seed {missing[0]} that "
                "another model has. Give the metrics of the same seeds for each model."
            )
    for path, table in tables.values():
        same = all(np.array_equal(table[name], first[name]) for name in ("image_id", "group_id", "truth"))
        if not same or table.attrs["class_names"] != first.attrs["class_names"]:
            raise BrainmriError(
                f"{path} and {first_path} do not tell of the same test images. Run predict_split again."
            )
    class_names = first.attrs["class_names"]
    return JudgedSplit(
        identity["dataset"],
        identity["split"],
        identity["protocol"],
        class_names,
        first["image_id"].to_numpy(str),
        first["group_id"].to_numpy(str),
        first["truth"].to_numpy(),
        seeds,
        {
            model: np.stack([tables[model, seed][1]["predicted"].to_numpy() for seed in seeds])
            for model in models
        },
        {} if beside is None else baseline_predictions(*beside, first, class_names),
    )


def baseline_predictions(
    path: Path, table: pd.DataFrame, tested: pd.DataFrame, class_names: list[str]
) -> dict[str, np.ndarray]:
    """Return what each baseline says of the tested images, as class indices."""
    found = {}
    for name, own in table.groupby("baseline", sort=False):
        own = own.sort_values("image_id", ignore_index=True)
        predicted = pd.Index(class_names).get_indexer(own["predicted"])
        if not np.array_equal(own["image_id"], tested["image_id"]) or (predicted < 0).any():
            raise BrainmriError(f"{path} does not tell of the tested images. Run baselines again.")
        found[str(name)] = predicted[None]
    return found


def seed_choices(seeds: list[int]) -> Iterator[tuple[int | None, list[int]]]:
    """Yield each seed with its place, after all of them together (None); one seed is all of them."""
    yield None, list(range(len(seeds)))
    if len(seeds) > 1:
        yield from ((seed, [place]) for place, seed in enumerate(seeds))
