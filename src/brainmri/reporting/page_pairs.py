"""Models against each other and against the baselines, as the page tells it."""

import pandas as pd

from brainmri.artefacts import read_json, read_parquet
from brainmri.reporting.embedding import Artefacts
from brainmri.reporting.numbers import SIGNIFICANT, in_points, measured, span, span_of_seeds
from brainmri.reporting.words import first_few
from brainmri.study import Study

BASELINES = {
    "majority_class": "majority class of training",
    "metadata": "file metadata and box",
    "nearest_neighbour": "nearest neighbour",
}
# What models that are not shown to beat a baseline have not shown; of the nearest neighbour see `unshown`.
UNSHOWN = {
    "majority_class": "it is not shown that anything was learnt",
    "metadata": "it is not shown that more was learnt than the files and the head's place give away",
}


def read_pairs(study: Study) -> pd.DataFrame:
    """Return the rows of ``pairs.parquet`` that compare the means over seeds."""
    table = read_parquet(study.folder / "pairs.parquet")
    return table[table["seed"].isna()]


def pair_tables(study: Study, artefacts: Artefacts) -> list[dict]:
    """Return for each split with two models or more its figure and its pairs, most different first."""
    table, link = read_pairs(study), artefacts.link(study.folder / "pairs.parquet")
    tables = []
    for dataset, split in study.dataset_splits():
        own = table[(table["dataset"] == dataset) & (table["split"] == split)]
        own = own[own["other_kind"] == "model"].sort_values("p_value_holm", kind="stable")
        if own.empty:
            continue
        rows = [pair_row(row) for row in own.to_dict("records")]
        figure = artefacts.figure(
            study.split_figures(dataset, split) / "pairs.svg",
            f"Matrix of the differences in accuracy of every two models on {dataset}, split {split}; "
            "the table of pairs has the numbers",
        )
        tables.append(
            {
                "dataset": dataset,
                "split": split,
                "protocol": own["protocol"].iloc[0],
                "rows": rows,
                "different": sum(row["significant"] for row in rows),
                "figure": figure,
                "link": link,
            }
        )
    return tables


def not_told_apart(tables: list[dict], leader: dict) -> list[str]:
    """Return the models of a split that are not shown to differ in accuracy from the one told first.

    Parameters
    ----------
    tables
        What `pair_tables` returned.
    leader
        What `best_leak_free` returned.
    """
    place = leader["dataset"], leader["split"]
    return [
        row["other"] if row["better"] == leader["model"] else row["better"]
        for table in tables
        for row in table["rows"]
        if (table["dataset"], table["split"]) == place
        and leader["model"] in (row["better"], row["other"])
        and not row["significant"]
    ]


def pair_row(row: dict) -> dict:
    """Return a pair with the better model first, ready to print."""
    turned = row["accuracy_difference"] < 0
    names = (row["other"], row["model"]) if turned else (row["model"], row["other"])
    alone = row["n_model_alone_right"], row["n_other_alone_right"]
    alone = alone[::-1] if turned else alone
    return {
        "better": names[0],
        "other": names[1],
        "accuracy": difference(row, "accuracy", turned),
        "macro_f1": difference(row, "macro_f1", turned),
        "over_seeds": span_of_seeds(mirrored(row, "accuracy") if turned else row, "accuracy_difference"),
        "alone": " and ".join(f"{count:.1f}".removesuffix(".0") for count in alone),
        "test": "McNemar" if row["test"] == "mcnemar" else "permutation",
        "p_value": p_text(row["p_value"]),
        "p_value_holm": p_text(row["p_value_holm"]),
        "p_number": row["p_value"],
        "p_holm_number": row["p_value_holm"],
        "significant": row["p_value_holm"] < SIGNIFICANT,
    }


def mirrored(row: dict, name: str) -> dict:
    """Return a row with one difference taken the other way round."""
    base, ends = f"{name}_difference", (("low", "high"), ("lowest_seed", "highest_seed"))
    turned = {base: -row[base]}
    for low, high in ends:
        turned |= {f"{base}_{low}": -row[f"{base}_{high}"], f"{base}_{high}": -row[f"{base}_{low}"]}
    return row | turned


def difference(row: dict, name: str, turned: bool) -> dict:
    """Return a difference in points with its interval."""
    row = mirrored(row, name) if turned else row
    base = f"{name}_difference"
    return {
        "number": row[base],
        "text": in_points(row[base], sign=True),
        "range": span(row[f"{base}_low"], row[f"{base}_high"]),
    }


def p_text(p_value: float) -> str:
    """Return a p-value as people write it."""
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def baseline_rows(study: Study, artefacts: Artefacts) -> dict[tuple[str, str], dict]:
    """Return for each (data set, split) the baselines' metrics, ready to print, and their link."""
    found = {}
    for dataset, split in study.dataset_splits():
        path = study.split_folder(dataset, split) / "baselines.json"
        test = read_json(path)["test"]
        found[dataset, split] = {
            "rows": [
                {
                    "name": name,
                    "title": title,
                    **{metric: measured(metric, test[name][metric]) for metric in ("accuracy", "macro_f1")},
                }
                for name, title in BASELINES.items()
                if name in test
            ],
            "link": artefacts.link(path),
        }
    return found


def baseline_lines(table: dict, baselines: dict[tuple[str, str], dict]) -> dict[str, list[dict]]:
    """Return the baselines as lines under the models of a summary table: accuracy and macro-F1 of each split.

    Parameters
    ----------
    table
        One of what `summary_tables` returned.
    baselines
        What `baseline_rows` returned.
    """
    lines = {}
    for column in table["columns"]:
        for row in baselines[table["dataset"], column["name"]]["rows"]:
            lines.setdefault(row["title"], []).extend([row["accuracy"], row["macro_f1"]])
    return lines


def beside_models(study: Study) -> dict[tuple[str, str, str], list[dict]]:
    """Return for each (data set, split, model) how it compares with each baseline on the same images."""
    table = read_pairs(study)
    table = table[table["other_kind"] == "baseline"]
    found = {}
    for row in table.to_dict("records"):
        name = row["other"]
        found.setdefault((row["dataset"], row["split"], row["model"]), []).append(
            {
                "name": name,
                "title": BASELINES.get(name, name.replace("_", " ")),
                "value": measured("accuracy", {"value": row["accuracy_other"]})["text"],
                "own": measured("accuracy", {"value": row["accuracy"]})["text"],
                **difference(row, "accuracy", turned=False),
                "p_value_holm": p_text(row["p_value_holm"]),
                # The whole interval has to lie above it, or below, and the adjusted test has to agree.
                "beaten": row["accuracy_difference_low"] > 0 and row["p_value_holm"] < SIGNIFICANT,
                "worse": row["accuracy_difference_high"] < 0 and row["p_value_holm"] < SIGNIFICANT,
            }
        )
    return found


def unshown(name: str, free: bool) -> str:
    """Return what is not shown where a baseline is not shown to be beaten; `free` of leaks is the split."""
    if name == "nearest_neighbour" and free:
        return "what was learnt is not shown to be worth more than looking up the most similar picture"
    if name == "nearest_neighbour":
        return "memory of the training images may do as well"
    return UNSHOWN.get(name, "it is not shown to be worth more")


def baseline_warnings(
    beside: dict[tuple[str, str, str], list[dict]], link: dict, splits: list[dict]
) -> list[dict]:
    """Return a warning for each baseline that models are not shown to beat, each told of its strongest.

    Parameters
    ----------
    beside
        What `beside_models` returned.
    link
        Of the table that it was read from.
    splits
        What `split_context` returned, for whether a split leaks.
    """
    free = {(split["dataset"], split["name"]): split["leakage"]["free"] for split in splits}
    unbeaten = {}
    for (dataset, split, model), rows in beside.items():
        rows = [row for row in rows if not row["beaten"]]
        if rows:
            worst = min(rows, key=lambda row: row["number"])
            unbeaten.setdefault((dataset, split, worst["name"], worst["worse"]), []).append((model, worst))
    found = []
    for (dataset, split, name, worse), models in unbeaten.items():
        models.sort(key=lambda told: told[1]["number"])
        told = [
            f"{model} ({row['own']}: {row['text']} points, {row['range']}; p after Holm "
            f"{row['p_value_holm']})"
            for model, row in models
        ]
        one = len(models) == 1
        if worse:
            verb = "does worse than" if one else "do worse than"
        else:
            verb = "is not shown to beat" if one else "are not shown to beat"
        text = (
            f"{first_few(told)} {verb} {models[0][1]['title']} "
            f"({models[0][1]['value']} accuracy): {unshown(name, free.get((dataset, split), False))}."
        )
        found.append({"level": "warning", "where": f"{dataset}, {split}", "text": text, "links": [link]})
    return found
