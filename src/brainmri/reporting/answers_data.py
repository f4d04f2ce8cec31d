"""Answers to checklists about data, splits and what leaks."""

from brainmri.reporting.names import class_title
from brainmri.reporting.page_patients import unknown_words
from brainmri.reporting.words import joined, place
from brainmri.study import Study


def answer(text: str, *links: dict, asked: str = "") -> dict:
    """Return an answer: a text, the artefacts that it is known from, and what it leaves to be asked."""
    return {"text": text, "links": list(links), "asked": asked}


def listed(texts: list[str]) -> str:
    """Return texts as one, each ended by a full stop."""
    return " ".join(f"{text.rstrip('.')}." for text in texts if text)


def data_answers(study: Study, context: dict) -> dict[str, dict | None]:
    """Return what inventories, audits and manifests answer; None where they do not."""
    return source_answers(study, context) | split_answers(context) | leak_answers(context)


def source_answers(study: Study, context: dict) -> dict[str, dict]:
    """Return what is known of the images before any is split off: where from, of what kind, how prepared."""
    datasets, classes = context["datasets"], ", ".join(context["class_names"])
    inventories = [dataset["links"]["inventory"] for dataset in datasets]
    return {
        "sources": answer(
            listed([f"{dataset['name']}: {origin(dataset)}" for dataset in datasets]),
            *[dataset["links"]["fetch"] for dataset in datasets],
        ),
        "design": design(study, datasets),
        "eligibility": answer(
            listed([f"{d['name']}: {d['usable']} of {d['files']} files are usable images" for d in datasets]),
            *inventories,
        ),
        "preprocessing": answer(
            listed(
                [
                    f"{dataset['name']}: decoded to gray, {dataset['cropped']}; resized to a square"
                    for dataset in datasets
                ]
            ),
            *[dataset["links"]["crops"] for dataset in datasets],
        ),
        "quality": answer(listed([quality_words(dataset) for dataset in datasets]), *inventories),
        "labels": answer(f"Labels ({classes}) {label_words(study)}", *inventories),
    }


def design(study: Study, datasets: list[dict]) -> dict:
    """Return whether the images existed before the study: known of published sets alone."""
    kinds = {name: study.datasets[name].get("source") or {} for name in study.fetched()}
    own = [name for name, source in kinds.items() if not {"kaggle", "phantom"} & set(source)]
    published = [dataset for dataset in datasets if "kaggle" in kinds.get(dataset["name"], {})]
    if not own and not published:
        return answer(
            "Neither: the images were drawn, not taken of people.", *[d["links"]["fetch"] for d in datasets]
        )
    return answer(
        "Retrospective: the images existed before the study, which took no new ones.",
        *[dataset["links"]["fetch"] for dataset in published],
        asked=f"Is that so of {', '.join(own)}? No artefact tells when the images were taken." if own else "",
    )


def label_words(study: Study) -> str:
    """Return how labels come from the source's folders or table, with those that a class joins."""
    by_table = {bool((study.datasets[name].get("layout") or {}).get("table")) for name in study.fetched()}
    places = " and ".join({False: "folders", True: "table"}[key] for key in sorted(by_table))
    joining = [
        f"{name}: {class_title(label)} from {', '.join(folders)}"
        for name in study.fetched()
        for label, folders in (study.datasets[name].get("classes") or {}).items()
        if isinstance(folders, list) and len(folders) > 1
    ]
    start = f"are those of the source's {places}, for training and test alike"
    if not joining:
        return f"{start}, taken over unchanged."
    return f"{start}; some are joined into one class: {'; '.join(joining)}."


def split_answers(context: dict) -> dict[str, dict]:
    """Return which images train, validate and test, and which are left out."""
    datasets, splits = context["datasets"], context["splits"]
    inventories = [dataset["links"]["inventory"] for dataset in datasets]
    manifests = [split["links"][0] for split in splits]
    return {
        "subsets": answer(listed([split_words(split) for split in splits]), *manifests),
        "missing": answer(
            "Files that cannot be decoded or have no label of the study are left out, and nothing is "
            "imputed. " + listed([excluded_words(split) for split in splits]),
            *manifests,
        ),
        "partitions": answer(listed([parts_words(split) for split in splits]), *manifests),
        "disjoint": answer(listed([leak_words(split, datasets) for split in splits]), *manifests),
        "sizes": answer(
            "No size was aimed at: all images that a split admits are used. "
            + listed([test_words(split) for split in splits]),
            *manifests,
        ),
        "flow": answer(
            listed([f"{d['name']}: {d['files']} files, {d['usable']} usable" for d in datasets])
            + " "
            + listed([words(split) for split in splits for words in (parts_words, excluded_words)]),
            *inventories,
            *manifests,
        ),
        "classes": answer(listed([class_words(split) for split in splits]), *manifests),
        "counts": answer(listed([patient_words(split) for split in splits]), *manifests)
        if all(part["patients"] is not None for split in splits for part in used_parts(split))
        else None,
        "clusters": answer(
            "Images of one patient, where patients are known, and copies of one picture form a group; whole "
            "groups are resampled for every interval. "
            + listed(
                [
                    f"{dataset['name']}: {unknown_words(dataset['unknown_patients'], dataset['usable'])}, so "
                    "slices of one count as strangers"
                    for dataset in datasets
                    if dataset["unknown_patients"]
                ]
            ),
            *manifests,
        ),
        "difference": answer(
            listed([f"{place(split)}: the test part is {tested(split)}" for split in splits])
            + " "
            + listed([class_words(split) for split in splits]),
            *manifests,
        ),
    }


def leak_answers(context: dict) -> dict[str, dict | None]:
    """Return what the audits found: labels that differ, shortcuts, images that data sets share."""
    audits = context["audits"]
    return {
        "conflicts": conflict_answer(audits),
        "shortcuts": answer(
            listed([audit["shortcut"]["text"] for audit in audits if audit["shortcut"]]),
            *[audit["links"][0] for audit in audits if audit["shortcut"]],
        ),
        "overlap": answer(
            listed([overlap_words(row) for row in context["overlaps"]]),
            *[row["link"] for row in context["overlaps"]],
        ),
    }


def origin(dataset: dict) -> str:
    """Return where a data set came from, in words."""
    wanted = ("kind", "version", "licence", "archive_sha256", "files_sha256")
    pairs = [
        (name, text)
        for name, text in dataset["provenance"]
        if name in wanted or name.split(".")[0] == "source"
    ]
    return joined(pairs) or "not recorded"


def quality_words(dataset: dict) -> str:
    """Return what was found odd in a data set's files."""
    odd = ", ".join(f"{row['count']} {row['kind']}" for row in dataset["quality"]["rows"])
    return f"{dataset['name']}: every file was opened and checked; {odd or 'none is odd'}"


def split_words(split: dict) -> str:
    """Return how a split was drawn, as configured."""
    return f"{place(split)}: {joined(split['settings'])}"


def excluded_words(split: dict) -> str:
    """Return what was left out of a split, and why."""
    reasons = "; ".join(f"{row['count']} {row['reason']}" for row in split["excluded"])
    return f"Left out of {place(split)}: {reasons or 'none'}"


def parts_words(split: dict) -> str:
    """Return the size of each part of a split."""
    parts = ", ".join(
        f"{part['title']} {part['images']} images of {part['groups']} groups" for part in used_parts(split)
    )
    return f"{place(split)} (protocol {split['protocol']}): {parts}"


def test_words(split: dict) -> str:
    """Return the size of a split's test part."""
    parts = [
        f"{part['images']} images of {part['groups']} groups"
        for part in split["parts"]
        if part["name"] == "test"
    ]
    return f"{place(split)}: {', '.join(parts) or 'none'} to test on"


def used_parts(split: dict) -> list[dict]:
    """Return the parts of a split that are trained, validated or tested on."""
    return [part for part in split["parts"] if part["name"] != "excluded"]


def patient_words(split: dict) -> str:
    """Return how many patients and images of each class each part of a split has."""
    patients = ", ".join(f"{part['title']} {part['patients']} patients" for part in used_parts(split))
    return f"{class_words(split)}; {patients}"


def class_words(split: dict) -> str:
    """Return how many images of each class each part of a split has."""
    parts = []
    for part in used_parts(split):
        counts = ", ".join(
            f"{name} {cell['count']}"
            for name, cell in zip(split["class_names"], part["classes"], strict=True)
        )
        parts.append(f"{part['title']} {counts}")
    return f"{place(split)}: {'; '.join(parts)}"


def leak_words(split: dict, datasets: list[dict]) -> str:
    """Return at which level the parts of a split are disjoint, as counted from the manifest."""
    leak = split["leakage"]
    dataset = next(dataset for dataset in datasets if dataset["name"] == split["dataset"])
    level = "patients and copies" if dataset["patients"] else "copies alone"
    if dataset["unknown_patients"]:
        level += f"; {unknown_words(dataset['unknown_patients'], dataset['usable'])}"
    if leak["free"]:
        return f"{place(split)}: no test image shares a group with training or validation; groups are {level}"
    return (
        f"{place(split)}: not disjoint; {leak['test_in_train']} of {leak['test']} test images "
        f"({leak['test_in_train_share']}) share a group with training, {leak['test_in_val']} with "
        f"validation; groups are {level}"
    )


def tested(split: dict) -> str:
    """Return where the test part of a split comes from."""
    return {
        "leave_one_out": "another data set than those trained on",
        "published": "the source's own, of the same collection",
        "published_clean": "the source's own without copies, of the same collection",
    }.get(split["protocol"], "drawn from the same collection, so setting and criteria are the same")


def overlap_words(row: dict) -> str:
    """Return how many images two data sets share."""
    return (
        f"{row['copies']} of {row['images']} images of {row['name']} are copies of images of {row['other']}"
    )


def conflict_answer(audits: list[dict]) -> dict | None:
    """Return how many copies carry two labels, a sign of how sure labels are."""
    known = [audit for audit in audits if audit["label_conflicts"] is not None]
    texts = [
        f"{audit['name']}: {audit['label_conflicts']} images have a copy of another label" for audit in known
    ]
    return answer(listed(texts), *[audit["links"][0] for audit in known])
