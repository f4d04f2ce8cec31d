"""What the page says of models on data sets that they are not from, as plain dictionaries."""

import pandas as pd

from brainmri.artefacts import read_parquet
from brainmri.reporting.embedding import Artefacts
from brainmri.reporting.external_cells import cells_of
from brainmri.reporting.names import class_title
from brainmri.reporting.numbers import (
    entry_of,
    in_points,
    measured,
    metric_title,
    percent,
    span,
    span_of_seeds,
)
from brainmri.reporting.words import first_few
from brainmri.study import Study

TOLD = ("accuracy", "macro_f1", "log_loss")
# A fall of accuracy that a reader is warned of, if it is sure as well.
LARGE_FALL = 0.05


def external_context(study: Study, tables: list[dict], best: list[dict], artefacts: Artefacts) -> dict | None:
    """Return what models score on other data sets; None where the study tests none.

    Parameters
    ----------
    study
        The study.
    tables
        What `summary_tables` returned: which split of a data set is free of leaks.
    best
        What `best_leak_free` returned: of whose models the sentences tell.
    artefacts
        Collects the files that are shown.
    """
    path = study.folder / "external.parquet"
    link = artefacts.link(path)
    table = read_parquet(path)
    if not study.external_tests():
        return None
    links: dict[tuple, list[dict]] = {}
    for run, other in study.external_tests():
        place = (run.model, run.dataset, run.split, other)
        links.setdefault(place, []).append(artefacts.link(study.external_path(run, other)))
    free = {
        (entry["dataset"], column["name"]): column["leakage"]["free"]
        for entry in tables
        for column in entry["columns"]
    }
    rows = [
        cell_row(metrics, free.get((place[1], place[2]), False), links.get(place, []))
        for place, metrics in cells_of(table[table["seed"].isna()])
    ]
    outside = [row for row in rows if not row["own"]]
    return {
        "rows": rows,
        "sentences": told_first(outside, tables, best),
        "left_out": left_out_rows(outside),
        "warnings": fall_warnings(outside, tables, link),
        "figures": [
            artefacts.figure(
                study.external_figure(model),
                f"Matrix of the accuracy of {model} on each data set, trained on each; the table has the "
                "numbers",
            )
            for model in study.models_tested_outside()
        ],
        "link": link,
    }


def cell_row(metrics: dict[str, dict], free: bool, links: list[dict]) -> dict:
    """Return one cell, ready to print.

    Parameters
    ----------
    metrics
        Rows of ``external.parquet`` by metric.
    free
        Whether the split that was trained on is free of leaks.
    links
        The tables of `predict_external`, one a seed.
    """
    row = metrics["accuracy"]
    difference = row["difference"]
    known = not pd.isna(difference)
    return {
        **{key: row[key] for key in ("model", "trained_on", "split", "protocol", "tested_on")},
        "own": row["trained_on"] == row["tested_on"],
        "free": free,
        "images": int(row["n_images"]),
        "groups": int(row["n_groups"]),
        "classes": [class_title(name) for name in row["classes"].split(", ") if name],
        "majority": "" if pd.isna(row.get("majority_share")) else percent(row["majority_share"]),
        "values": [measured(name, metrics[name]) for name in TOLD],
        "titles": [metric_title(name) for name in TOLD],
        "at_home": measured("accuracy", entry_of(row, "own")),
        "difference": float(difference) if known else None,
        "points": in_points(difference, sign=True) if known else "",
        "range": span(row["difference_low"], row["difference_high"]),
        "certain": known and (row["difference_high"] < 0 or row["difference_low"] > 0),
        "over_seeds": span_of_seeds(row, "difference"),
        "counts": None if pd.isna(row["n_copies_learnt"]) else counts_of(row),
        "links": links,
    }


def counts_of(row: dict) -> dict[str, int]:
    """Return how many files of the tested set were left out, by why."""
    names = ("copies_learnt", "copies_shared", "label_conflicts", "other_classes", "unusable")
    return {name: int(row[f"n_{name}"]) for name in names}


def left_out_rows(outside: list[dict]) -> list[dict]:
    """Return what was left out of each tested set, once for all models."""
    seen = {}
    for row in outside:
        place = (row["trained_on"], row["split"], row["tested_on"], tuple(row["counts"].values()))
        seen.setdefault(place, row)
    return [
        {
            **{key: row[key] for key in ("trained_on", "split", "protocol", "tested_on")},
            **row["counts"],
            "files": row["images"] + sum(row["counts"].values()),
            "images": row["images"],
            "groups": row["groups"],
            "classes": ", ".join(row["classes"]),
            "links": row["links"][:1],
        }
        for row in seen.values()
    ]


def believed(rows: list[dict], tables: list[dict]) -> list[dict]:
    """Return the rows of each data set's leak-free split; of all its splits where none is."""
    base = {table["dataset"]: table["base"] for table in tables}
    return [row for row in rows if base.get(row["trained_on"]) in (None, row["split"])]


def told_first(outside: list[dict], tables: list[dict], best: list[dict]) -> list[dict]:
    """Return a sentence for each two data sets, of the model that is named best on the first."""
    leaders = {leader["dataset"]: leader["model"] for leader in best}
    by_pair: dict[tuple, list[dict]] = {}
    for row in believed(outside, tables):
        by_pair.setdefault((row["trained_on"], row["tested_on"]), []).append(row)
    chosen = [
        next((row for row in rows if row["model"] == leaders.get(pair[0])), rows[0])
        for pair, rows in by_pair.items()
    ]
    return [
        {"place": f"{row['trained_on']} → {row['tested_on']}", "text": sentence(row), "links": row["links"]}
        for row in chosen
    ]


def sentence(row: dict) -> str:
    """Return in words what a model scores on another data set, and how far that is from its own."""
    who = f"{row['model']}, trained on {row['trained_on']} ({row['split']}),"
    relatives = row["counts"]["copies_learnt"] + row["counts"]["copies_shared"]
    if not row["images"]:
        return (
            f"{who} cannot be tested on {row['tested_on']}: after {relatives} copies and neighbours of "
            f"{row['trained_on']} were left out, there are no two classes left that both sets test."
        )
    value = row["values"][0]
    told = (
        f"{who} is right on {value['text']} ({value['range']}) of the {row['images']} images of "
        f"{row['tested_on']} that are no copies or neighbours of {row['trained_on']} ({relatives} are)"
    )
    beside = f"95 % interval {row['range']}" + (
        f"; over seeds {row['over_seeds']}" if row["over_seeds"] else ""
    )
    points = in_points(abs(row["difference"]))
    if not row["certain"]:
        text = (
            f"{told}. Whether that differs from the {row['at_home']['text']} on its own test part cannot be "
            f"told: {row['points']} points ({beside})."
        )
    else:
        way = "fewer" if row["difference"] < 0 else "more"
        text = (
            f"{told}: {points} points {way} than the {row['at_home']['text']} on its own test part "
            f"(difference {row['points']}, {beside})."
        )
    return text + f" Among {', '.join(row['classes'])}."


def left_words(row: dict) -> str:
    """Return what the images tested are not, where relatives of the training set were left out."""
    relatives = row["counts"]["copies_learnt"] + row["counts"]["copies_shared"]
    if not relatives:
        return ""
    return (
        f" that are no copies or neighbours of {row['trained_on']} ({relatives} are): what is left is no "
        "random sample of it"
    )


def fall_warnings(outside: list[dict], tables: list[dict], link: dict) -> list[dict]:
    """Return a warning for each two data sets where models surely lose much accuracy, the worst first."""
    fallen: dict[tuple, list[dict]] = {}
    for row in believed(outside, tables):
        if row["certain"] and row["difference"] <= -LARGE_FALL:
            fallen.setdefault((row["trained_on"], row["split"], row["tested_on"]), []).append(row)
    found = []
    for (trained_on, split, tested_on), rows in fallen.items():
        rows = sorted(rows, key=lambda row: row["difference"])
        named = [
            f"{row['model']} ({row['at_home']['text']} to {row['values'][0]['text']}; {row['points']} "
            f"points, {row['range']})"
            for row in rows
        ]
        text = (
            f"On {tested_on} the accuracy of {first_few(named)} is far below that on the own test "
            f"part, on the {rows[0]['images']} images of {tested_on}{left_words(rows[0])}."
        )
        where = f"{trained_on}, {split}"
        found.append({"level": "warning", "where": where, "text": text, "links": [link]})
    return found
