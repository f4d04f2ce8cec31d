"""How probes score, what chance scores on the same images, and how far each lies from the control."""

import numpy as np
import pandas as pd

from brainmri.evaluation.bootstrap import grouping_of
from brainmri.evaluation.differences import (
    DIFFERENCES,
    correlations,
    difference_interval,
    group_counts,
    resampled_together,
)
from brainmri.evaluation.entries import entry, number
from brainmri.evaluation.metric_intervals import groups_behind, metric_interval, of_each_class
from brainmri.evaluation.metrics import confusion_counts, overall_metrics
from brainmri.images.probed import CONTROL


def judged_probes(
    said: pd.DataFrame, class_names: list[str], named_by_chance: dict[str, str], resamples: int, seed: int
) -> dict[str, dict]:
    """Return the metrics of each probe with intervals, those of chance, and the difference from the control.

    All probes are resampled together, in the groups of the true classes.

    Parameters
    ----------
    said
        A row for each probe and test image: `probe`, `image_id`, `group_id`, `label`, `target` (the label
        that the probe is judged by) and `predicted`. Each probe has the same images, in the same order.
    class_names
        The classes in the order of their index.
    named_by_chance
        By probe, the class that most of its training images carry: what a guess without looking would say.
    resamples
        Number of bootstrap resamples.
    seed
        Of the resampling.
    """
    index, classes = pd.Index(class_names), len(class_names)
    tables = dict(list(said.groupby("probe", sort=False)))
    control = tables[CONTROL]
    group_id, truth = control["group_id"].to_numpy(str), index.get_indexer(control["label"])
    grouping = grouping_of(group_id, truth, classes)
    groups = groups_behind(of_each_class(truth), grouping)
    targets = [index.get_indexer(own["target"]) for own in tables.values()]
    predicted = [index.get_indexer(own["predicted"]) for own in tables.values()]
    counts = [
        group_counts(own[None], target, grouping.group, grouping.count, classes)
        for own, target in zip(predicted, targets, strict=True)
    ]
    values, spread = resampled_together(
        np.concatenate(counts, axis=1), grouping.stratum, resamples, seed, DIFFERENCES
    )
    limits = {
        name: [
            metric_interval(name, value, resampled, target, grouping)
            for value, resampled, target in zip(values[name], spread[name].T, targets, strict=True)
        ]
        for name in DIFFERENCES
    }
    entries = {}
    for place, (probe, target) in enumerate(zip(tables, targets, strict=True)):
        by_chance = np.full(len(target), class_names.index(named_by_chance[probe]))
        entries[probe] = {
            **{name: entry(values[name][place], limits[name][place]) for name in DIFFERENCES},
            "chance": chance_entries(target, by_chance, classes),
            "confusion_matrix": {
                "labels": class_names,
                "counts": confusion_counts(target, predicted[place], classes).tolist(),
            },
        }
        if probe != CONTROL:
            compared = [place, list(tables).index(CONTROL)]
            entries[probe]["difference"] = {
                name: difference_entry(
                    values[name][compared],
                    [limits[name][own] for own in compared],
                    spread[name][:, compared],
                    groups,
                )
                for name in DIFFERENCES
            }
    return entries


def chance_entries(target: np.ndarray, by_chance: np.ndarray, classes: int) -> dict[str, float | None]:
    """Return what one and the same answer to all images scores; no interval: nothing was measured."""
    found = overall_metrics(confusion_counts(target, by_chance, classes))
    return {name: number(found[name]) for name in DIFFERENCES}


def difference_entry(
    values: np.ndarray,
    limits: list[tuple[float, float]],
    resampled: np.ndarray,
    groups: float,
) -> dict[str, float | None]:
    """Return the difference of two contenders with its interval.

    Parameters
    ----------
    values : (2,) float array
        A metric of the probe and of the control.
    limits
        Low and high of each.
    resampled : (R, 2) float array
        Both in the same resamples.
    groups
        How many groups stand behind them.
    """
    interval = difference_interval(
        (values[0], values[1]),
        (np.array(limits[0]), np.array(limits[1])),
        (resampled[:, 0], resampled[:, 1]),
        correlations(resampled)[0, 1],
        groups,
    )
    return entry(values[0] - values[1], interval)
