"""The stage `audit`: which images are copies of which, and what that does to the source's own split."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from brainmri.artefacts import read_parquet, write_json, write_parquet
from brainmri.audit.copies import EXACT_KINDS, NEIGHBOUR, SEARCHED_KINDS, exact_copies
from brainmri.audit.groups import group_ids, is_linking, links_by_value, weakest_links
from brainmri.audit.leaks import in_conflict, leak_counts
from brainmri.audit.search import search_copies
from brainmri.audit.shortcuts import shortcut_counts
from brainmri.errors import BrainmriError
from brainmri.images.store import open_images

DUPLICATES_SCHEMA = pa.schema(
    [
        ("image_id_a", pa.string()),
        ("image_id_b", pa.string()),
        ("kind", pa.string()),
        ("transform", pa.string()),
        ("similarity", pa.float64()),
        ("grain", pa.float64()),
        ("matrix", pa.string()),
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
INVENTORY_COLUMNS = [
    "image_id", "label", "source_split", "sha256", "pixel_sha256", "width", "height", "patient_id", "status",
]  # fmt: skip


def audit(
    inventory: Path,
    duplicates: Path,
    groups: Path,
    output: Path,
    images: Path | None = None,
    rejected: Path | None = None,
    neighbours: bool = True,
    workers: int = 0,
) -> None:
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
        The packed array of the whole images, no border cut off, 256 pixels a side; without it, only
        copies equal by bytes or pixels are looked for.
    rejected
        Where to write the most similar pairs that are no copies (`rejected.parquet`).
    neighbours
        Whether neighbouring slices of one head, which are no copies, share a group too.
    workers
        How many images to work on at a time; 0 for as many as there are cores.

    Raises
    ------
    BrainmriError
        If the inventory or the array cannot be read, or one is not of the other.
    """
    usable = usable_images(inventory)
    pairs, kinds, others = joined_pairs(exact_copies(usable)), EXACT_KINDS, None
    if images is not None:
        packed = packed_images(images, usable)
        found, others = search_copies(packed, usable, workers=workers, folder=Path(duplicates).parent)
        pairs, kinds = joined_pairs(pairs, found), (*EXACT_KINDS, *SEARCHED_KINDS, NEIGHBOUR)
    grouped, weakest = group_table(usable, pairs, unlinked=() if neighbours else (NEIGHBOUR,))
    config = {"kinds": kinds, "neighbours": neighbours}
    inputs = [inventory, *([] if images is None else [images])]
    write_parquet(pairs, duplicates, config=config, inputs=inputs, schema=DUPLICATES_SCHEMA)
    write_parquet(grouped, groups, config=config, inputs=inputs, schema=GROUPS_SCHEMA)
    if rejected is not None:
        others = joined_pairs(pairs.iloc[:0], others)
        write_parquet(others, rejected, config=config, inputs=inputs, schema=DUPLICATES_SCHEMA)
    document = leak_counts(usable, pairs, grouped, weakest, kinds)
    document |= shortcut_counts(inventory, grouped, images)
    write_json(document, output, inputs=[inventory, duplicates, groups])


def usable_images(inventory: Path) -> pd.DataFrame:
    """Return the usable rows of an inventory, in the order of the packed arrays."""
    table = read_parquet(inventory, INVENTORY_COLUMNS, unique="image_id")
    return table[table["status"] == "ok"].sort_values("image_id", ignore_index=True)


def packed_images(images: Path, usable: pd.DataFrame) -> np.ndarray:
    """Open the packed array of the usable images."""
    packed = open_images(images)
    if len(packed) != len(usable):
        raise BrainmriError(
            f"{images} holds {len(packed)} images, the inventory lists {len(usable)} usable ones: "
            "run the stage crop again."
        )
    return packed


def joined_pairs(exact: pd.DataFrame, found: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the rows of two tables of pairs, sorted, with the columns of `duplicates.parquet`."""
    pairs = exact.assign(grain=np.nan, matrix=None)
    if found is not None and len(found):
        pairs = pd.concat([pairs, found]) if len(pairs) else found
    return pairs.sort_values(["image_id_a", "image_id_b"], ignore_index=True)


def group_table(
    images: pd.DataFrame, pairs: pd.DataFrame, unlinked: Collection[str] = ()
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return `groups.parquet`, one row an image, and the weakest link of each group.

    What `pairs` link, and one patient's images, are in one group; pairs of a kind in `unlinked` link nothing.
    `label_conflict` marks an image one of whose copies (neighbours are none) carries another label;
    `weakest_link` is the similarity that holds the group together, 1 where patient or equality do, null for
    an image alone. The weakest links are indexed by group: `link` (row label in `pairs`, -1 where it is the
    patient) and `similarity`.
    """
    pairs = pairs[is_linking(pairs, images, unlinked)]
    position = pd.Series(np.arange(len(images)), index=images["image_id"])
    a, b = (position.loc[pairs[side]].to_numpy() for side in ("image_id_a", "image_id_b"))
    conflict = np.zeros(len(images), bool)
    differs = in_conflict(pairs["kind"], *(images["label"].iloc[own] for own in (a, b)))
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
