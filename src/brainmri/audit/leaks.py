"""What the copies do to the source's own split and labels: the document `audit.json`."""

import numpy as np
import pandas as pd

from brainmri.audit.copies import NEIGHBOUR

PLAIN = ("bytes", "pixels", "near")
# Which kinds count as a copy, by the name of the count.
COUNTED = {
    "without_mirrors": PLAIN,
    "with_mirrors": (*PLAIN, "mirrored"),
    "with_mirrors_and_turns": (*PLAIN, "mirrored", "rotated"),
    "all_copies": (*PLAIN, "mirrored", "rotated", "affine"),
}
# How many groups are named in each list.
GROUPS_TOLD = 10


def leak_counts(
    images: pd.DataFrame,
    pairs: pd.DataFrame,
    grouped: pd.DataFrame,
    weakest: pd.DataFrame,
    kinds: tuple[str, ...],
) -> dict:
    """Return the document of `audit.json`.

    Parameters
    ----------
    images
        The usable rows of the inventory.
    pairs, grouped, weakest
        The copies, the groups, and the groups' weakest links, as the stage made them.
    kinds
        The kinds of copy that were looked for.
    """
    facts = images.set_index("image_id")
    ends = [facts.loc[pairs[side]].reset_index() for side in ("image_id_a", "image_id_b")]
    source = [end["source_split"] for end in ends]
    across = (source[0] != source[1]) & source[0].notna() & source[1].notna()
    conflicts = grouped[grouped["label_conflict"]]
    is_conflict = in_conflict(pairs["kind"], *(end["label"] for end in ends))
    return {
        "kinds_searched": list(kinds),
        "images": len(images),
        "distinct_by_pixels": int(images["pixel_sha256"].nunique()),
        "patients": int(images["patient_id"].nunique()),
        "groups": int(grouped["group_id"].nunique()),
        "largest_group": int(grouped["group_size"].max()) if len(grouped) else 0,
        "pairs": {
            kind: {
                "within": int(((pairs["kind"] == kind) & ~across).sum()),
                "across": int(((pairs["kind"] == kind) & across).sum()),
            }
            for kind in kinds
        },
        "test_images_with_train_copy": {
            name: test_images_with_train_copy(facts, ends, across & pairs["kind"].isin(counted))
            for name, counted in COUNTED.items()
            if name == "without_mirrors" or set(counted) <= set(kinds)
        },
        "test_images_with_train_neighbour": test_images_with_train_copy(
            facts, ends, across & pairs["kind"].eq(NEIGHBOUR)
        )
        if NEIGHBOUR in kinds
        else None,
        "label_conflicts": {
            "images": len(conflicts),
            "pairs": int(is_conflict.sum()),
            "image_ids": conflicts["image_id"].tolist(),
        },
        "largest_groups": described_groups(grouped, pairs, weakest, by="group_size", ascending=False),
        "weakest_groups": described_groups(grouped, pairs, weakest, by="weakest_link", ascending=True),
    }


def in_conflict(kinds: pd.Series, labels: pd.Series, others: pd.Series) -> np.ndarray:
    """Return which pairs, (P,) bool, are copies of two known labels that differ; neighbours are no copies.

    Parameters
    ----------
    kinds
        Of each pair.
    labels, others
        Of its images.
    """
    labels, others = labels.to_numpy(), others.to_numpy()
    return (labels != others) & pd.notna(labels) & pd.notna(others) & (kinds.to_numpy() != NEIGHBOUR)


def described_groups(
    grouped: pd.DataFrame, pairs: pd.DataFrame, weakest: pd.DataFrame, by: str, ascending: bool
) -> list[dict]:
    """Return the first groups in an order, each with the pair that holds it together least well."""
    first = grouped[grouped["group_size"] > 1].drop_duplicates("group_id")
    first = first.sort_values([by, "group_id"], ascending=[ascending, True]).head(GROUPS_TOLD)
    told = []
    for group in first.itertuples():
        link = weakest.loc[group.group_id, "link"]
        told.append(
            {
                "group_id": group.group_id,
                "images": int(group.group_size),
                "weakest_link": None if link < 0 else pairs.loc[link].dropna().to_dict(),
            }
        )
    return told


def test_images_with_train_copy(
    facts: pd.DataFrame, ends: list[pd.DataFrame], across: pd.Series
) -> dict | None:
    """Count the source's test images that have a copy in its training part, in all and per class.

    Returns
    -------
    dict or None
        ``{"all": {"count", "of", "share"}, class: {...}}``; None where the source has no test part.
    """
    test = facts[facts["source_split"] == "test"]
    if test.empty:
        return None
    crossing = pd.concat([end[across] for end in ends])
    copied = set(crossing.loc[crossing["source_split"] == "test", "image_id"])
    leaked = pd.Series(test.index.isin(copied), index=test.index)

    def counted(mask: pd.Series) -> dict:
        return {"count": int(mask.sum()), "of": len(mask), "share": float(mask.mean())}

    per_class = {label: counted(leaked[rows]) for label, rows in test.groupby("label").groups.items()}
    return {"all": counted(leaked), **per_class}
