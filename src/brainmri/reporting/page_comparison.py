"""How models and protocols compare on the page, as plain dictionaries."""

from brainmri.mapping import is_number
from brainmri.reporting.numbers import UNKNOWN, mean_over_seeds, measured, percent, seed_spread

COMPARED = ("accuracy", "macro_f1", "mcc", "macro_auroc", "ece")


def summary_tables(datasets: list[dict], splits: list[dict], runs: list[dict]) -> list[dict]:
    """Return for each data set the table of models by splits, with the difference from leak-free numbers.

    Parameters
    ----------
    datasets, splits, runs
        What `dataset_context`, `split_context` and `run_context` returned.
    """
    tables = []
    for dataset in datasets:
        own = [split for split in splits if split["dataset"] == dataset["name"]]
        if not own:
            continue
        # The number to believe is the first one read: leak-free, of all classes, of the most images.
        own.sort(key=lambda split: worth(split, split_column(split, runs)["images"]))
        base = next((split["name"] for split in own if split["leakage"]["free"]), None)
        models = list(dict.fromkeys(run["model"] for run in runs if run["dataset"] == dataset["name"]))
        rows = [
            {"model": model, "cells": [summary_cell(runs, split, model, base) for split in own]}
            for model in models
        ]
        columns = [split_column(split, runs) for split in own]
        tables.append({"dataset": dataset["name"], "columns": columns, "rows": rows, "base": base})
    return tables


def worth(split: dict, images: int) -> tuple:
    """Return what orders splits by how much their test part tells, the best first."""
    return not split["leakage"]["free"], len(split["classes_without_test"]), -images


def runs_of(runs: list[dict], dataset: str, split: str | None, model: str) -> list[dict]:
    """Return the trainings of one model on one split, one for each seed."""
    wanted = (dataset, split, model)
    return [run for run in runs if (run["dataset"], run["split"], run["model"]) == wanted]


def split_column(split: dict, runs: list[dict]) -> dict:
    """Return the head of a split's column: protocol, images, groups and leakage."""
    first = next(run for run in runs if (run["dataset"], run["split"]) == (split["dataset"], split["name"]))
    return {key: split[key] for key in ("name", "protocol", "leakage")} | {
        "images": first["images"],
        "groups": first["groups"],
    }


def summary_cell(runs: list[dict], split: dict, model: str, base: str | None) -> dict:
    """Return accuracy and macro-F1 over seeds, and how far they lie from those of the leak-free split."""
    own = runs_of(runs, split["dataset"], split["name"], model)
    reference = runs_of(runs, split["dataset"], base, model) if base not in (None, split["name"]) else []
    cell = {"seeds": len(own)}
    for metric in ("accuracy", "macro_f1"):
        entries = [run["test"].get(metric) for run in own]
        entry = mean_over_seeds(entries)
        against = mean_over_seeds([run["test"].get(metric) for run in reference])["value"]
        cell[metric] = measured(metric, entry) | {"seeds": seed_spread(metric, entries)}
        known = is_number(entry["value"]) and is_number(against)
        cell[f"{metric}_difference"] = entry["value"] - against if known else None
    return cell


def best_leak_free(table: dict, splits: list[dict], runs: list[dict]) -> dict | None:
    """Return the model to name first: best by macro-F1 on validation, told by its test numbers.

    Choosing by the test part would flatter the model that is chosen.
    """
    dataset, base = table["dataset"], table["base"]
    if base is None:
        return None
    split = next(split for split in splits if (split["dataset"], split["name"]) == (dataset, base))

    def validation(model: str) -> float:
        own = runs_of(runs, dataset, base, model)
        value = mean_over_seeds([run["val"].get("macro_f1") for run in own])["value"]
        return value if value is not None else -1.0

    model = max((row["model"] for row in table["rows"]), key=validation)
    own = runs_of(runs, dataset, base, model)
    metrics = {name: [run["test"].get(name) for run in own] for name in ("macro_f1", "accuracy")}
    return {
        "dataset": dataset,
        "split": base,
        "protocol": split["protocol"],
        "model": model,
        "models": len(table["rows"]),
        "seeds": [run["seed"] for run in own],
        "images": own[0]["images"],
        "groups": own[0]["groups"],
        "validation": percent(validation(model)) if validation(model) >= 0 else UNKNOWN,
        "anchor": own[0]["anchor"],
        "link": own[0]["links"]["metrics"],
        **{
            name: measured(name, mean_over_seeds(entries)) | {"seeds": seed_spread(name, entries)}
            for name, entries in metrics.items()
        },
    }


def comparison_rows(runs: list[dict], splits: list[dict]) -> list[dict]:
    """Return one row a training for the sortable table."""
    free = {(split["dataset"], split["name"]): split["leakage"]["free"] for split in splits}
    return [
        {
            **{
                key: run[key] for key in ("dataset", "split", "protocol", "model", "seed", "images", "groups")
            },
            "anchor": run["anchor"],
            "free": free[run["dataset"], run["split"]],
            "values": [measured(name, run["test"].get(name)) for name in COMPARED],
        }
        for run in runs
    ]
