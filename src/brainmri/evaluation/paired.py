"""Models against each other, and against the baselines, on the same test images.

A row of ``pairs.parquet`` compares two contenders on one split. Where a study has several seeds, the row
with no `seed` compares the means over seeds: of each metric in each resample, and of how often each image
is right. Its interval and its test speak of these trainings on other images; how much other seeds would
change is another question, and answered apart, by the lowest and the highest difference of the seeds. Rows
with a seed compare single trainings.

A family, over which Holm adjusts, is all pairs of models of one split (and of one seed, or of the means); the
pairs of a model and a baseline are a family of their own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import pandas as pd
import pyarrow as pa

from brainmri.evaluation.bootstrap import Grouping, grouping_of
from brainmri.evaluation.differences import (
    DIFFERENCES,
    correlations,
    difference_interval,
    exact_test,
    group_counts,
    holm,
    limits_of,
    resampled_together,
)
from brainmri.evaluation.metric_intervals import groups_behind, of_each_class
from brainmri.evaluation.tested import JudgedSplit, seed_choices

PAIRS_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("dataset", "split", "protocol", "model", "other", "other_kind")),
        ("seed", pa.int64()),
        *((name, pa.int64()) for name in ("seeds", "n_images", "n_groups")),
        *((name, pa.float64()) for name in ("n_model_alone_right", "n_other_alone_right")),
        *(
            (name + suffix, pa.float64())
            for name in DIFFERENCES
            for suffix in (
                *("", "_other", "_difference", "_difference_low", "_difference_high"),
                *("_difference_lowest_seed", "_difference_highest_seed"),
            )
        ),
        ("test", pa.string()),
        ("p_value", pa.float64()),
        ("p_value_holm", pa.float64()),
    ]
)


def pairs_table(tested: list[JudgedSplit], resamples: int, seed: int) -> pd.DataFrame:
    """Return the rows of ``pairs.parquet``.

    Parameters
    ----------
    tested
        The splits of a study.
    resamples
        Number of bootstrap resamples.
    seed
        Of the resampling.
    """
    rows = [row for split in tested for row in split_rows(split, resamples, seed)]
    return pd.DataFrame(rows, columns=PAIRS_SCHEMA.names)


def split_rows(tested: JudgedSplit, resamples: int, seed: int) -> Iterator[dict]:
    """Yield the rows of one split: the means over seeds, then single seeds where there are several."""
    classes = len(tested.class_names)
    grouping = grouping_of(tested.group_id, tested.truth, classes)
    contenders = [*tested.predicted.values(), *tested.baselines.values()]
    stacked = np.concatenate(contenders)
    counts = group_counts(stacked, tested.truth, grouping.group, grouping.count, classes)
    values, spread = resampled_together(counts, grouping.stratum, resamples, seed)
    right = (stacked == tested.truth).astype(np.int64)
    # Where each contender's trainings lie; a baseline knows no seed, and stands beside each of them.
    ends = np.cumsum([len(predicted) for predicted in contenders])
    places = np.array(
        [
            np.broadcast_to(np.arange(end - len(predicted), end), len(tested.seeds))
            for predicted, end in zip(contenders, ends, strict=True)
        ]
    )
    for own_seed, chosen in seed_choices(tested.seeds):
        of = places[:, chosen]
        family = Family(
            tested,
            grouping,
            own_seed,
            {name: values[name][of] for name in DIFFERENCES},
            {name: spread[name][:, of].mean(axis=2) for name in DIFFERENCES},
            right[of].sum(axis=1),
        )
        models, all_names = range(len(tested.predicted)), range(len(contenders))
        yield from family.rows("model", list(combinations(models, 2)))
        yield from family.rows("baseline", list(product(models, all_names[len(models) :])))


@dataclass(frozen=True)
class Family:
    """Contenders on one split: single trainings, or means over seeds.

    Parameters
    ----------
    tested
        The split.
    grouping
        The groups of its test images.
    seed
        The one seed, or None for the means.
    values : dict of (K, S) arrays
        Each metric by contender and training.
    spread : dict of (R, K) arrays
        The means over trainings in each resample.
    right : (K, N) int array
        How many trainings are right on each image.
    """

    tested: JudgedSplit
    grouping: Grouping
    seed: int | None
    values: dict[str, np.ndarray]
    spread: dict[str, np.ndarray]
    right: np.ndarray

    def rows(self, other_kind: str, pairs: list[tuple[int, int]]) -> list[dict]:
        """Return a row for each pair of contenders; their tests are one family."""
        if not pairs:
            return []
        names = [*self.tested.predicted, *self.tested.baselines]
        trainings = self.values["accuracy"].shape[1]
        differences = self.differences(pairs)
        group = self.grouping.group
        tests = [exact_test(self.right[a], self.right[b], group, trainings) for a, b in pairs]
        adjusted = holm(np.array([p_value for _, p_value in tests]))
        return [
            {
                **{name: getattr(self.tested, name) for name in ("dataset", "split", "protocol")},
                "model": names[a],
                "other": names[b],
                "other_kind": other_kind,
                "seed": self.seed,
                "seeds": trainings,
                "n_images": len(self.tested.truth),
                "n_groups": self.grouping.count,
                "n_model_alone_right": (self.right[a] - self.right[b]).clip(0).sum() / trainings,
                "n_other_alone_right": (self.right[b] - self.right[a]).clip(0).sum() / trainings,
                **{name: column[index] for name, column in differences.items()},
                "test": test,
                "p_value": p_value,
                "p_value_holm": adjusted[index],
            }
            for index, ((a, b), (test, p_value)) in enumerate(zip(pairs, tests, strict=True))
        ]

    def differences(self, pairs: list[tuple[int, int]]) -> dict[str, list[float]]:
        """Return the columns of each metric, by pair."""
        truth = self.tested.truth
        groups = groups_behind(of_each_class(truth), self.grouping)
        found = {}
        for name in DIFFERENCES:
            spread, values = self.spread[name], self.values[name]
            means = values.mean(axis=1)
            limits = limits_of(name, means, spread, truth, self.grouping)
            correlation = correlations(spread)
            intervals = [
                difference_interval(
                    (means[a], means[b]),
                    (limits[a], limits[b]),
                    (spread[:, a], spread[:, b]),
                    correlation[a, b],
                    groups,
                )
                for a, b in pairs
            ]
            of_seeds = [values[a] - values[b] for a, b in pairs]
            found |= {
                name: [means[a] for a, _ in pairs],
                f"{name}_other": [means[b] for _, b in pairs],
                f"{name}_difference": [means[a] - means[b] for a, b in pairs],
                f"{name}_difference_low": [low for low, _ in intervals],
                f"{name}_difference_high": [high for _, high in intervals],
                f"{name}_difference_lowest_seed": [own.min() for own in of_seeds],
                f"{name}_difference_highest_seed": [own.max() for own in of_seeds],
            }
        return found
