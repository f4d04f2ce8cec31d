"""The stage `audit`: which images are copies of which, and what that does to the source's own split."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from brainmri.artefacts import read_parquet, write_json, write_parquet
from brainmri.audit.copies import exact_copies
from brainmri.audit.groups import group_ids, links_by_value

KINDS = ("bytes", "pixels")

DUPLICATES_SCHEMA = pa.schema(
    [
        ("image_id_a", pa.string()),
        ("image_id_b", pa.string()),
        ("kind", pa.string()),
        ("transform", pa.string()),
        ("similarity", pa.float64()),
    ]
)
GROUPS_SCHEMA = pa.schema(
    [
        ("image_id", pa.string()),
        ("group_id", pa.string()),
        ("group_size", pa.int64()),
        ("label_conflict", pa.bool_()),
    ]
)
INVENTORY_COLUMNS = ["image_id", "label", "source_split", "sha256", "pixel_sha256", "patient_id", "status"]


def audit(inventory: Path, duplicates: Path, groups: Path, output: Path) -> None:
    """Find copies, group them with the images of one patient, and count what leaks.

    Parameters
    ----------
    inventory
        The data set's `inventory.parquet`.
    duplicates
        Where to write the pairs of copies (`duplicates.parquet`).
    groups
        Where to write each image's group (`groups.parquet`).
    output
        Where to write the counts (`audit.json`).

    Raises
    ------
    BrainmriError
        If the inventory cannot be read.
    """
    table = read_parquet(inventory, INVENTORY_COLUMNS)
    images = table[table["status"] == "ok"].sort_values("image_id", ignore_index=True)
    pairs = exact_copies(images)
    grouped = group_table(images, pairs)
    write_parquet(pairs, duplicates, config={"kinds": KINDS}, inputs=[inventory], schema=DUPLICATES_SCHEMA)
    write_parquet(grouped, groups, config={"kinds": KINDS}, inputs=[inventory], schema=GROUPS_SCHEMA)
    write_json(leak_counts(images, pairs, grouped), output)


def group_table(images: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Return `groups.parquet`: one row an image, copies and one patient's images in one group.

    `label_conflict` marks an image one of whose copies carries another label.
    """
    position = pd.Series(np.arange(len(images)), index=images["image_id"])
    a, b = (position.loc[pairs[side]].to_numpy() for side in ("image_id_a", "image_id_b"))
    labels = images["label"].to_numpy()
    conflict = np.zeros(len(images), bool)
    differs = (labels[a] != labels[b]) & pd.notna(labels[a]) & pd.notna(labels[b])
    conflict[a[differs]] = conflict[b[differs]] = True

    group = group_ids(images["image_id"], [(a, b), links_by_value(images["patient_id"])])
    table = pd.DataFrame({"image_id": images["image_id"], "group_id": group, "label_conflict": conflict})
    table["group_size"] = table.groupby("group_id")["image_id"].transform("size")
    return table


def leak_counts(images: pd.DataFrame, pairs: pd.DataFrame, grouped: pd.DataFrame) -> dict:
    """Return the document of `audit.json`."""
    facts = images.set_index("image_id")
    ends = [facts.loc[pairs[side]].reset_index() for side in ("image_id_a", "image_id_b")]
    source = [end["source_split"] for end in ends]
    across = (source[0] != source[1]) & source[0].notna() & source[1].notna()
    conflicts = grouped[grouped["label_conflict"]]
    return {
        "kinds_searched": list(KINDS),
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
            for kind in KINDS
        },
        "test_images_with_train_copy": {"without_mirrors": test_images_with_train_copy(facts, ends, across)},
        "label_conflicts": {
            "images": len(conflicts),
            "image_ids": conflicts["image_id"].tolist(),
        },
    }


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
