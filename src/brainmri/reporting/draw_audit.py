"""Figures of an audit: the groups and pairs of copies that a reader should judge for himself."""

from pathlib import Path

import numpy as np
import pandas as pd

from brainmri.artefacts import read_parquet
from brainmri.errors import BrainmriError
from brainmri.images.store import open_images
from brainmri.reporting.copy_pairs import (
    across_pairs,
    conflicting_pairs,
    described,
    neighbour_pairs,
    one_of_each_group,
    strongest_rejected_pairs,
    weakest_pairs,
)
from brainmri.reporting.copy_sheets import GROUPS, PAIRS, groups_figure, pairs_figure
from brainmri.reporting.style import figure_style, save_figure
from brainmri.seeds import check_seed

COLOURS = 96
# What each sheet shows, and what it says where there is nothing to show.
WORDS = {
    "across": ("copies across training and test", "No copy lies across the source's parts."),
    "conflicts": ("copies that carry two labels", "No two copies carry different labels."),
    "weakest": ("the confirmed copies of least similarity", "Only equal files were found: none is weak."),
    "rejected": ("the most similar pairs not taken for copies", "No pair came near."),
    "neighbours": ("neighbouring slices, probably of one patient", "No neighbouring slices were found."),
}
FACTS = ["image_id", "label", "source_split", "patient_id", "width", "height", "status"]


def draw_audit(
    dataset: str,
    inventory: Path,
    duplicates: Path,
    groups: Path,
    rejected: Path,
    images: Path,
    largest_groups: Path,
    across: Path,
    conflicts: Path,
    weakest: Path,
    strongest_rejected: Path,
    neighbours: Path,
    seed: int = 0,
) -> None:
    """Draw the largest groups, and pairs: across train and test, of two labels, weak, rejected, neighbouring.

    Parameters
    ----------
    dataset
        The data set's name, for the titles.
    inventory
        ``inventory.parquet``.
    duplicates
        ``duplicates.parquet``, the pairs of copies.
    groups
        ``groups.parquet``, each image's group.
    rejected
        ``rejected.parquet``, the strongest pairs that were looked at and not confirmed.
    images
        The packed array of the whole images that the audit compared.
    largest_groups
        Where to write the sheet of the largest groups (PNG).
    across
        Where to write the pairs of a training and a test image of the source (PNG).
    conflicts
        Where to write the copies of two labels (PNG).
    weakest
        Where to write the confirmed pairs of least similarity (PNG).
    strongest_rejected
        Where to write the rejected pairs of most similarity (PNG).
    neighbours
        Where to write the pairs of neighbouring slices (PNG).
    seed
        Seed of the choice among the pairs across.

    Raises
    ------
    BrainmriError
        If the tables and the array do not belong together.
    """
    check_seed(seed)
    facts, packed = image_facts(inventory, groups), open_images(images)
    if len(facts) != len(packed):
        raise BrainmriError(
            f"{images} holds {len(packed)} images, {groups} lists {len(facts)}: run the stage audit again."
        )
    pairs = described_pairs(duplicates, facts)
    sheets = {
        "across": (across, across_pairs(pairs, seed)),
        "conflicts": (conflicts, one_of_each_group(conflicting_pairs(pairs))),
        "weakest": (weakest, weakest_pairs(pairs)),
        "rejected": (strongest_rejected, strongest_rejected_pairs(described_pairs(rejected, facts))),
        "neighbours": (neighbours, neighbour_pairs(pairs, PAIRS)),
    }
    with figure_style():
        members = largest_members(facts)
        figure = groups_figure(
            f"{dataset}: the largest groups", members, packed, "No two images belong together."
        )
        save_figure(figure, largest_groups, colours=COLOURS)
        for name, (path, found) in sheets.items():
            what, none = WORDS[name]
            figure = pairs_figure(f"{dataset}: {what}", found.head(PAIRS), packed, none)
            save_figure(figure, path, colours=COLOURS)


def image_facts(inventory: Path, groups: Path) -> pd.DataFrame:
    """Return what is known of each usable image, by `image_id`, with its `row` in the packed array."""
    table = read_parquet(inventory, FACTS)
    table = table[table["status"] == "ok"].merge(
        read_parquet(groups, ["image_id", "group_id", "group_size", "weakest_link"]),
        on="image_id",
        how="inner",
    )
    table = table.sort_values("image_id", ignore_index=True)
    return table.assign(row=np.arange(len(table))).set_index("image_id", drop=False)


def described_pairs(path: Path, facts: pd.DataFrame) -> pd.DataFrame:
    """Read a table of pairs, and add what is known of both images."""
    pairs = read_parquet(path)
    unknown = set(pairs["image_id_a"]).union(pairs["image_id_b"]) - set(facts.index)
    if unknown:
        raise BrainmriError(
            f"{path} names {min(unknown)}, no usable image of the inventory: run the stage audit again."
        )
    return described(pairs, facts.drop(columns=["image_id"]))


def largest_members(facts: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the images of each of the largest groups, the largest first."""
    heads = facts[facts["group_size"] > 1].drop_duplicates("group_id")
    heads = heads.sort_values(["group_size", "group_id"], ascending=[False, True]).head(GROUPS)
    return [facts[facts["group_id"] == name] for name in heads["group_id"]]
