"""How much of a protocol's number was leakage, as the page tells it."""

from brainmri.artefacts import read_parquet
from brainmri.reporting.embedding import Artefacts
from brainmri.reporting.names import class_title
from brainmri.reporting.numbers import entry_of, in_points, measured, metric_title, span, span_of_seeds
from brainmri.study import Study

TOLD = ("accuracy", "macro_f1")
# Which two protocols a reader should hear of first, where a data set has several.
FIRST = (("published", "grouped"), ("published", "published_clean"), ("random", "grouped"))


def leakage_context(study: Study, best: list[dict], artefacts: Artefacts) -> dict:
    """Return the differences between protocols: a table for each data set, and the sentences on top.

    Parameters
    ----------
    study
        The study.
    best
        What `best_leak_free` returned for the data sets: of whose model the sentence tells.
    artefacts
        Collects the files that are shown.
    """
    path = study.folder / "leakage.parquet"
    table = read_parquet(path)
    table = table[table["seed"].isna()]
    leaders = {leader["dataset"]: leader["model"] for leader in best}
    tables, sentences = [], []
    for dataset in study.datasets:
        own = table[table["dataset"] == dataset]
        if own.empty:
            continue
        rows = sorted(own.to_dict("records"), key=lambda row: rank(row))
        tables.append({"dataset": dataset, "rows": [leakage_row(row) for row in rows]})
        told = [row for row in rows if row["model"] == leaders.get(dataset)] or rows
        sentences.append({"dataset": dataset, "text": sentence(*first_of_each_protocol(told))})
    return {"tables": tables, "sentences": sentences, "link": artefacts.link(path)}


def first_of_each_protocol(rows: list[dict]) -> list[dict]:
    """Return one row a leak-free protocol, of the first model and split; what is sure before the rest."""
    found = {}
    for row in rows:
        if (row["model"], row["split"]) == (rows[0]["model"], rows[0]["split"]):
            found.setdefault(row["free_protocol"], row)
    return sorted(found.values(), key=lambda row: not row["accuracy_difference_low"] > 0)


def rank(row: dict) -> int:
    """Return how soon a reader should hear of the two protocols of a row."""
    return FIRST.index((row["protocol"], row["free_protocol"]))


def leakage_row(row: dict) -> dict:
    """Return a row of ``leakage.parquet``, ready to print."""
    return {
        **{key: row[key] for key in ("model", "split", "protocol", "free_split", "free_protocol", "seeds")},
        "metrics": [
            {
                "title": metric_title(name),
                "leaking": measured(name, entry_of(row, name)),
                "free": measured(name, entry_of(row, f"{name}_free")),
                "difference": in_points(row[f"{name}_difference"], sign=True),
                "range": span(row[f"{name}_difference_low"], row[f"{name}_difference_high"]),
                "certain": row[f"{name}_difference_low"] > 0,
                "over_seeds": span_of_seeds(row, f"{name}_difference"),
            }
            for name in TOLD
        ],
        "sizes": f"{row['n_images']} and {row['free_n_images']} images",
        "shared": f"{row['n_shared_images']} images and {row['n_shared_groups']} groups in both",
        "absent": absent_classes(row),
    }


def absent_classes(row: dict) -> str:
    """Return the classes that were left out because one of the test parts lacks them."""
    return ", ".join(class_title(name) for name in row["absent_classes"].split(", ") if name)


def sentence(row: dict, *others: dict) -> str:
    """Return in words how much of a model's accuracy under a leaking protocol was leakage.

    Parameters
    ----------
    row
        The protocol, and the leak-free one that a reader should hear of first.
    others
        The same beside other leak-free protocols, which may tell another story: `grouped` trains anew, on
        other images; `published_clean` tests the same network without the copies.
    """
    share, free, points, limits = accuracies(row)
    if row["accuracy_difference_low"] > 0:
        text = (
            f"Of the {share} accuracy of {row['model']} under {row['split']}, {points} points ({limits}) "
            f"were leakage: under {row['free_split']} it is {free}."
        )
    else:
        text = (
            f"Whether the {share} accuracy of {row['model']} under {row['split']} owes anything to leakage "
            f"cannot be told: under {row['free_split']} it is {free}, a difference of {points} points "
            f"({limits})."
        )
    absent = absent_classes(row)
    text += f" That leaves out {absent}, which one of the two does not test." if absent else ""
    return text + "".join(under_another(other) for other in others)


def under_another(row: dict) -> str:
    """Return what the same model scores beside another leak-free protocol, on the classes that both test."""
    share, free, points, limits = accuracies(row)
    absent = absent_classes(row)
    classes = f"Without {absent}, which only one of the two tests," if absent else "Over all classes"
    return (
        f" {classes} it is {share}, and {free} under {row['free_split']}, a difference of {points} points "
        f"({limits})."
    )


def accuracies(row: dict) -> tuple[str, str, str, str]:
    """Return in words the accuracy with leak, without, their difference in points, and its limits."""
    share, free = (measured("accuracy", entry_of(row, f"accuracy{which}"))["text"] for which in ("", "_free"))
    limits = f"95 % interval {span(row['accuracy_difference_low'], row['accuracy_difference_high'])}"
    seeds = span_of_seeds(row, "accuracy_difference")
    limits += f"; over seeds {seeds}" if seeds else ""
    return share, free, in_points(row["accuracy_difference"]), limits
