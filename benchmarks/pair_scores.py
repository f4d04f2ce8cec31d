"""Recall and precision of an audit's pairs against what is known to be a copy of what."""

import numpy as np
import pandas as pd

from brainmri.audit.groups import group_ids

# Kinds of pairs that are no copies.
NO_COPIES = ("neighbour",)


def groups_by(images: pd.Series, pairs: pd.DataFrame) -> pd.Series:
    """Return the group of each image (index: image) that these pairs join, directly or through others."""
    position = pd.Series(np.arange(len(images)), index=images.to_numpy())
    a, b = (position.loc[pairs[side]].to_numpy() for side in ("image_id_a", "image_id_b"))
    return pd.Series(group_ids(images.reset_index(drop=True), [(a, b)]), index=images.to_numpy())


def copies_of(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs that claim to be copies."""
    return pairs[~pairs["kind"].isin(NO_COPIES)]


def recall_table(truth: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Return for each kind of copy (index) how many were `planted`, `found`, and found by their `own` pair.

    A copy is found if pairs of copies lead from it to its original, as grouping follows them.
    """
    group = groups_by(truth["image_id"], copies_of(pairs))
    planted = truth[truth["kind"].notna()]
    found = group.loc[planted["image_id"]].to_numpy() == group.loc[planted["origin"]].to_numpy()
    direct = {frozenset(pair) for pair in copies_of(pairs)[["image_id_a", "image_id_b"]].to_numpy()}
    own = [frozenset(pair) in direct for pair in planted[["image_id", "origin"]].to_numpy()]
    table = planted.assign(planted=1, found=found, own=own).groupby("kind")
    return table[["planted", "found", "own"]].sum().astype(int)


def with_truth(truth: pd.DataFrame, pairs: pd.DataFrame, same: pd.Series | None = None) -> pd.DataFrame:
    """Return the pairs with the column `right`: whether both images show one picture.

    Parameters
    ----------
    truth, pairs
        The set's table and the audit's pairs.
    same
        The group of each original that is known to have copies among the originals; None if none has.
    """
    origin = truth.set_index("image_id")["origin"]
    shown = origin if same is None else origin.map(same)
    ends = [shown.loc[pairs[side]].to_numpy() for side in ("image_id_a", "image_id_b")]
    return pairs.assign(right=ends[0] == ends[1])


def precision_table(judged: pd.DataFrame) -> pd.DataFrame:
    """Return for each kind of pair (index) how many the audit `reported`, and how many are `right`."""
    judged = copies_of(judged)
    table = judged.groupby("kind")["right"].agg(["size", "sum"])
    return table.set_axis(["reported", "right"], axis=1).astype(int)


def merged_patients(truth: pd.DataFrame, pairs: pd.DataFrame) -> int:
    """Return how many groups joined by these pairs hold images of more than one patient."""
    group = groups_by(truth["image_id"], pairs)
    patients = pd.Series(truth["patient_id"].to_numpy()).groupby(group.loc[truth["image_id"]].to_numpy())
    return int((patients.agg(lambda values: len(set(values))) > 1).sum())


def neighbour_counts(truth: pd.DataFrame, pairs: pd.DataFrame) -> dict[str, int]:
    """Return what the pairs of kind `neighbour` are worth: right ones, and adjacent slices found.

    A pair is right if both images are of one patient. Adjacent slices of one patient and plane are found if a
    neighbour pair joins them or copies of them, or together if any pairs lead from one to the other.
    """
    claimed = pairs[pairs["kind"].isin(NO_COPIES)]
    patient = truth.set_index("image_id")["patient_id"]
    right = patient.loc[claimed["image_id_a"]].to_numpy() == patient.loc[claimed["image_id_b"]].to_numpy()
    originals = truth[truth["kind"].isna()].sort_values(["patient_id", "plane", "slice_index"])
    following = originals.shift(-1)
    adjacent = (
        (originals["patient_id"] == following["patient_id"])
        & (originals["plane"] == following["plane"])
        & (originals["slice_index"] + 1 == following["slice_index"])
    )
    first, second = originals["image_id"][adjacent], following["image_id"][adjacent]
    copies = groups_by(truth["image_id"], copies_of(pairs))
    everything = groups_by(truth["image_id"], pairs)
    joined = {frozenset((copies[a], copies[b])) for a, b in claimed[["image_id_a", "image_id_b"]].to_numpy()}
    return {
        "reported": len(claimed),
        "right": int(right.sum()),
        "adjacent": len(first),
        "found": sum(frozenset((copies[a], copies[b])) in joined for a, b in zip(first, second, strict=True)),
        "together": int((everything.loc[first].to_numpy() == everything.loc[second].to_numpy()).sum()),
    }
