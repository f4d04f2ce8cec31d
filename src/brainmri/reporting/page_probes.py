"""What the page says of the probes: what a model could have learnt from elsewhere than the lesion."""

from brainmri.artefacts import read_json
from brainmri.images.probed import CONTROL, PROBES, SHUFFLED
from brainmri.mapping import is_number
from brainmri.reporting.embedding import Artefacts
from brainmri.reporting.numbers import in_points, measured, percent, span
from brainmri.study import Study

# What each saw, in words; where pixels are blanked, their share is put in.
SAW = {
    "unaltered": "the whole image and the true labels: the control",
    "border": "a frame, a tenth of the side wide: {kept} of the pixels",
    "centre_masked": "all but a disc in the centre, four fifths of the side wide: {kept} of the pixels",
    "shuffled_labels": "the whole image, and a label drawn for each patient or copy; judged by these labels",
}
# By this metric: chance is the same whatever the shares of the classes are.
TOLD = "balanced_accuracy"
# A reader is warned from this share of what the control gains over chance.
NEAR = 0.5


def probes_context(study: Study, artefacts: Artefacts) -> list[dict]:
    """Return what the page says of the probes of each split; an empty list where the study has none.

    Parameters
    ----------
    study
        The study.
    artefacts
        Collects the files that are shown.
    """
    return [split_probes(study, *place, artefacts) for place in study.probed()]


def split_probes(study: Study, dataset: str, split: str, artefacts: Artefacts) -> dict:
    """Return the table, the sentences and the figure of the probes of one split."""
    folder = study.probes_folder(dataset, split)
    document = read_json(folder / "probes.json")
    test, identity = document["test"], document["identity"]
    rows = [probe_row(probe, test) for probe in PROBES if probe in test]
    alt = (
        f"Test images of {dataset}, split {split}, as each probe saw them: whole, as a border, without their "
        "centre, and with a drawn label"
    )
    return {
        **{key: identity[key] for key in ("dataset", "split", "protocol", "model", "seed")},
        "epochs": document["epochs"],
        "images": test["n_images"],
        "groups": test["n_groups"],
        "rows": rows,
        "findings": [words for row in rows if (words := finding(row, document["epochs"]))],
        "omitted": [f"{title(name)} left out: {why}" for name, why in document["omitted"].items()],
        "figure": artefacts.figure(study.probes_figure(dataset, split), alt),
        "links": [artefacts.link(folder / name) for name in ("probes.json", "probes.parquet")],
    }


def title(probe: str) -> str:
    """Return a probe's name as people write it."""
    return probe.replace("_", " ")


def probe_row(probe: str, test: dict) -> dict:
    """Return a probe's line of the table.

    Parameters
    ----------
    probe
        Which.
    test
        The entry `test` of ``probes.json``.
    """
    entry, control = test[probe], test[CONTROL]
    difference = entry.get("difference", {}).get(TOLD)
    if difference:
        limits = span(difference["low"], difference["high"])
        difference = {"text": in_points(difference["value"], sign=True), "range": limits}
    return {
        "name": probe,
        "title": title(probe),
        "saw": SAW[probe].format(kept=percent(entry["pixels_kept"], 0)),
        "learnt": percent(entry["train_accuracy"], 0),
        "metrics": [
            {**measured(name, entry[name]), "chance": percent(entry["chance"][name])}
            for name in (TOLD, "accuracy", "macro_f1")
        ],
        "difference": difference,
        "above": is_above_chance(entry),
        "share": gain(entry) / gain(control) if is_above_chance(control) else None,
    }


def gain(entry: dict) -> float:
    """Return how far a probe's score lies over chance."""
    return entry[TOLD]["value"] - entry["chance"][TOLD]


def is_above_chance(entry: dict) -> bool:
    """Say whether the whole interval of a probe's score lies over chance."""
    low = entry[TOLD]["low"]
    return is_number(low) and low > entry["chance"][TOLD]


def told(row: dict) -> str:
    """Return a probe's score with its interval, and chance beside it, in words."""
    own = row["metrics"][0]
    return f"{own['text']} balanced accuracy ({own['range']}; chance {own['chance']})"


def finding(row: dict, epochs: int) -> str:
    """Return what a probe shows, in a sentence."""
    name = row["name"]
    if name == CONTROL:
        if row["above"]:
            return ""
        return f"Even unaltered it scores {told(row)}: {epochs} epochs are too few to tell anything by."
    if name == SHUFFLED:
        if row["above"]:
            return f"On labels that mean nothing it scores {told(row)}: it knows patients or copies again."
        learnt = f"after {epochs} epochs, with {row['learnt']} of its training labels learnt"
        return (
            f"On labels that mean nothing it scores {told(row)}, which can be chance: {learnt}, it is not "
            "shown to know a patient or a copy again."
        )
    seen = {"border": "From the border alone", "centre_masked": "Without the centre"}[name]
    if not row["above"]:
        return f"{seen} it scores {told(row)}, which can be chance."
    share = ""
    if row["share"] is not None:
        share = f": {percent(row['share'], 0)} of what it gains over chance on whole images"
    return f"{seen} it scores {told(row)}{share}."


def probe_warnings(probed: list[dict], splits: list[dict]) -> list[dict]:
    """Return the warnings that probes give, each with the artefact that it was drawn from.

    Parameters
    ----------
    probed
        What `probes_context` returned.
    splits
        What `split_context` returned, for whether a split leaks.
    """
    free = {(split["dataset"], split["name"]): split["leakage"]["free"] for split in splits}
    found = []
    for table in probed:
        place = table["dataset"], table["split"]
        for row in table["rows"]:
            words = warning_of(row, table["model"], free.get(place, False))
            if words:
                level = "note" if row["name"] == "centre_masked" else "warning"
                line = {"level": level, "where": ", ".join(place), "text": words}
                found.append(line | {"links": table["links"][:1]})
    return found


def warning_of(row: dict, model: str, free: bool) -> str:
    """Return what a reader must know of a probe that scores where it should not; else an empty text.

    Parameters
    ----------
    row
        What `probe_row` returned.
    model
        Whose probe it is.
    free
        Whether no group lies on both sides of the split.
    """
    name = row["name"]
    if name == CONTROL or not row["above"]:
        return ""
    if name == SHUFFLED:
        why = (
            "no patient or copy is known to lie on both sides: one in forty such scores is chance, else the "
            "split is at fault"
            if free
            else "it knows patients or copies again that lie on both sides of the split"
        )
        return f"On labels that mean nothing, {model} scores {told(row)}: {why}."
    if row["share"] is None or row["share"] < NEAR:
        return ""
    share = f"{percent(row['share'], 0)} of what it gains over chance on whole images"
    if name == "border":
        return (
            f"From the border alone, {model} scores {told(row)}, {share}: the rim of the image (skull, "
            "scalp, outer brain, background, and any lesion there) tells of the class."
        )
    return (
        f"Without the centre (where most lesions of the phantom lie; on real sets that is not known), "
        f"{model} scores {told(row)}, {share}."
    )
