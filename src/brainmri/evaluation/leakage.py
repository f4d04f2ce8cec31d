"""How much more a model scores under a protocol that leaks: the same model under two protocols.

A row of ``leakage.parquet`` says what a model scores under a protocol that tests on what was trained on
(published, random), what it scores under one that does not (grouped, published_clean), and the difference
with its interval.

The two test parts are different images, but patients and copies may lie in both. So the groups of both are
put together and drawn together, within strata by class and by where a group lies (in the one part, in the
other, in both): a group that is drawn twice counts twice in each part that it has images in, and what both
parts share moves both numbers alike. Compared are the classes that both test parts have; the others, which
`absent_classes` names, would compare different questions.

The parts may also hold the classes in other shares, and a part with more of a hard class scores less without
any leak. So accuracy and macro-F1 are told once more at the class mix of the leak-free part
(`..._equal_mix`, direct standardisation): each true class of the leaking part weighs as much as it does in
the other, in each resample too. Balanced accuracy weighs the classes alike and needs none of it.

The interval includes the chance of which patients and copies the test parts hold. It does not include that
of the trainings: each number is the mean of one training a seed, and the lowest and the highest difference
of the seeds are told apart. Nor does it include the draw of the splits. Against `grouped`, the training
images differ as well, in number too; against `published_clean` they are the same ones.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np
import pandas as pd
import pyarrow as pa

from brainmri.errors import BrainmriError
from brainmri.evaluation.bootstrap import Grouping, collapsed, grouping_of, observed_and_resampled
from brainmri.evaluation.differences import (
    DIFFERENCES,
    correlations,
    difference_interval,
    group_counts,
    limits_of,
)
from brainmri.evaluation.metric_intervals import groups_behind, of_each_class
from brainmri.evaluation.metrics import overall_metrics, ratio
from brainmri.evaluation.tested import JudgedSplit, seed_choices

# What depends on the shares of the classes, and its name at those of the leak-free part.
EQUAL_MIX = {"accuracy": "accuracy_equal_mix", "macro_f1": "macro_f1_equal_mix"}
# A class of fewer groups in a test part is named: what is told of it rests on few images.
FEW_GROUPS = 10

# Each protocol that leaks, and those that its numbers are held against.
HELD_AGAINST = {"published": ("grouped", "published_clean"), "random": ("grouped",)}

LEAKAGE_SCHEMA = pa.schema(
    [
        *(
            (name, pa.string())
            for name in ("dataset", "model", "split", "protocol", "free_split", "free_protocol")
        ),
        ("seed", pa.int64()),
        *(
            (name, pa.int64())
            for name in (
                *("seeds", "n_images", "n_groups", "free_n_images", "free_n_groups"),
                *("n_shared_images", "n_shared_groups"),
            )
        ),
        ("absent_classes", pa.string()),
        *(
            (name + suffix, pa.float64())
            for name in DIFFERENCES
            for suffix in (
                *("", "_low", "_high", "_free", "_free_low", "_free_high"),
                *("_difference", "_difference_low", "_difference_high"),
                *("_difference_lowest_seed", "_difference_highest_seed"),
            )
        ),
        ("few_groups_classes", pa.string()),
        *(
            (name + suffix, pa.float64())
            for name in EQUAL_MIX.values()
            for suffix in (
                *("", "_low", "_high", "_difference", "_difference_low", "_difference_high"),
                *("_difference_lowest_seed", "_difference_highest_seed"),
            )
        ),
    ]
)


def leakage_table(tested: list[JudgedSplit], resamples: int, seed: int) -> pd.DataFrame:
    """Return the rows of ``leakage.parquet``.

    Parameters
    ----------
    tested
        The splits of a study.
    resamples
        Number of bootstrap resamples.
    seed
        Of the resampling.
    """
    rows = [
        row
        for leaking, free in product(tested, tested)
        if leaking.dataset == free.dataset and free.protocol in HELD_AGAINST.get(leaking.protocol, ())
        for row in protocol_rows(leaking, free, resamples, seed)
    ]
    return pd.DataFrame(rows, columns=LEAKAGE_SCHEMA.names)


def protocol_rows(leaking: JudgedSplit, free: JudgedSplit, resamples: int, seed: int) -> Iterator[dict]:
    """Yield the rows of two protocols: for each model the mean over seeds, then each of several seeds."""
    if (leaking.class_names, leaking.seeds) != (free.class_names, free.seeds):
        raise BrainmriError(
            f"The models of {leaking.dataset}, {leaking.split} and {free.split} differ in their classes or "
            "seeds, so that the protocols cannot be compared. Run train again."
        )
    common = np.intersect1d(leaking.truth, free.truth)
    absent = np.setdiff1d(np.union1d(leaking.truth, free.truth), common)
    if not common.size:
        raise BrainmriError(
            f"The test parts of {leaking.dataset}, {leaking.split} and {free.split} have no class in common: "
            "their numbers cannot be compared."
        )
    parts = [part.of_classes(common) for part in (leaking, free)]
    models = [model for model in leaking.predicted if model in free.predicted]
    facts = {
        "dataset": leaking.dataset,
        "split": leaking.split,
        "protocol": leaking.protocol,
        "free_split": free.split,
        "free_protocol": free.protocol,
        "n_images": len(parts[0].truth),
        "n_groups": np.unique(parts[0].group_id).size,
        "free_n_images": len(parts[1].truth),
        "free_n_groups": np.unique(parts[1].group_id).size,
        "n_shared_images": np.intersect1d(parts[0].image_id, parts[1].image_id).size,
        "n_shared_groups": np.intersect1d(parts[0].group_id, parts[1].group_id).size,
        "absent_classes": ", ".join(leaking.class_names[index] for index in absent),
        "few_groups_classes": ", ".join(
            leaking.class_names[index]
            for index in common
            if any(np.unique(part.group_id[part.truth == index]).size < FEW_GROUPS for part in parts)
        ),
    }
    values, spread = metrics_of_both(parts, models, resamples, seed)
    groupings = [grouping_of(part.group_id, part.truth, len(part.class_names)) for part in parts]
    for own_seed, chosen in seed_choices(leaking.seeds):
        columns = {
            name: differences(
                name, parts, groupings, values[name][:, :, chosen], spread[name][..., chosen].mean(axis=-1)
            )
            for name in values
        }
        for index, model in enumerate(models):
            row = facts | {"model": model, "seed": own_seed, "seeds": len(chosen)}
            for name, found in columns.items():
                told = (suffix for suffix in found if name + suffix in LEAKAGE_SCHEMA.names)
                row |= {name + suffix: found[suffix][index] for suffix in told}
            yield row


def metrics_of_both(
    parts: list[JudgedSplit], models: list[str], resamples: int, seed: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return each metric of models and seeds on both test parts, whose groups are drawn together.

    Returns
    -------
    values : dict of (2, M, S) arrays
        As observed.
    spread : dict of (R, 2, M, S) arrays
        In each resample.
    """
    classes, shape = len(parts[0].class_names), (2, len(models), len(parts[0].seeds))
    contenders = len(models) * len(parts[0].seeds)
    groups, strata = drawn_together(parts)
    counts = [
        group_counts(
            np.concatenate([part.predicted[model] for model in models]),
            part.truth,
            group,
            len(strata),
            classes,
        )
        for part, group in zip(parts, groups, strict=True)
    ]
    flat = np.concatenate(counts, axis=1).reshape(len(strata), -1)

    def metrics(weights: np.ndarray) -> dict[str, np.ndarray]:
        both = (weights @ flat).reshape(len(weights), 2, contenders, classes, classes)
        own, equal = overall_metrics(both), overall_metrics(at_equal_mix(both))
        found = {name: own[name] for name in DIFFERENCES}
        return found | {title: equal[name] for name, title in EQUAL_MIX.items()}

    values, spread = observed_and_resampled(metrics, strata, resamples, seed)
    return (
        {name: value.reshape(shape) for name, value in values.items()},
        {name: value.reshape(-1, *shape) for name, value in spread.items()},
    )


def at_equal_mix(counts: np.ndarray) -> np.ndarray:
    """Return confusion counts of two parts, the first with the images of each true class that the second has.

    Parameters
    ----------
    counts : (R, 2, K, C, C) array
        Of both parts; rows of each table are true classes. A class that the first part lacks stays without.
    """
    images = counts.sum(axis=-1, keepdims=True)
    weights = ratio(images[:, 1], images[:, 0], otherwise=0.0)
    return np.stack([counts[:, 0] * weights, counts[:, 1]], axis=1)


def drawn_together(parts: list[JudgedSplit]) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the index of each image's group in the union of both parts, and the stratum of each group."""
    classes = len(parts[0].class_names)
    names, group = np.unique(np.concatenate([part.group_id for part in parts]), return_inverse=True)
    groups = np.split(group, [len(parts[0].truth)])
    truth = np.concatenate([part.truth for part in parts])
    votes = np.bincount(group * classes + truth, minlength=len(names) * classes).reshape(-1, classes)
    in_first, in_second = (np.isin(np.arange(len(names)), own) for own in groups)
    return groups, collapsed((2 * in_first + in_second) * classes + votes.argmax(axis=1))


def differences(
    name: str,
    parts: list[JudgedSplit],
    groupings: list[Grouping],
    values: np.ndarray,
    spread: np.ndarray,
) -> dict[str, np.ndarray]:
    """Return the columns of one metric by model, named by what follows the metric's name.

    Parameters
    ----------
    name
        Of the metric.
    parts
        Both test parts.
    groupings
        Their groups.
    values : (2, M, S) float array
        Of both parts, by model and seed.
    spread : (R, 2, M) float array
        The means over seeds in each resample.
    """
    means = values.mean(axis=2)
    # The leak-free part keeps its own mix. The other's accuracy, weighted, is no single proportion any more.
    plain = {title: own for own, title in EQUAL_MIX.items()}
    limits = [
        limits_of(own, means[index], spread[:, index], parts[index].truth, groupings[index])
        for index, own in enumerate((name, plain.get(name, name)))
    ]
    groups = min(
        groups_behind(of_each_class(part.truth), grouping)
        for part, grouping in zip(parts, groupings, strict=True)
    )
    intervals = np.array(
        [
            difference_interval(
                means[:, model],
                (limits[0][model], limits[1][model]),
                (spread[:, 0, model], spread[:, 1, model]),
                correlations(spread[:, :, model])[0, 1],
                groups,
            )
            for model in range(means.shape[1])
        ]
    )
    of_seeds = values[0] - values[1]
    return {
        "": means[0],
        "_low": limits[0][:, 0],
        "_high": limits[0][:, 1],
        "_free": means[1],
        "_free_low": limits[1][:, 0],
        "_free_high": limits[1][:, 1],
        "_difference": means[0] - means[1],
        "_difference_low": intervals[:, 0],
        "_difference_high": intervals[:, 1],
        "_difference_lowest_seed": of_seeds.min(axis=1),
        "_difference_highest_seed": of_seeds.max(axis=1),
    }
