"""The stage `split`: a manifest that says which image trains, validates and tests, and why one does not."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from brainmri.artefacts import read_parquet, write_json, write_parquet
from brainmri.errors import BrainmriError
from brainmri.images.store import stored_rows
from brainmri.splits.manifest import MANIFEST_SCHEMA
from brainmri.splits.protocols import DRAWERS
from brainmri.splits.reasons import CONFLICT, NO_LABEL, unusable
from brainmri.splits.settings import SplitSettings
from brainmri.splits.summary import split_summary


def split(
    inventory: Path,
    groups: Path,
    output: Path,
    settings: SplitSettings,
    class_names: list[str],
    summary: Path | None = None,
) -> None:
    """Write a manifest: every file of the data set, its label, its group and its part.

    Parameters
    ----------
    inventory
        The data set's `inventory.parquet`.
    groups
        The data set's `groups.parquet`.
    output
        Where to write `manifest.parquet`.
    settings
        Protocol, shares and seed.
    class_names
        The canonical classes in the order of their label index.
    summary
        Where to write `split.json`, the counts and shares beside the wished ones; beside the manifest
        where not given.

    Raises
    ------
    BrainmriError
        If the wish is impossible: a class with fewer groups than parts, a source without a test part.
    """
    if len(set(class_names)) < len(class_names):
        raise BrainmriError(f"class_names names a class twice: {', '.join(class_names)}. Name each once.")
    manifest = candidates(inventory, groups, class_names, settings)
    usable = manifest["split"].isna()
    if not usable.any():
        raise BrainmriError(f"{inventory} has no image that could be split: none is readable and labelled.")
    manifest.loc[usable, ["split", "reason"]] = DRAWERS[settings.protocol](manifest, settings)
    found = split_summary(manifest, settings, class_names)
    for label in found["absent_classes"]:
        print(f"split: warning: {inventory} has no image of the class '{label}': no model will know it")
    for label in found["classes_without_test"]:
        print(f"split: warning: no image of the class '{label}' is left to test on, only to train on")
    write_parquet(
        manifest[MANIFEST_SCHEMA.names],
        output,
        config={"settings": asdict(settings), "class_names": class_names},
        inputs=[inventory, groups],
        schema=MANIFEST_SCHEMA,
    )
    write_json(found, output.with_name("split.json") if summary is None else summary, inputs=[output])


def candidates(
    inventory: Path, groups: Path, class_names: list[str], settings: SplitSettings
) -> pd.DataFrame:
    """Return one row a file: `split` is null where it can be drawn, else ``excluded`` with its `reason`."""
    files = read_parquet(
        inventory, ["image_id", "label", "source_split", "sha256", "status", "reason"], unique="image_id"
    )
    if settings.protocol == "leave_one_out":
        if "dataset" not in pq.read_schema(inventory).names:
            raise BrainmriError(
                f"The protocol 'leave_one_out' needs a data set pooled from others, and {inventory} is of "
                "one alone: pool some with source: {datasets: [...]}, or use another protocol."
            )
        files["dataset"] = read_parquet(inventory, ["dataset"])["dataset"]
    grouped = read_parquet(groups, ["image_id", "group_id", "label_conflict"], unique="image_id")
    files = files.sort_values("image_id", ignore_index=True)
    not_ok = files["status"] != "ok"
    files["row"] = pd.Series(stored_rows(files)["row"].to_numpy(), index=files.index[~not_ok], dtype="Int64")
    known = grouped.set_index("image_id").reindex(files["image_id"])
    for column in ("group_id", "label_conflict"):
        files[column] = known[column].set_axis(files.index)
    # Without a group an image has no relatives, and no leak of it would be found.
    if files.loc[~not_ok, "group_id"].isna().any():
        raise BrainmriError(f"{groups} lacks images of {inventory}: run the stage audit again.")
    # A set without a class (orvile has no healthy heads) counts its labels without a gap.
    present = set(files.loc[files["status"] == "ok", "label"])
    index_of = {name: index for index, name in enumerate(name for name in class_names if name in present)}
    files["label_index"] = files["label"].map(index_of).astype("Int64")

    why_not = pd.Series(None, index=files.index, dtype=object)
    why_not[not_ok] = unusable(files[not_ok])
    why_not[why_not.isna() & files["label"].isna()] = NO_LABEL
    why_not[why_not.isna() & files["label_index"].isna()] = "the label is none of the study's classes"
    if settings.source_split is not None:
        is_wished = files["source_split"] == settings.source_split
        if not (is_wished & why_not.isna()).any():
            raise BrainmriError(
                f"source_split is '{settings.source_split}', and {inventory} has no usable image in that "
                "part of its source: leave the key out, or name the source's folders under layout."
            )
        why_not[why_not.isna() & ~is_wished] = f"only the source's {settings.source_split} part is drawn from"
    if settings.conflicts == "exclude":
        in_conflict = files["label_conflict"].eq(True).fillna(False).astype(bool)
        why_not[why_not.isna() & in_conflict] = CONFLICT
    files["reason"] = why_not
    files["split"] = pd.Series(np.where(why_not.notna(), "excluded", None), dtype=object)
    return files
