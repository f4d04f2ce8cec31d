"""Which pairs of copies a reader should see: one of each group, so that no picture fills a sheet."""

import numpy as np
import pandas as pd

from brainmri.audit.copies import EXACT_KINDS, NEIGHBOUR
from brainmri.audit.leaks import in_conflict
from brainmri.reporting.choice import evenly
from brainmri.reporting.copy_words import KIND_TITLES


def described(pairs: pd.DataFrame, facts: pd.DataFrame) -> pd.DataFrame:
    """Return pairs with what is known of both images.

    Parameters
    ----------
    pairs
        ``duplicates.parquet``, or a table of the same columns.
    facts
        Indexed by `image_id`; its columns come twice, as ``{column}_a`` and ``{column}_b``.
    """
    pairs = pairs.reset_index(drop=True)
    ends = [
        facts.loc[pairs[f"image_id_{side}"]].add_suffix(f"_{side}").reset_index(drop=True) for side in "ab"
    ]
    return pd.concat([pairs, *ends], axis=1)


def one_of_each_group(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the first pair of each group, or of each two groups where a pair lies between two."""
    low = np.minimum(pairs["group_id_a"].to_numpy(object), pairs["group_id_b"].to_numpy(object))
    high = np.maximum(pairs["group_id_a"].to_numpy(object), pairs["group_id_b"].to_numpy(object))
    return pairs[~pd.DataFrame({"low": low, "high": high}, index=pairs.index).duplicated()]


def across_pairs(pairs: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Return copies of which one is in the source's training and one in its test part, by lot.

    Kinds take turns, and classes within a kind, so that the first few pairs show what there is.
    """
    parts = pairs[["source_split_a", "source_split_b"]]
    crossing = pairs[parts.notna().all(axis=1) & parts.nunique(axis=1).eq(2) & (pairs["kind"] != NEIGHBOUR)]
    generator = np.random.default_rng(seed)
    crossing = one_of_each_group(crossing.iloc[generator.permutation(len(crossing))])
    order = crossing[["kind", "label_a"]].assign(lot=generator.random(len(crossing)))
    order["of_class"] = order.groupby(["kind", "label_a"], dropna=False).cumcount()
    order = order.sort_values(["of_class", "lot"])
    order["of_kind"] = order.groupby("kind").cumcount()
    order["kind"] = order["kind"].map({kind: number for number, kind in enumerate(KIND_TITLES)})
    return crossing.loc[order.sort_values(["of_kind", "kind"], kind="stable").index]


def conflicting_pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return copies of different labels, the most similar first."""
    found = pairs[in_conflict(pairs["kind"], pairs["label_a"], pairs["label_b"])]
    return found.sort_values("similarity", ascending=False, kind="stable", ignore_index=True)


def weakest_pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return confirmed copies that are not equal, the least similar first, one of each group."""
    # Equal files need no threshold: they cannot be weak.
    found = pairs[~pairs["kind"].isin([*EXACT_KINDS, NEIGHBOUR])]
    return one_of_each_group(found.sort_values("similarity", kind="stable"))


def strongest_rejected_pairs(rejected: pd.DataFrame) -> pd.DataFrame:
    """Return pairs that were looked at and not confirmed, the most similar first."""
    return one_of_each_group(rejected.sort_values("similarity", ascending=False, kind="stable"))


def neighbour_pairs(pairs: pd.DataFrame, count: int) -> pd.DataFrame:
    """Return pairs of neighbouring slices, the surest and the least sure and what lies between."""
    found = pairs[pairs["kind"] == NEIGHBOUR].sort_values("similarity", ascending=False, kind="stable")
    found = one_of_each_group(found)
    return found.iloc[evenly(len(found), count)]
