"""What the page says of data sets and their splits, as plain dictionaries."""

import pandas as pd

from brainmri.artefacts import read_json, read_parquet
from brainmri.reporting.embedding import Artefacts
from brainmri.reporting.names import PART_TITLES, class_title, parts_present
from brainmri.reporting.numbers import flattened, percent
from brainmri.reporting.page_audit import audit_context
from brainmri.reporting.page_patients import leak_words, no_leak_words, patients_across
from brainmri.reporting.page_quality import quality_context
from brainmri.reporting.words import crop_words
from brainmri.splits.manifest import MANIFEST_SCHEMA, read_manifest
from brainmri.study import Study

UNSPLIT = "no source split"


def dataset_context(study: Study, dataset: str, artefacts: Artefacts) -> dict:
    """Return what the page says of a data set.

    Parameters
    ----------
    study
        The study.
    dataset
        The data set's name.
    artefacts
        Collects the files that are shown.
    """
    folder, figures = study.data_folder(dataset), study.dataset_figures(dataset)
    paths = {name: folder / name for name in ("fetch.json", "inventory.parquet", "audit.json")}
    paths["crops"] = folder / f"crops_{max(study.image_sizes())}.parquet"
    inventory, crops = read_parquet(paths["inventory.parquet"]), read_parquet(paths["crops"])
    audit = read_json(paths["audit.json"])
    usable = inventory[inventory["status"] == "ok"]
    return {
        "name": dataset,
        "provenance": flattened(read_json(paths["fetch.json"])),
        "files": len(inventory),
        "usable": len(usable),
        "patients": int(usable["patient_id"].nunique()),
        "unknown_patients": int(usable["patient_id"].isna().sum()),
        "test_patients": patients_across(inventory),
        "counts": class_counts(inventory, study.class_names),
        "quality": quality_context(
            inventory, artefacts.figure(figures / "quality.png", f"A few odd files of each kind of {dataset}")
        ),
        "audit": audit_context(audit),
        "cropped": crop_words(
            study.datasets[dataset].get("crop") or {}, int(crops["fallback"].sum()), len(crops)
        ),
        "samples": artefacts.figure(figures / "samples.png", f"Random images of each class of {dataset}"),
        "before_after": artefacts.figure(
            figures / "crops.png", f"Images of {dataset} with their crop box, beside the images as stored"
        ),
        "links": {name.split(".")[0]: artefacts.link(path) for name, path in paths.items()},
    }


def class_counts(inventory: pd.DataFrame, class_names: list[str]) -> dict:
    """Return the usable images by class and source split, with what may give a class away.

    Parameters
    ----------
    inventory
        ``inventory.parquet``.
    class_names
        The study's classes; other labels follow.
    """
    table = inventory.assign(
        label=inventory["label"].astype(object).where(inventory["label"].notna(), ""),
        source_split=inventory["source_split"]
        .astype(object)
        .where(inventory["source_split"].notna(), UNSPLIT),
    )
    is_ok = table["status"] == "ok"
    sources = sorted(table.loc[is_ok, "source_split"].unique(), key=lambda name: (name == "test", name))
    labels = [name for name in class_names if (table["label"] == name).any()]
    labels += sorted(set(table["label"]) - set(labels))
    rows = []
    for label in labels:
        files = table[table["label"] == label]
        ok = files[is_ok[files.index]]
        rows.append(
            {
                "name": class_title(label) if label else "no label",
                "sources": [int((ok["source_split"] == source).sum()) for source in sources],
                "usable": len(ok),
                "rejected": len(files) - len(ok),
                "sizes": len(ok[["width", "height"]].drop_duplicates()),
                "colour": percent((ok["channels"] > 1).mean() if len(ok) else None),
            }
        )
    return {"sources": sources, "rows": rows}


def split_context(study: Study, dataset: str, split: str, artefacts: Artefacts) -> dict:
    """Return what the page says of a split, its leakage counted from the manifest itself.

    Parameters
    ----------
    study
        The study.
    dataset, split
        The names.
    artefacts
        Collects the files that are shown.
    """
    path = study.split_folder(dataset, split) / "manifest.parquet"
    manifest, summary = read_manifest(path, MANIFEST_SCHEMA.names), read_json(path.with_name("split.json"))
    known = read_parquet(study.data_folder(dataset) / "inventory.parquet", ["image_id", "patient_id"])
    manifest = manifest.merge(known, on="image_id", how="left")
    figure = study.split_figures(dataset, split) / "class_counts.svg"
    excluded, counted = manifest[manifest["split"] == "excluded"], leakage(manifest)
    reasons = excluded["reason"].fillna("no reason given").value_counts()
    return {
        "dataset": dataset,
        "name": split,
        "protocol": study.splits[split].get("protocol", split),
        "settings": flattened(study.splits[split]),
        "folds": drawn_with(study.splits[split]),
        "parts": [
            part_context(manifest, part, study.class_names) for part in parts_present(manifest["split"])
        ],
        "class_names": [class_title(name) for name in study.class_names],
        "excluded": [{"reason": reason, "count": int(count)} for reason, count in reasons.items()],
        "leakage": counted,
        "leak": leak_words(counted),
        "no_leak": no_leak_words(manifest.loc[manifest["split"] != "excluded", "patient_id"]),
        "deviation": percent(summary["largest_deviation"], digits=2),
        "classes_without_test": summary["classes_without_test"],
        "absent_classes": summary["absent_classes"],
        "figure": artefacts.figure(figure, f"Images of each class in each part of {dataset}, split {split}"),
        "links": [artefacts.link(path), artefacts.link(path.with_name("split.json"))],
    }


def drawn_with(settings: dict) -> dict | None:
    """Return what all folds of one k-fold split share; None where a split is no fold."""
    shared = {key: value for key, value in settings.items() if key != "fold"}
    return shared if settings.get("fold") is not None else None


def part_context(manifest: pd.DataFrame, part: str, class_names: list[str]) -> dict:
    """Return the images and groups of one part, by class."""
    rows = manifest[manifest["split"] == part]
    counts = rows["label"].value_counts()
    return {
        "name": part,
        "title": PART_TITLES.get(part, part),
        "images": len(rows),
        "groups": int(rows["group_id"].nunique()),
        "patients": int(rows["patient_id"].nunique()) if rows["patient_id"].notna().all() else None,
        "classes": [
            {"count": int(counts.get(name, 0)), "share": percent(counts.get(name, 0) / len(rows))}
            for name in class_names
        ],
    }


def leakage(manifest: pd.DataFrame) -> dict:
    """Count what lies on both sides of a split: groups, and images whose group others were trained on.

    Parameters
    ----------
    manifest
        ``manifest.parquet``; excluded rows do not count.

    Returns
    -------
    dict
        ``groups`` (in all), ``straddling`` (groups in more than one part), ``test`` (test images),
        ``test_in_train``, ``test_in_val`` (those whose group is in that part too), ``val``,
        ``val_in_train``, and ``free``: whether no test image has a relative in training or validation, as far
        as all groups are known.
    """
    listed = manifest[manifest["split"] != "excluded"]
    used = listed[listed["group_id"].notna()]
    members = {part: set(used.loc[used["split"] == part, "group_id"]) for part in ("train", "val", "test")}
    group_of = {part: used.loc[used["split"] == part, "group_id"] for part in ("val", "test")}
    parts_of_group = used[["group_id", "split"]].drop_duplicates()["group_id"].value_counts()
    in_train = group_of["test"].isin(members["train"])
    in_val = group_of["test"].isin(members["val"])
    return {
        "groups": int(used["group_id"].nunique()),
        "straddling": int((parts_of_group > 1).sum()),
        "test": len(group_of["test"]),
        "test_in_train": int(in_train.sum()),
        "test_in_train_share": percent(in_train.mean() if len(in_train) else None),
        "test_in_val": int(in_val.sum()),
        "val": len(group_of["val"]),
        "val_in_train": int(group_of["val"].isin(members["train"]).sum()),
        "free": bool(len(in_train)) and len(used) == len(listed) and not (in_train | in_val).any(),
    }
