"""What the page says of copies and leaks, as plain dictionaries."""

import pandas as pd

from brainmri.artefacts import read_json, read_parquet
from brainmri.audit.copies import EXACT_KINDS, NEIGHBOUR
from brainmri.mapping import is_number
from brainmri.reporting.copy_pairs import conflicting_pairs, described
from brainmri.reporting.copy_words import COUNT_TITLES, kind_title
from brainmri.reporting.embedding import Artefacts
from brainmri.reporting.names import class_title
from brainmri.reporting.numbers import percent
from brainmri.reporting.page_patients import across_words, patients_across
from brainmri.reporting.page_shortcuts import metadata_share, shortcut_context
from brainmri.study import Study

# The sheets in the order of the page: what each shows, in words, and whether it is folded away.
LAID = "Left and right are the two files; then the right one is laid on the left one; then their difference."
SHEETS = {
    "across": (
        "copies across training and test",
        f"Test images that can be known from training. {LAID} Black: no difference.",
    ),
    "groups": (
        "the largest groups",
        "Images that belong together. Where a group has frames of both colours, training tells the test.",
    ),
    "conflicts": (
        "copies that carry two labels",
        "One picture, two diagnoses: at least one of the labels is wrong.",
    ),
    "neighbours": (
        "neighbouring slices",
        "Probably two slices of one patient: no copies, but who knows one knows much of the other.",
    ),
    "weakest": (
        "the weakest confirmed copies",
        "Judge for yourself whether the search finds too much: of all copies, these are alike the least. "
        "Grain tells how far the finest texture agrees, the noise of the recording, which copies share.",
    ),
    "rejected": (
        "the strongest rejected pairs",
        "Judge for yourself whether the search finds too little: of the pairs that are not called copies, "
        "these are alike the most.",
    ),
}
FOLDED = ("weakest", "rejected")
CONFLICTS_SHOWN = 20


def copies_context(study: Study, dataset: str, artefacts: Artefacts) -> dict:
    """Return what the page says of the copies in a data set.

    Parameters
    ----------
    study
        The study.
    dataset
        The data set's name.
    artefacts
        Collects the files that are shown.
    """
    folder = study.data_folder(dataset)
    audit, pairs = read_json(folder / "audit.json"), read_parquet(folder / "duplicates.parquet")
    inventory = read_parquet(folder / "inventory.parquet")
    facts, patients = inventory[["image_id", "label", "source_split"]], patients_across(inventory)
    conflicts = conflicting_pairs(described(pairs, facts.set_index("image_id")))
    figures, shown = study.dataset_figures(dataset) / "copies", sheets_shown(audit, pairs, conflicts)
    sheets = [
        {
            "figure": artefacts.figure(figures / f"{name}.png", f"Sheet of pictures of {dataset}: {what}"),
            "caption": f"{what[0].upper()}{what[1:]}" + (f". {caption}" if shown[name] else ": none found."),
            "folded": name in FOLDED,
        }
        for name, (what, caption) in SHEETS.items()
    ]
    return {
        "name": dataset,
        "sentences": sentences(audit, patients),
        "leaks": any(counts["all"]["count"] for counts in counts_of(audit).values())
        or bool(patients and patients["all"]["count"]),
        "classes": known_images(audit, patients),
        "shortcut": shortcut_context(audit),
        **audit_context(audit),
        "conflicts": [conflict_row(row) for _, row in conflicts.head(CONFLICTS_SHOWN).iterrows()],
        "conflicts_left": max(0, len(conflicts) - CONFLICTS_SHOWN),
        "sheets": sheets,
        "links": [
            artefacts.link(folder / name) for name in ("audit.json", "duplicates.parquet", "groups.parquet")
        ],
    }


def sheets_shown(audit: dict, pairs: pd.DataFrame, conflicts: pd.DataFrame) -> dict[str, bool]:
    """Return for each sheet whether there is anything on it."""
    kinds = pairs["kind"]
    return {
        "across": any(counts["all"]["count"] for counts in counts_of(audit).values()),
        "groups": audit.get("largest_group", 2) > 1,
        "conflicts": not conflicts.empty,
        "neighbours": bool((kinds == NEIGHBOUR).any()),
        "weakest": not kinds.isin([*EXACT_KINDS, NEIGHBOUR]).all(),
        "rejected": True,
    }


def audit_context(audit: dict) -> dict:
    """Return what an audit counted; keys that it lacks are left out, not taken for zero.

    Parameters
    ----------
    audit
        The content of ``audit.json``.
    """
    shown = ("images", "distinct_by_pixels", "patients", "groups", "largest_group")
    return {
        "kinds_searched": audit.get("kinds_searched"),
        "pairs": [
            {"kind": kind, "title": kind_title(kind), **counts}
            for kind, counts in audit.get("pairs", {}).items()
        ],
        "copied": copied_lines(counts_of(audit)),
        "label_conflicts": audit.get("label_conflicts", {}).get("images"),
        # No patient is none that is known.
        "facts": [
            (name.replace("_", " "), audit[name] or "not known" if name == "patients" else audit[name])
            for name in shown
            if is_number(audit.get(name))
        ],
        "metadata": metadata_share(audit),
    }


def copied_lines(counts: dict[str, dict]) -> list[dict]:
    """Return how many test images have a copy in the training part, in all and per class, ready to print."""
    return [
        {
            "what": name.replace("_", " "),
            "class": class_title(label),
            "count": entry["count"],
            "of": entry["of"],
            "share": percent(entry["share"]),
        }
        for name, entries in counts.items()
        for label, entry in entries.items()
    ]


def counts_of(audit: dict) -> dict[str, dict]:
    """Return the counts of test images with a copy in training; none where the source has no test part."""
    counts = audit.get("test_images_with_train_copy", {})
    return {name: entries for name, entries in counts.items() if entries}


def sentences(audit: dict, patients: dict[str, dict] | None) -> list[str]:
    """Return what a reader who knows nothing of the audit should know, a sentence or two each.

    Parameters
    ----------
    audit
        The content of ``audit.json``.
    patients
        What `patients_across` returned.
    """
    told, counts = [], counts_of(audit)
    neighbours = audit.get("test_images_with_train_neighbour")
    if counts:
        # The last count is the widest: all kinds of copy.
        everything = list(counts.values())[-1]["all"]
        known, total = everything["count"], everything["of"]
        new = "whether their patients are new is not known"
        if patients:
            told.append(across_words(patients["all"], known))
        elif known:
            have = "has" if known == 1 else "have"
            left = f" {total - known} have no copy found in training; {new}." if known < total else ""
            told.append(f"Of {total} published test images, {known} {have} a copy in training.{left}")
        else:
            told.append(
                f"None of the {total} published test images was found to have a copy in training; {new}."
            )
    elif is_number(audit.get("images")):
        told.append("The source has no test part of its own that copies could leak into.")
    if neighbours and neighbours["all"]["count"]:
        count = neighbours["all"]["count"]
        images = "one test image" if count == 1 else f"{count} test images"
        told.append(f"For {images} a neighbouring slice, probably of the same patient, is in training.")
    conflicts = audit.get("label_conflicts", {}).get("images")
    if conflicts:
        told.append(f"{conflicts} images have a copy under another label, so some labels are wrong.")
    return told


def known_images(audit: dict, patients: dict[str, dict] | None) -> dict | None:
    """Return the table of test images per class: how many, and how many are known from training, by what.

    Parameters
    ----------
    audit
        The content of ``audit.json``.
    patients
        What `patients_across` returned.
    """
    counts, neighbours = counts_of(audit), audit.get("test_images_with_train_neighbour")
    if not counts:
        return None
    widest = list(counts.values())[-1]
    rows = []
    for label, entry in widest.items():
        share = 1 - entry["count"] / entry["of"] if entry["of"] else None
        beside = (neighbours or {}).get(label) or {}
        rows.append(
            {
                "name": "all classes" if label == "all" else class_title(label),
                "of": entry["of"],
                "patients": (patients or {}).get(label, {}).get("count"),
                "counts": [(count.get(label) or {}).get("count") for count in counts.values()],
                "neighbours": beside.get("count"),
                "no_copy": entry["of"] - entry["count"],
                "share": percent(share),
                "bar": None if share is None else round(100 * share, 2),
            }
        )
    titles = [COUNT_TITLES.get(name, name.replace("_", " ")) for name in counts]
    return {
        "columns": titles,
        "with_patients": patients is not None,
        "with_neighbours": neighbours is not None,
        "rows": rows,
    }


def conflict_row(pair: pd.Series) -> dict:
    """Return a pair of two labels, ready to print."""
    ends = [{"file": pair[f"image_id_{side}"], "label": class_title(pair[f"label_{side}"])} for side in "ab"]
    return {"ends": ends, "kind": kind_title(pair["kind"])}
