"""How much higher a number is with a leak than without, as the page tells it."""

from brainmri.artefacts import read_parquet
from brainmri.reporting.embedding import Artefacts
from brainmri.reporting.names import class_title
from brainmri.reporting.numbers import entry_of, in_points, measured, metric_title, span, span_of_seeds
from brainmri.study import Study

TOLD = ("accuracy", "macro_f1")
# At the class mix of the leak-free part: what the page tells the difference by.
EQUAL_MIX = {name: f"{name}_equal_mix" for name in TOLD}
NEEDED = ("few_groups_classes", *(f"{name}_difference" for name in EQUAL_MIX.values()))
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
    table = read_parquet(path, needed=NEEDED)
    table = table[table["seed"].isna()]
    known = known_limits(study)
    leaders = {leader["dataset"]: leader["model"] for leader in best}
    tables, sentences = [], []
    for dataset in study.datasets:
        own = table[table["dataset"] == dataset]
        if own.empty:
            continue
        rows = sorted(own.to_dict("records"), key=lambda row: rank(row))
        tables.append(
            {
                "dataset": dataset,
                "rows": [
                    leakage_row(row, known) | {"conflicts": conflicts_kept(row, study.splits)} for row in rows
                ],
            }
        )
        told = [row for row in rows if row["model"] == leaders.get(dataset)] or rows
        sentences.append({"dataset": dataset, "text": sentence(*first_of_each_protocol(told))})
    return {"tables": tables, "sentences": sentences, "link": artefacts.link(path)}


def against_base(tables: list[dict], leakage: dict) -> dict[tuple, dict]:
    """Return what each model gains by a leak over the split to believe, by (data set, split, model).

    Parameters
    ----------
    tables
        What `summary_tables` returned.
    leakage
        What `leakage_context` returned.
    """
    base = {table["dataset"]: table["base"] for table in tables}
    return {
        (table["dataset"], row["split"], row["model"]): row
        for table in leakage["tables"]
        for row in table["rows"]
        if row["free_split"] == base[table["dataset"]]
    }


def first_of_each_protocol(rows: list[dict]) -> list[dict]:
    """Return one row a leak-free protocol, of the first model and split; what is sure before the rest."""
    found = {}
    for row in rows:
        if (row["model"], row["split"]) == (rows[0]["model"], rows[0]["split"]):
            found.setdefault(row["free_protocol"], row)
    return sorted(found.values(), key=lambda row: not is_certain(row, EQUAL_MIX["accuracy"]))


def rank(row: dict) -> int:
    """Return how soon a reader should hear of the two protocols of a row."""
    return FIRST.index((row["protocol"], row["free_protocol"]))


def known_limits(study: Study) -> dict[tuple, dict]:
    """Return the limits of each metric of a model on a whole test part, means over seeds, as told above."""
    table = read_parquet(study.folder / "comparison.parquet")
    table = table[table["part"] == "test"]
    names = ["n_images", *(f"{name}_{end}" for name in TOLD for end in ("low", "high"))]
    return table.groupby(["dataset", "split", "model"])[names].mean().to_dict("index")


def leakage_row(row: dict, known: dict[tuple, dict] | None = None) -> dict:
    """Return a row of ``leakage.parquet``, ready to print.

    Parameters
    ----------
    row
        The row.
    known
        What `known_limits` returned: one number of the page has one interval.
    """
    row = row | of_whole_parts(row, known or {})
    return {
        **{key: row[key] for key in ("model", "split", "protocol", "free_split", "free_protocol", "seeds")},
        "metrics": [
            {
                "title": metric_title(name),
                "leaking": measured(name, entry_of(row, name)),
                "equal_mix": measured(name, entry_of(row, EQUAL_MIX[name])),
                "free": measured(name, entry_of(row, f"{name}_free")),
                "difference": in_points(row[f"{EQUAL_MIX[name]}_difference"], sign=True),
                "range": span(*limits_of(row, EQUAL_MIX[name])),
                "certain": is_certain(row, EQUAL_MIX[name]),
                "over_seeds": span_of_seeds(row, f"{EQUAL_MIX[name]}_difference"),
            }
            for name in TOLD
        ],
        "sizes": f"{row['n_images']} and {row['free_n_images']} images",
        "shared": f"{row['n_shared_images']} images and {row['n_shared_groups']} groups in both",
        "absent": named(row["absent_classes"]),
        "few": named(row["few_groups_classes"]),
    }


def conflicts_kept(row: dict, settings: dict[str, dict]) -> str:
    """Return which of two splits keeps images of two labels, where the other leaves them out."""
    splits = row["split"], row["free_split"]
    kept = [settings[split].get("conflicts") == "keep" for split in splits]
    if kept[0] == kept[1]:
        return ""
    keeps, leaves = splits if kept[0] else splits[::-1]
    return f"{keeps} keeps images whose copy has another label, {leaves} leaves them out"


def of_whole_parts(row: dict, known: dict[tuple, dict]) -> dict:
    """Return the known limits of a row's numbers that are of a whole test part, by column."""
    found = {}
    for split, size, ending in (("split", "n_images", ""), ("free_split", "free_n_images", "_free")):
        whole = known.get((row["dataset"], row[split], row["model"]))
        if whole and whole["n_images"] == row[size]:
            found |= {
                f"{name}{ending}_{end}": whole[f"{name}_{end}"] for name in TOLD for end in ("low", "high")
            }
    return found


def limits_of(row: dict, name: str) -> tuple[float, float]:
    """Return the ends of the interval of a difference."""
    return row[f"{name}_difference_low"], row[f"{name}_difference_high"]


def is_certain(row: dict, name: str) -> bool:
    """Say whether the whole interval of a difference lies on one side of none."""
    low, high = limits_of(row, name)
    return low > 0 or high < 0


def named(classes: str) -> str:
    """Return classes that a column joins, as people write them."""
    return ", ".join(class_title(name) for name in classes.split(", ") if name)


def sentence(*rows: dict) -> str:
    """Return in words how a model's accuracy under a leaking protocol lies to that under leak-free ones.

    Parameters
    ----------
    rows
        The protocol beside each leak-free one, first the one that a reader should hear of first. They may
        tell other stories: `grouped` trains anew, on other images; `published_clean` tests the same network
        without the copies.
    """
    return " ".join(beside_another(row) for row in rows)


def beside_another(row: dict) -> str:
    """Return what a model scores under a leaking protocol and a leak-free one, and why they may differ."""
    name = EQUAL_MIX["accuracy"]
    own, equal, free = (
        measured("accuracy", entry_of(row, column))["text"] for column in ("accuracy", name, "accuracy_free")
    )
    low, high = limits_of(row, name)
    limits = f"95 % interval {span(low, high)}"
    seeds = span_of_seeds(row, f"{name}_difference")
    limits += f"; over seeds {seeds}" if seeds else ""
    absent = named(row["absent_classes"])
    start = f"Without {absent}, which one of the two does not test, and at" if absent else "At"
    start += f" the class mix of {row['free_split']}"
    mix = equal if equal == own else f"{equal}; {own} at its own mix"
    difference = row[f"{name}_difference"]
    if low > 0:
        return (
            f"{start}, the accuracy of {row['model']} under {row['split']} ({mix}) is "
            f"{in_points(difference)} points ({limits}) higher than under {row['free_split']} ({free}); "
            f"{reasons(row)}."
        )
    if high < 0:
        return (
            f"{start}, {row['model']} scores {in_points(-difference)} points (difference "
            f"{in_points(difference)}, {limits}) less under {row['split']} ({mix}) than under "
            f"{row['free_split']} ({free}); the two test parts differ in more than copies."
        )
    return (
        f"{start}, the accuracy of {row['model']} under {row['split']} ({mix}) is not shown to differ from "
        f"that under {row['free_split']} ({free}): a difference of {in_points(difference)} points ({limits})."
    )


def reasons(row: dict) -> str:
    """Return why a number can be higher with a leak: one network on two test parts, or two networks."""
    known = "patients or copies known from training are one reason"
    if row["free_protocol"] == "published_clean":
        return f"{known}, that the pictures of these are easier may be another"
    luck = "one training" if row["seeds"] == 1 else f"{row['seeds']} trainings"
    return f"{known}, other test images, other training images and the luck of {luck} are others"
