"""Datasheets, with the sections of Gebru et al., "Datasheets for Datasets" (CACM 2021)."""

from brainmri.reporting.cards import datasheet_name, fact, question, section, table
from brainmri.reporting.numbers import UNKNOWN, flattened
from brainmri.reporting.words import joined

LEAD = (
    "A datasheet after Gebru et al. (2021), filled from the artefacts by brainmri. What they do not tell is "
    "marked open, with the question that a person has to answer."
)
# What `fetch.json` says of where the files came from.
ORIGIN = (
    "kind",
    "source",
    "members",
    "version",
    "time",
    "downloaded",
    "archive",
    "archive_sha256",
    "files_sha256",
)


def datasheet(
    record: dict, settings: dict, dataset: dict, audit: dict, overlaps: list[dict], splits: list[dict]
) -> dict:
    """Return the datasheet of a data set.

    Parameters
    ----------
    record
        The content of ``fetch.json``.
    settings
        The data set's entry in the configuration.
    dataset, audit
        What `dataset_context` and `copies_context` returned.
    overlaps
        What `overlap_rows` returned, of all data sets.
    splits
        What `split_context` returned, of all data sets.
    """
    return {
        "file": datasheet_name(dataset["name"]),
        "title": f"Datasheet: {dataset['name']}",
        "lead": LEAD,
        "sections": [
            motivation(record, dataset),
            composition(dataset, audit, overlaps),
            collection(record, dataset),
            preprocessing(settings, dataset),
            uses(dataset, audit, splits),
            distribution(record, dataset),
            maintenance(record, dataset),
        ],
    }


def motivation(record: dict, dataset: dict) -> dict:
    """Return why the data set was made."""
    drawn = record.get("kind") == "phantom"
    return section(
        "Motivation",
        fact("made for", "drawn by brainmri for tests and demonstration", dataset["links"]["fetch"])
        if drawn
        else question("For which purpose was the data set made, by whom, and who paid for it?"),
    )


def composition(dataset: dict, audit: dict, overlaps: list[dict]) -> dict:
    """Return what the data set holds, and what of it is odd, copied or doubtful."""
    inventory, counted = dataset["links"]["inventory"], audit["links"][0]
    counts = dataset["counts"]
    classes = [
        [row["name"], *map(str, row["sources"]), str(row["usable"]), str(row["rejected"]), str(row["sizes"])]
        for row in counts["rows"]
    ]
    odd = [
        [row["kind"], "yes" if row["used"] else "no", row["reason"] or UNKNOWN, str(row["count"])]
        for row in dataset["quality"]["rows"]
    ]
    pairs = [[row["title"], str(row["within"]), str(row["across"])] for row in audit["pairs"]]
    shared = [row for row in overlaps if row["name"] == dataset["name"]]
    conflicts = audit["label_conflicts"]
    return section(
        "Composition",
        fact("files", f"{dataset['files']}, of which {dataset['usable']} are usable images", inventory),
        fact(
            "patients",
            str(dataset["patients"]) if dataset["patients"] else "not known: no patient ids",
            inventory,
        ),
        table(
            "Usable images by class and part of the source",
            ["Class", *counts["sources"], "Usable", "Rejected", "Sizes"],
            classes,
            inventory,
        ),
        table("Odd files", ["Status or remark", "Used", "Why", "Files"], odd, inventory) if odd else None,
        *[fact(name, str(count), counted) for name, count in audit["facts"] if name != "patients"],
        table("Pairs of images", ["Kind", "Within a part", "Across train and test"], pairs, *audit["links"])
        if pairs
        else None,
        *[fact("copies", sentence, counted) for sentence in audit["sentences"]],
        fact("label conflicts", f"{conflicts} images have a copy of another label", counted)
        if conflicts is not None
        else None,
        fact("kinds of copy looked for", ", ".join(audit["kinds_searched"]), counted)
        if audit["kinds_searched"]
        else None,
        *[
            fact(
                f"shared with {row['other']}",
                f"{row['copies']} of {row['images']} images ({row['share']}) are copies of its images; "
                f"{row['neighbours']} more are probably neighbouring slices",
                row["link"],
            )
            for row in shared
        ],
        question(
            "Which people, hospitals, scanners, sequences and years do the images come from, and of whom are "
            "there none?"
        ),
        question("Who set the labels, from what (histology, a report, the picture), and how sure are they?"),
        question("Could a person be recognised, from a face, a name burnt into the picture, or an id?"),
    )


def collection(record: dict, dataset: dict) -> dict:
    """Return where the files came from, and what is not known of how the images were taken."""
    origin = flattened({key: record[key] for key in ORIGIN if key in record})
    asked = [
        question("How were the images taken and chosen, by whom, and between which dates?"),
        question("Did the patients consent, and which ethics committee agreed?"),
    ]
    link = dataset["links"]["fetch"]
    return section(
        "Collection",
        *[fact(name.replace("_", " ").replace(".", ": "), text, link) for name, text in origin],
        *(asked if record.get("kind") != "phantom" else []),
    )


def preprocessing(settings: dict, dataset: dict) -> dict:
    """Return what is done to the images here, and what is not known of what was done before."""
    crop = flattened(settings.get("crop") or {})
    classes = flattened(settings.get("classes") or {})
    places = "the table" if (settings.get("layout") or {}).get("table") else "folders"
    links = dataset["links"]
    return section(
        "Preprocessing",
        fact(
            "images",
            f"decoded to gray, {dataset['cropped']}; resized to a square; the files stay as they are",
            links["crops"],
        ),
        fact("crop", joined(crop), links["crops"]) if crop else None,
        fact(f"classes from {places}", joined(classes), links["inventory"]) if classes else None,
        question("What was done to the images before: resampled, re-encoded, augmented, skull removed?"),
    )


def uses(dataset: dict, audit: dict, splits: list[dict]) -> dict:
    """Return what the data set is used for here, and what speaks against other uses."""
    own = [split for split in splits if split["dataset"] == dataset["name"]]
    shortcut = audit["shortcut"]
    return section(
        "Uses",
        *[
            fact(
                f"split {split['name']}",
                f"protocol {split['protocol']}; {split['leakage']['test_in_train']} of "
                f"{split['leakage']['test']} test images have their patient or a copy in training",
                *split["links"],
            )
            for split in own
        ],
        fact("shortcuts", f"{shortcut['text']} {shortcut['more']}".strip(), audit["links"][0])
        if shortcut
        else None,
        question("For which tasks should the data set not be used?"),
    )


def distribution(record: dict, dataset: dict) -> dict:
    """Return under which terms the data set is given away, as far as that is recorded."""
    link = dataset["links"]["fetch"]
    licence, on_kaggle = record.get("licence"), record.get("licence_on_kaggle")
    return section(
        "Distribution",
        fact("licence as recorded", str(licence), link) if licence else None,
        fact("licence on Kaggle", str(on_kaggle), link) if on_kaggle else None,
        question(
            "Does this licence cover what is planned, and had whoever gave it the right to?"
            if licence or on_kaggle
            else "Under which licence is the data set given away? None is recorded."
        ),
    )


def maintenance(record: dict, dataset: dict) -> dict:
    """Return how a changed data set would be noticed."""
    version = record.get("version")
    return section(
        "Maintenance",
        fact(
            "version",
            f"{version if version is not None else 'not recorded'}; another content is noticed by its digest",
            dataset["links"]["fetch"],
        ),
        question("Who looks after the data set, are errors mended, and how are they reported?"),
    )
