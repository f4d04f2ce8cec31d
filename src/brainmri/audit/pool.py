"""The stage `pool`: several data sets as one, grouped over all copies within and between them."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from brainmri import __version__
from brainmri.artefacts import read_json, read_parquet, write_json, write_parquet
from brainmri.audit.audit import GROUPS_SCHEMA, group_table
from brainmri.audit.leaks import leak_counts
from brainmri.audit.shortcuts import shortcut_counts
from brainmri.digests import digest_of
from brainmri.errors import BrainmriError
from brainmri.mapping import fits

# What `fetch.json` of the pooled set repeats of each member.
TOLD_OF_MEMBERS = ("kind", "source", "version", "licence", "files", "files_sha256")


def pool(
    dataset: str,
    members: list[str],
    inventories: list[Path],
    duplicates: list[Path],
    rejections: list[Path],
    audits: list[Path],
    records: list[Path],
    overlaps: list[Path],
    record: Path,
    inventory: Path,
    pairs: Path,
    rejected: Path,
    groups: Path,
    output: Path,
    unlinked: list[str] | None = None,
) -> None:
    """Make one data set of several: their files under `{member}/`, and groups over the copies between them.

    Parameters
    ----------
    dataset
        The pooled set's name.
    members
        The names of the data sets it is made of.
    inventories
        The members' `inventory.parquet`, in the order of `members`, as are the next four.
    duplicates
        The members' `duplicates.parquet`.
    rejections
        The members' `rejected.parquet`.
    audits
        The members' `audit.json`.
    records
        The members' `fetch.json`.
    overlaps
        The pairs between two members, `{a}/overlap/{b}.parquet`, for all two of them in alphabetical order.
    record
        Where to write the pooled set's `fetch.json`.
    inventory
        Where to write its `inventory.parquet`; `path` is below the folder that holds all data sets.
    pairs
        Where to write its `duplicates.parquet`.
    rejected
        Where to write its `rejected.parquet`.
    groups
        Where to write its `groups.parquet`.
    output
        Where to write its `audit.json`.
    unlinked
        Kinds of pairs that are listed and make no group, such as `neighbour`.

    Raises
    ------
    BrainmriError
        If a table cannot be read, or names an image that its data set does not have.
    """
    by_two = pairs_of_members(dataset, members, overlaps)
    files = joined_tables(inventories, [(member,) for member in members], prefixed_files, unique="image_id")
    files = files.sort_values("image_id", ignore_index=True)
    usable = files[files["status"] == "ok"].reset_index(drop=True)
    found = joined_tables(
        [*duplicates, *overlaps], [*zip(members, members, strict=True), *by_two], prefixed_pairs
    )
    found = found.sort_values(["image_id_a", "image_id_b", "kind"], ignore_index=True)
    refuse_unknown_images(found, usable, dataset)
    grouped, weakest = group_table(usable, found, unlinked or ())
    others = joined_tables(rejections, [*zip(members, members, strict=True)], prefixed_pairs)
    counts = leak_counts(usable, found, grouped, weakest, kinds_searched(audits))
    counts["between_datasets"] = counts_between(found, usable, by_two)

    config = {"members": members, "unlinked": sorted(unlinked or [])}
    inputs = [*inventories, *duplicates, *rejections, *overlaps]
    for table, path, schema in (
        (files, inventory, unified_schema(inventories).append(pa.field("dataset", pa.string()))),
        (found, pairs, unified_schema([*duplicates, *overlaps])),
        (others, rejected, unified_schema(rejections)),
        (grouped, groups, GROUPS_SCHEMA),
    ):
        # A column that only an empty table had is empty.
        table = table.assign(**{name: None for name in schema.names if name not in table})
        write_parquet(table, path, config=config, inputs=inputs, schema=schema)
    counts |= shortcut_counts(inventory, grouped, None)
    write_json(counts, output, inputs=[inventory, pairs, groups])
    write_json(record_of(dataset, members, files, [read_json(path) for path in records]), record)


def pairs_of_members(dataset: str, members: list[str], overlaps: list[Path]) -> list[tuple[str, str]]:
    """Return every two members in alphabetical order, one pair for each table of overlaps."""
    by_two = list(combinations(sorted(members), 2))
    if len(by_two) != len(overlaps) or len(set(members)) != len(members) or len(members) < 2:
        raise BrainmriError(
            f"{dataset} is pooled from {', '.join(members)}: it needs two or more data sets, each once, and "
            f"the overlap of every two of them ({len(by_two)} tables, not {len(overlaps)})."
        )
    return by_two


def joined_tables(
    paths: list[Path], names: list[tuple[str, ...]], prefixed, unique: str | None = None
) -> pd.DataFrame:
    """Return the rows of several tables, each with the names of its data sets before its images."""
    tables = [
        prefixed(read_parquet(path, unique=unique), *own) for path, own in zip(paths, names, strict=True)
    ]
    # An empty table has no say in the types.
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)


def unified_schema(paths: list[Path]) -> pa.Schema:
    """Return all columns of several tables, with their types and without their provenance."""
    return pa.unify_schemas([pq.read_schema(path).remove_metadata() for path in paths])


def prefixed_files(files: pd.DataFrame, member: str) -> pd.DataFrame:
    """Return a member's inventory as rows of the pooled one."""
    return files.assign(
        image_id=f"{member}/" + files["image_id"],
        path=f"{member}/raw/" + files["path"],
        # P001 of one set is not P001 of another.
        patient_id=f"{member}/" + files["patient_id"],
        dataset=member,
    )


def prefixed_pairs(pairs: pd.DataFrame, member_a: str, member_b: str) -> pd.DataFrame:
    """Return pairs of images of two members as pairs of the pooled set."""
    return pairs.assign(
        image_id_a=f"{member_a}/" + pairs["image_id_a"], image_id_b=f"{member_b}/" + pairs["image_id_b"]
    )


def refuse_unknown_images(pairs: pd.DataFrame, usable: pd.DataFrame, dataset: str) -> None:
    """Raise BrainmriError where a pair names an image that no inventory lists as usable."""
    named = pd.concat([pairs["image_id_a"], pairs["image_id_b"]])
    unknown = named[~named.isin(usable["image_id"])]
    if len(unknown):
        member = unknown.iloc[0].split("/")[0]
        raise BrainmriError(
            f"The pairs of copies of {dataset} name '{unknown.iloc[0]}', which is no usable image of "
            f"{member}: run the stages audit and overlap again."
        )


def kinds_searched(audits: list[Path]) -> tuple[str, ...]:
    """Return the kinds of copies that were looked for in every one of the members."""
    searched = [read_json(audit).get("kinds_searched") for audit in audits]
    for audit, kinds in zip(audits, searched, strict=True):
        if not fits(list[str], kinds):
            raise BrainmriError(f"{audit} lacks 'kinds_searched': run the stage audit again.")
    first, *others = searched
    return tuple(kind for kind in first if all(kind in own for own in others))


def counts_between(pairs: pd.DataFrame, usable: pd.DataFrame, by_two: list[tuple[str, str]]) -> list[dict]:
    """Return for every two members the pairs between them by kind, and how many images of each are in one."""
    member_of = usable.set_index("image_id")["dataset"]
    ends = [pairs[side].map(member_of) for side in ("image_id_a", "image_id_b")]
    told = []
    for a, b in by_two:
        between = pairs[((ends[0] == a) & (ends[1] == b)) | ((ends[0] == b) & (ends[1] == a))]
        images = pd.concat([between["image_id_a"], between["image_id_b"]]).drop_duplicates().map(member_of)
        kinds = between["kind"].value_counts()
        told.append(
            {
                "datasets": [a, b],
                "pairs": {kind: int(kinds[kind]) for kind in sorted(kinds.index)},
                "images": {member: int((images == member).sum()) for member in (a, b)},
            }
        )
    return told


def record_of(dataset: str, members: list[str], files: pd.DataFrame, records: list[dict]) -> dict:
    """Return the pooled set's `fetch.json`: of what it is made."""
    own = [{key: record.get(key) for key in TOLD_OF_MEMBERS} for record in records]
    licences = [record.get("licence") for record in records]
    return {
        "dataset": dataset,
        "kind": "datasets",
        "source": members,
        "licence": "; ".join(
            f"{name}: {licence or 'unknown'}" for name, licence in zip(members, licences, strict=True)
        ),
        "files": len(files),
        "bytes": int(np.nansum(files["bytes"].to_numpy(float))),
        "files_sha256": digest_of([record["files_sha256"] for record in own]),
        "members": dict(zip(members, own, strict=True)),
        "brainmri_version": __version__,
    }
