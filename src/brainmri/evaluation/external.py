"""Data sets against data sets: what a model that learnt one scores on another, beside its own test part.

A row of ``external.parquet`` is one metric of one cell of the matrix. The rows with no `seed` are the means
over seeds; the others are single trainings. Cells outside the diagonal tell the model's own test part beside
them, among the same classes, and the difference: what it scores outside less what it scores at home. The
diagonal (`tested_on` is `trained_on`) is that own test part: once among all its classes, and once for each
other choice of `classes` that a cell of its row was measured among.

Intervals come from the groups of the tested set, as in ``metrics.json``. No group has images on both sides,
since relatives are left out, so the two sides vary on their own and the difference has both their widths.
It holds the chance of which patients and copies were tested, not that of the trainings: the lowest and the
highest difference of the seeds stand apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from brainmri.artefacts import read_json
from brainmri.errors import BrainmriError
from brainmri.evaluation.cells import METRICS, Cell, Scores, between, mean_of, resampled_scores
from brainmri.evaluation.outside import COUNTS, IDENTITY, Outside, read_outside
from brainmri.evaluation.predictions import read_predictions
from brainmri.evaluation.tested import both_of_each, seed_choices

LEFT_OUT = (*COUNTS, "n_unusable")

EXTERNAL_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("model", "trained_on", "split", "protocol", "tested_on")),
        *((name, pa.int64()) for name in ("seed", "seeds")),
        *((name, pa.string()) for name in ("classes", "metric")),
        *((name, pa.float64()) for name in ("value", "low", "high")),
        *((name, pa.int64()) for name in ("n_images", "n_groups", *LEFT_OUT)),
        *((name, pa.float64()) for name in ("own", "own_low", "own_high")),
        *((name, pa.int64()) for name in ("own_n_images", "own_n_groups")),
        ("majority_share", pa.float64()),
        *(
            (f"difference{suffix}", pa.float64())
            for suffix in ("", "_low", "_high", "_lowest_seed", "_highest_seed")
        ),
    ]
)


@dataclass(frozen=True)
class Training:
    """One training, and what it says of its own test part.

    Parameters
    ----------
    protocol
        Of its split.
    class_names
        All classes that it knows.
    image_id, group_id, truth, logits
        Of its test part, as in `Outside`, over all classes.
    temperature
        Fitted on its validation part.
    """

    protocol: str
    class_names: list[str]
    image_id: np.ndarray
    group_id: np.ndarray
    truth: np.ndarray
    logits: np.ndarray
    temperature: float


def external_table(
    metrics: list[Path], predictions: list[Path], applied: list[Path], resamples: int, seed: int
) -> pd.DataFrame:
    """Return the rows of ``external.parquet``; none where no model was tested outside.

    Parameters
    ----------
    metrics
        The ``metrics.json`` of each training.
    predictions
        Its ``predictions.parquet``, in the same order.
    applied
        The tables of `predict_external`.
    resamples
        Number of bootstrap resamples.
    seed
        Of the resampling.
    """
    places = {}
    for measured, told in both_of_each(metrics, predictions):
        identity = read_json(measured)["identity"]
        places[tuple(identity[name] for name in ("dataset", "split", "model", "seed"))] = measured, told
    by_model: dict[tuple, dict[str, dict[int, tuple[Path, Outside]]]] = {}
    for path in applied:
        outside = read_outside(path)
        trained_on, split, model, own_seed, tested_on = (outside.identity[name] for name in IDENTITY)
        if (trained_on, split, model, own_seed) not in places:
            raise BrainmriError(
                f"{path} is of a training whose metrics.json is not given: {model} on {trained_on}, {split}, "
                f"seed {own_seed}. Name the metrics and predictions of every training."
            )
        by_seed = by_model.setdefault((trained_on, split, model), {}).setdefault(tested_on, {})
        by_seed[own_seed] = path, outside
    rows = []
    for own, tested in sorted(by_model.items()):
        seeds = sorted({own_seed for by_seed in tested.values() for own_seed in by_seed})
        trainings = [read_training(*places[*own, own_seed]) for own_seed in seeds]
        rows += model_rows(own, seeds, trainings, tested, resamples, seed)
    return pd.DataFrame(rows, columns=EXTERNAL_SCHEMA.names)


def read_training(metrics: Path, predictions: Path) -> Training:
    """Read what a training says of its own test part."""
    document = read_json(metrics)
    class_names, parts = read_predictions(predictions)
    part = parts["test"]
    order = np.argsort(part.image_id)
    try:
        temperature = float(document["test"]["calibration"]["temperature"])
    except (KeyError, TypeError):
        raise BrainmriError(f"{metrics} has no temperature: run evaluate again.") from None
    return Training(
        document["identity"]["protocol"],
        class_names,
        part.image_id[order],
        part.group_id[order],
        part.truth[order],
        part.logits[order],
        temperature,
    )


def model_rows(
    own: tuple[str, str, str],
    seeds: list[int],
    trainings: list[Training],
    tested: dict[str, dict[int, tuple[Path, Outside]]],
    resamples: int,
    seed: int,
) -> Iterator[dict]:
    """Yield the rows of one model on one split: its line of the matrix.

    Parameters
    ----------
    own
        Data set, split and name of the model.
    seeds
        Of its trainings.
    trainings
        One a seed.
    tested
        By tested data set and seed, each table of `predict_external` with its path.
    resamples, seed
        Of the bootstrap.
    """
    trained_on, split, model = own
    facts = {"model": model, "trained_on": trained_on, "split": split, "protocol": trainings[0].protocol}
    at_home: dict[tuple[str, ...], tuple[Cell, Scores]] = {}

    def home(classes: tuple[str, ...]) -> tuple[Cell, Scores]:
        if classes not in at_home:
            cell = home_cell(trainings, list(classes), own)
            at_home[classes] = cell, resampled_scores(cell, resamples, seed)
        return at_home[classes]

    known = trainings[0]
    home(tuple(known.class_names[index] for index in np.unique(known.truth)))
    beyond = []
    for tested_on, by_seed in sorted(tested.items()):
        where = facts | {"tested_on": tested_on}
        cell = outside_cell(by_seed, seeds, trainings, own)
        where |= next(iter(by_seed.values()))[1].left_out
        if not cell.classes:
            beyond += empty_rows(where, seeds)
            continue
        beside = home(tuple(cell.classes))
        beyond += cell_rows(where, cell, resampled_scores(cell, resamples, seed), seeds, beside)
    for cell, scores in at_home.values():
        yield from cell_rows(facts | {"tested_on": trained_on}, cell, scores, seeds)
    yield from beyond


def home_cell(trainings: list[Training], classes: list[str], own: tuple) -> Cell:
    """Return a model's own test part, images and answers of some classes alone."""
    first = trainings[0]
    columns = [first.class_names.index(name) for name in classes]
    kept = np.isin(first.truth, columns)
    for other in trainings[1:]:
        same = first.class_names == other.class_names and np.array_equal(first.image_id, other.image_id)
        if not same:
            raise BrainmriError(
                f"The trainings of {own[2]} on {own[0]}, {own[1]} were tested on different images. Run "
                "predict_split again."
            )
    place = np.full(len(first.class_names), -1)
    place[columns] = np.arange(len(columns))
    return Cell(
        classes,
        first.image_id[kept],
        first.group_id[kept],
        place[first.truth[kept]],
        np.stack([own.logits[kept][:, columns] / own.temperature for own in trainings]),
    )


def outside_cell(
    by_seed: dict[int, tuple[Path, Outside]], seeds: list[int], trainings: list[Training], own: tuple
) -> Cell:
    """Return what all trainings of a model say of another data set."""
    first_path, first = next(iter(by_seed.values()))
    if set(by_seed) != set(seeds):
        raise BrainmriError(
            f"{own[2]} on {own[0]}, {own[1]} was not tested on {first.identity['tested_on']} with every "
            "seed. Run predict_external for those that are missing."
        )
    for path, other in by_seed.values():
        if first.classes != other.classes or not np.array_equal(first.image_id, other.image_id):
            raise BrainmriError(
                f"{path} and {first_path} do not tell of the same images. Run predict_external again."
            )
    logits = [
        by_seed[own_seed][1].logits / training.temperature
        for own_seed, training in zip(seeds, trainings, strict=True)
    ]
    return Cell(first.classes, first.image_id, first.group_id, first.truth, np.stack(logits))


def cell_rows(
    where: dict, cell: Cell, scores: Scores, seeds: list[int], beside: tuple[Cell, Scores] | None = None
) -> Iterator[dict]:
    """Yield the rows of a cell: of the means over seeds, and of each seed.

    Parameters
    ----------
    where
        Which cell it is, and what was left out of it.
    cell, scores
        What was tested, and the metrics.
    seeds
        Of the trainings.
    beside
        The model's own test part among the same classes; None on the diagonal.
    """
    facts = where | {
        "classes": ", ".join(cell.classes),
        "n_images": len(cell.truth),
        "n_groups": cell.grouping.count,
        "majority_share": float(np.bincount(cell.truth).max() / len(cell.truth)),
    }
    if beside is not None:
        facts |= {"own_n_images": len(beside[0].truth), "own_n_groups": beside[0].grouping.count}
    for own_seed, chosen in choices(seeds):
        for name in METRICS:
            row = facts | {"seed": own_seed, "seeds": len(chosen), "metric": name}
            value, spread, limits = mean_of(cell, scores, name, chosen)
            row |= {"value": value, "low": limits[0], "high": limits[1]}
            if beside is not None:
                own, own_spread, own_limits = mean_of(*beside, name, chosen)
                row |= {"own": own, "own_low": own_limits[0], "own_high": own_limits[1]}
                low, high = between(
                    (value, own), (limits, own_limits), (spread, own_spread), (cell, beside[0])
                )
                row |= {"difference": value - own, "difference_low": low, "difference_high": high}
                of_seeds = scores.values[name][chosen] - beside[1].values[name][chosen]
                row |= {"difference_lowest_seed": of_seeds.min(), "difference_highest_seed": of_seeds.max()}
            yield row


def choices(seeds: list[int]) -> Iterator[tuple[int | None, list[int]]]:
    """Yield all seeds together (None) and then each, also where there is one alone."""
    yield from seed_choices(seeds)
    if len(seeds) == 1:
        yield seeds[0], [0]


def empty_rows(where: dict, seeds: list[int]) -> Iterator[dict]:
    """Yield the rows of a cell that has no image left to test on."""
    for own_seed, chosen in choices(seeds):
        for name in METRICS:
            facts = {"seed": own_seed, "seeds": len(chosen), "metric": name, "classes": ""}
            yield where | facts | {"n_images": 0, "n_groups": 0}
