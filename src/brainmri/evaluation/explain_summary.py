"""The means of the checks of saliency maps, with intervals over groups."""

import numpy as np
import pandas as pd

from brainmri.evaluation.bootstrap import grouping_of, resampled
from brainmri.evaluation.metric_intervals import bounded_interval, percentile_interval, proportion_interval

SIGNED = ("similarity", "insertion_over_random", "insertion_over_centre")
BOUNDED = ("insertion", "deletion", "border_share", "outside_share", "lesion_share", "lesion_iou")
PROPORTIONS = ("lesion_hit",)
CHECKS = (*SIGNED, *BOUNDED, *PROPORTIONS)
TRIVIAL = ("random", "centre")
METHOD = (
    "groups resampled within classes (Rao-Wu-Yue bootstrap); shares and areas: Wilson at the effective "
    "sample size; similarities and differences: expanded percentiles"
)


def with_differences(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with the insertion area over that of each trivial map of the same image."""
    for name in TRIVIAL:
        areas = table[table["method"] == name].set_index("image_id")["insertion"]
        differences = table["insertion"] - table["image_id"].map(areas)
        table = table.assign(**{f"insertion_over_{name}": differences.where(table["method"] != name)})
    return table


def method_entries(rows: pd.DataFrame, class_names: list[str], resamples: int, seed: int) -> dict:
    """Return the mean of each check of one method, with its interval and what stands behind it.

    Parameters
    ----------
    rows
        The rows of one method, one an image, with the columns `CHECKS`, `group_id` and `label`.
    class_names
        The classes in the order of their index.
    resamples
        Number of bootstrap resamples.
    seed
        Seed of the resampling.
    """
    return {
        name: mean_entry(rows, name, class_names, resamples, seed)
        for name in CHECKS
        if rows[name].notna().any()
    }


def mean_entry(rows: pd.DataFrame, name: str, class_names: list[str], resamples: int, seed: int) -> dict:
    """Return the mean of one check: value, low, high, n_images and n_groups."""
    rows = rows[rows[name].notna()]
    values = rows[name].to_numpy(dtype=np.float64)
    truth = pd.Index(class_names).get_indexer(rows["label"])
    grouping = grouping_of(rows["group_id"].to_numpy(dtype=str), truth, len(class_names))

    def mean(weights: np.ndarray) -> np.ndarray:
        of_images = weights[:, grouping.group]
        # A resample whose drawn groups weigh nothing has no mean.
        with np.errstate(invalid="ignore"):
            return of_images @ values / of_images.sum(axis=1)

    means, value = resampled(mean, grouping, resamples, seed, images=len(values)), float(values.mean())
    everyone = np.ones(len(values), bool)
    if name in PROPORTIONS:
        limits = proportion_interval(value, means, everyone, grouping)
    elif name in BOUNDED:
        limits = bounded_interval(value, means, [everyone], grouping)
    else:
        limits = percentile_interval(means, grouping)
    low, high = (float(limit) if np.isfinite(limit) else None for limit in limits)
    return {
        "value": value,
        "low": low,
        "high": high,
        "n_images": len(values),
        "n_groups": grouping.count,
    }
