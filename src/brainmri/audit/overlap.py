"""The stage `overlap`: which images of one data set are copies of images of another."""

from pathlib import Path

import numpy as np
import pandas as pd

from brainmri.artefacts import write_parquet
from brainmri.audit.audit import DUPLICATES_SCHEMA, joined_pairs, packed_images, usable_images
from brainmri.audit.copies import NEIGHBOUR, exact_copies
from brainmri.audit.search import search_copies
from brainmri.errors import BrainmriError


def overlap(inventories: list[Path], images: list[Path], output: Path, workers: int = 0) -> None:
    """Find the images of one data set that are copies of, or neighbours to, images of another.

    Parameters
    ----------
    inventories
        The `inventory.parquet` of both data sets.
    images
        Their packed arrays of whole images, no border cut off, 256 pixels a side, in the same order.
    output
        Where to write the pairs: as `duplicates.parquet`, `image_id_a` of the first set, `image_id_b` of
        the second.
    workers
        How many images to work on at a time; 0 for as many as there are cores.

    Raises
    ------
    BrainmriError
        If there are not two of each, or an array is not of its inventory.
    """
    if len(inventories) != 2 or len(images) != 2:
        raise BrainmriError(
            f"overlap compares two data sets: give two inventories ({len(inventories)} given) and two "
            f"packed arrays ({len(images)} given)."
        )
    tables = [usable_images(inventory) for inventory in inventories]
    packed = [packed_images(array, table) for array, table in zip(images, tables, strict=True)]
    sets = np.repeat([0, 1], [len(table) for table in tables])
    found, _ = search_copies(
        [image for array in packed for image in array],
        pd.concat(tables, ignore_index=True),
        sets=sets,
        workers=workers,
        folder=Path(output).parent,
    )
    pairs = joined_pairs(exact_overlap(*tables), found)
    write_parquet(pairs, output, config={}, inputs=[*inventories, *images], schema=DUPLICATES_SCHEMA)
    copies = pairs[pairs["kind"] != NEIGHBOUR]
    counts = [copies[side].nunique() for side in ("image_id_a", "image_id_b")]
    told = [f"{count} of {len(table)}" for count, table in zip(counts, tables, strict=True)]
    print(f"overlap: {told[0]} images of the first set have a copy in the second, {told[1]} the other way")


def exact_overlap(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs across two inventories that are equal by bytes or pixels."""
    # Names are unique within a set alone, so both get a mark that is taken off again.
    marked = [
        table.assign(image_id=mark + table["image_id"])
        for mark, table in zip("01", (first, second), strict=True)
    ]
    pairs = exact_copies(pd.concat(marked, ignore_index=True))
    sides = [pairs[side].str for side in ("image_id_a", "image_id_b")]
    pairs = pairs.assign(image_id_a=sides[0][1:], image_id_b=sides[1][1:])
    return pairs[sides[0][0] != sides[1][0]].reset_index(drop=True)
