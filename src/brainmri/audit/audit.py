"""The stage `audit`: which images are copies of which, and what that does to the source's own split."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from brainmri.artefacts import read_parquet, write_json, write_parquet
from brainmri.audit.copies import exact_copies
from brainmri.audit.groups import group_ids, links_by_value, weakest_links
from brainmri.audit.leaks import leak_counts
from brainmri.audit.shortcuts import shortcut_counts
from brainmri.audit.similar import similar_copies
from brainmri.errors import BrainmriError
from brainmri.images.store import open_images

EXACT_KINDS = ("bytes", "pixels")
SIMILAR_KINDS = ("near", "mirrored", "rotated")

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
        ("weakest_link", pa.float64()),
    ]
)
INVENTORY_COLUMNS = ["image_id", "label", "source_split", "sha256", "pixel_sha256", "patient_id", "status"]


def audit(inventory: Path, duplicates: Path, groups: Path, output: Path, images: Path | None = None) -> None:
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
    images
        The packed array of the whole images, no border cut off, 64 pixels a side; without it, only
        copies equal by bytes or pixels are looked for.

    Raises
    ------
    BrainmriError
        If the inventory or the array cannot be read, or one is not of the other.
    """
    table = read_parquet(inventory, INVENTORY_COLUMNS)
    usable = table[table["status"] == "ok"].sort_values("image_id", ignore_index=True)
    pairs, kinds = exact_copies(usable), EXACT_KINDS
    if images is not None:
        pairs, kinds = pd.concat([pairs, searched(usable, images)]), EXACT_KINDS + SIMILAR_KINDS
        pairs = pairs.sort_values(["image_id_a", "image_id_b"], ignore_index=True)
    grouped, weakest = group_table(usable, pairs)
    config = {"kinds": kinds}
    inputs = [inventory, *([] if images is None else [images])]
    write_parquet(pairs, duplicates, config=config, inputs=inputs, schema=DUPLICATES_SCHEMA)
    write_parquet(grouped, groups, config=config, inputs=inputs, schema=GROUPS_SCHEMA)
    document = leak_counts(usable, pairs, grouped, weakest, kinds)
    write_json(document | shortcut_counts(inventory, grouped, images), output)


def searched(usable: pd.DataFrame, images: Path) -> pd.DataFrame:
    """Return the copies that are not equal by pixels, from the packed array of the usable images."""
    packed = open_images(images)
    if len(packed) != len(usable):
        raise BrainmriError(
            f"{images} holds {len(packed)} images, the inventory lists {len(usable)} usable ones: "
            "run the stage crop again."
        )
    return similar_copies(packed, usable["image_id"].to_numpy(), usable["pixel_sha256"].to_numpy())


def group_table(images: pd.DataFrame, pairs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return `groups.parquet`, one row an image, and the weakest link of each group.

    Copies and one patient's images are in one group. `label_conflict` marks an image one of whose copies
    carries another label; `weakest_link` is the similarity that holds the group together, 1 where patient or
    equality do, null for an image alone. The weakest links are indexed by group: `link` (row of `pairs`, -1
    where it is the patient) and `similarity`.
    """
    position = pd.Series(np.arange(len(images)), index=images["image_id"])
    a, b = (position.loc[pairs[side]].to_numpy() for side in ("image_id_a", "image_id_b"))
    labels = images["label"].to_numpy()
    conflict = np.zeros(len(images), bool)
    differs = (labels[a] != labels[b]) & pd.notna(labels[a]) & pd.notna(labels[b])
    conflict[a[differs]] = conflict[b[differs]] = True

    patients = links_by_value(images["patient_id"])
    group = group_ids(images["image_id"], [(a, b), patients])
    links = pd.DataFrame({"a": a, "b": b, "similarity": pairs["similarity"]})
    same_patient = pd.DataFrame({"a": patients[0], "b": patients[1], "similarity": 1.0})
    same_patient.index = np.full(len(same_patient), -1)
    weakest = weakest_links(pd.concat([links, same_patient]), group)
    table = pd.DataFrame({"image_id": images["image_id"], "group_id": group, "label_conflict": conflict})
    table["group_size"] = table.groupby("group_id")["image_id"].transform("size")
    table["weakest_link"] = table["group_id"].map(weakest["similarity"])
    return table, weakest
