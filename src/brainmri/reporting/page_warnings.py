"""What a reader must know before believing a number: the warnings at the top of the page."""

from pathlib import Path

from brainmri.audit.copies import SEARCHED_KINDS
from brainmri.mapping import is_number
from brainmri.reporting.names import class_title
from brainmri.reporting.numbers import percent
from brainmri.reporting.page_claims import MISSED
from brainmri.reporting.page_patients import leak_words, unknown_words
from brainmri.reporting.page_shortcuts import title
from brainmri.reporting.words import first_few, place
from brainmri.splits.reasons import NO_LABEL

ALARM_FROM = 0.99
FEW_GROUPS, FEW_GROUPS_OF_CLASS = 30, 20
# How far file metadata may beat the most frequent class before a reader is warned.
TELLING_METADATA = 0.1


def warnings_of(
    datasets: list[dict],
    splits: list[dict],
    runs: list[dict],
    claims: list[dict] | None = None,
    more: list[dict] | None = None,
) -> list[dict]:
    """Return the warnings, the gravest first: each a `level` (alarm, warning, note), `where` and `text`.

    Parameters
    ----------
    datasets, splits, runs
        What `dataset_context`, `split_context` and `run_context` returned.
    claims
        What `claim_rows` returned.
    more
        Warnings found elsewhere, such as `baseline_warnings`.
    """
    found = [line for split in splits for line in (*alarms(split, runs), *split_warnings(split, runs))]
    found += [line for dataset in datasets for line in dataset_warnings(dataset, splits)]
    found += [line for claim in claims or [] for line in claim_warnings(claim)]
    found += more or []
    order = {"alarm": 0, "warning": 1, "note": 2}
    return sorted(found, key=lambda line: order[line["level"]])


def alarms(split: dict, runs: list[dict]) -> list[dict]:
    """Return an alarm where models score so high that a leak or a shortcut is the likelier reason."""
    own = [run for run in runs if (run["dataset"], run["split"]) == (split["dataset"], split["name"])]
    high: dict[str, list[tuple]] = {}
    for run in own:
        values = [(run["test"].get(metric) or {}).get("value") for metric in ("accuracy", "macro_f1")]
        values = [value for value in values if is_number(value)]
        if values and max(values) >= ALARM_FROM:
            high.setdefault(run["model"], []).append((max(values), run["seed"]))
    if not high:
        return []
    named = first_few([seeds_words(model, told) for model, told in high.items()])
    text = (
        f"{named}: a test accuracy or macro-F1 of 99 % or more is an alarm, not a success. "
        "Look for copies, shortcuts and an easy data set before believing it."
    )
    return [{"level": "alarm", "where": place(split), "text": text}]


def seeds_words(model: str, told: list[tuple]) -> str:
    """Return a model's values over its seeds, which are given as pairs, in words."""
    values, seeds = zip(*told, strict=True)
    extremes = " to ".join(dict.fromkeys((percent(min(values)), percent(max(values)))))
    return f"{model}, seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))} ({extremes})"


def split_warnings(split: dict, runs: list[dict]) -> list[dict]:
    """Return what the manifest and the metrics say against the numbers of a split."""
    leakage, found = split["leakage"], []
    test, val = f"{leakage['test']} test images", f"{leakage['val']} validation images"

    def add(level: str, text: str) -> None:
        found.append({"level": level, "where": place(split), "text": text})

    if leakage["test_in_train"]:
        add(
            "warning",
            f"The {split['protocol']} protocol tests on images whose patient or copy is in training: "
            f"{leakage['test_in_train']} of {test} ({leakage['test_in_train_share']}). "
            "Its numbers do not show how a model does on new patients.",
        )
    elif leakage["test_in_val"]:
        add(
            "warning",
            f"{leak_words(leakage)}.",
        )
    if leakage["val_in_train"]:
        add(
            "note",
            f"{leakage['val_in_train']} of {val} have their patient or copy in training: "
            "validation flatters, and early stopping comes late.",
        )
    if split["absent_classes"]:
        unlabelled = sum(row["count"] for row in split["excluded"] if row["reason"] == NO_LABEL)
        hint = f"; {unlabelled} images have no label, see Data" if unlabelled else ""
        add(
            "warning" if unlabelled else "note",
            f"No image of {', '.join(map(class_title, split['absent_classes']))}: no model of this split "
            f"knows such images{hint}.",
        )
    if split["classes_without_test"]:
        add(
            "warning",
            f"No image of {', '.join(map(class_title, split['classes_without_test']))} is left to test on: "
            "the numbers say nothing of that class.",
        )
    own = [run for run in runs if (run["dataset"], run["split"]) == (split["dataset"], split["name"])]
    groups = own[0]["groups"] if own else None
    if is_number(groups) and groups < FEW_GROUPS:
        add(
            "note",
            f"The test part has only {groups} groups: intervals are wide, small differences mean nothing.",
        )
    classes = (own[0]["test"].get("per_class") or {}) if own else {}
    few = {name: entry["n_groups"] for name, entry in classes.items() if is_number(entry.get("n_groups"))}
    few = {name: count for name, count in few.items() if 0 < count < FEW_GROUPS_OF_CLASS}
    if few:
        told_of = ", ".join(f"{class_title(name)} ({count})" for name, count in few.items())
        add(
            "note",
            f"Tested classes of fewer than {FEW_GROUPS_OF_CLASS} groups: {told_of}. What is told of them, "
            "and macro-F1 and balanced accuracy, rest on few patients or copies.",
        )
    single = own[0]["test"].get("single_group_classes") if own else None
    if single:
        add(
            "warning",
            f"All test images of {', '.join(map(class_title, single))} belong to one group: "
            "no interval can be told for that class.",
        )
    return found


def dataset_warnings(dataset: dict, splits: list[dict]) -> list[dict]:
    """Return what the inventory and the audit say against a data set."""
    name, audit, found = dataset["name"], dataset["audit"], []

    def add(level: str, text: str) -> None:
        found.append({"level": level, "where": name, "text": text})

    # A data set that is only pooled with others has no split of its own.
    own = [split for split in splits if split["dataset"] == name]
    if own and not any(split["leakage"]["free"] for split in own):
        add("alarm", "No split of this data set is free of leaks: no number here says how good a model is.")
    if dataset["unknown_patients"]:
        whose = unknown_words(dataset["unknown_patients"], dataset["usable"])
        add(
            "warning",
            f"{whose.capitalize()}: their groups hold copies only. Slices of one patient may lie on both "
            "sides of every split, so even leak-free numbers may be too high.",
        )
    known = (dataset["test_patients"] or {}).get("all")
    if known and known["count"]:
        add(
            "warning",
            f"In the source's own test part, {known['count']} of {known['of']} images have their patient in "
            "its training part.",
        )
    # The last count is the widest: all kinds of copy.
    for line in [line for line in audit["copied"] if line["class"] == "all"][-1:]:
        if line["count"]:
            add(
                "warning",
                f"In the source's own test part, {line['count']} of {line['of']} images "
                f"({line['share']}) are copies of training images.",
            )
    metadata = audit["metadata"]
    if metadata and is_number(metadata["majority_share"]):
        more = metadata["value"] - metadata["majority_share"]
        if more >= TELLING_METADATA:
            add(
                "warning",
                f"{title(metadata)} predict the class with {percent(metadata['value'])} (majority class "
                f"{percent(metadata['majority_share'])}): by what these leave in the pixels, a model could "
                "score without looking at the brain.",
            )
    if audit["label_conflicts"]:
        add("warning", f"{audit['label_conflicts']} images have a copy that carries another label.")
    searched = audit["kinds_searched"]
    # What the audit did not look for, it did not find.
    missing = [kind for kind in SEARCHED_KINDS if searched is not None and kind not in searched]
    if missing:
        kinds = f"{', '.join(missing)} copies"
        add("note", f"The audit did not look for {kinds}: there may be more leakage than is shown.")
    rejected = dataset["files"] - dataset["usable"]
    if rejected:
        add("note", f"{rejected} of {dataset['files']} files are not used; the reasons are under Data.")
    return found


def claim_warnings(claim: dict) -> list[dict]:
    """Return what our figures say against a published one; training figures say nothing of a model."""
    same, free = claim["grades"]["same"], claim["grades"]["free"]
    with_leaks_alone = claim["leaks"] and free == MISSED
    if claim["part"] == "train" or not same or not (same == MISSED or with_leaks_alone):
        return []
    said = f"{claim['system']} claims {claim['claimed']} {claim['metric']} on {claim['on']}"
    if same == MISSED:
        text = f"{said}; under the same protocol ours is {told(claim['same'])}: the claim is not reached."
    else:
        text = (
            f"{said}; under the protocol {claim['protocol']}, which tests on images known from training, "
            f"it is {same} (ours is {told(claim['same'])}), and {free} where it is leak-free "
            f"({told(claim['free'])})."
        )
    return [{"level": "warning", "where": f"{claim['dataset']}, {claim['model']}", "text": text}]


def seed_notes(seeds: list[int]) -> list[dict]:
    """Return a note where each model was trained once, so that the luck of a training is not known."""
    if len(seeds) > 1:
        return []
    text = (
        "One training a model: how far another seed would move the numbers is not known; differences between "
        "protocols include that luck."
    )
    return [{"level": "note", "where": "all trainings", "text": text}]


def unsealed_notes(paths: list[Path]) -> list[dict]:
    """Return a note where files hold no digest of themselves, so that a change by hand would go unnoticed."""
    if not paths:
        return []
    named = first_few([str(path) for path in paths])
    text = f"Written by another tool, without a digest of the content: {named}. "
    text += "A change by hand would not be noticed."
    return [{"level": "note", "where": "artefacts", "text": text, "links": []}]


def warning_places(datasets: list[dict], splits: list[dict], runs: list[dict]) -> dict[str, list[dict]]:
    """Return the artefacts that warnings of each place were drawn from, by their `where`."""
    places = {
        dataset["name"]: [dataset["links"][key] for key in ("audit", "inventory")] for dataset in datasets
    }
    places |= {place(split): list(split["links"]) for split in splits}
    for run in runs:
        places.setdefault(f"{run['dataset']}, {run['model']}", []).append(run["links"]["metrics"])
    return places


def with_sources(warnings: list[dict], places: dict[str, list[dict]]) -> list[dict]:
    """Return warnings with the artefacts that each is known from: its own, else those of its place."""
    return [line | {"links": line.get("links") or places.get(line["where"], [])} for line in warnings]


def told(cell: dict) -> str:
    """Return a value with its interval in words."""
    return f"{cell['text']}, {cell['range']}" if cell["range"] else cell["text"]
