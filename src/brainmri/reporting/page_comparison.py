"""How models and protocols compare on the page, as plain dictionaries."""

from statistics import fmean

from brainmri.reporting.names import class_title
from brainmri.reporting.numbers import UNKNOWN, mean_over_seeds, measured, percent, seed_spread

COMPARED = ("accuracy", "macro_f1", "mcc", "macro_auroc", "ece")


def summary_tables(datasets: list[dict], splits: list[dict], runs: list[dict]) -> list[dict]:
    """Return for each data set the table of models by splits, the leak-free one to believe first.

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
            {"model": model, "cells": [summary_cell(runs, split, model) for split in own]} for model in models
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
        "untested": untested(split),
    }


def untested(split: dict) -> str:
    """Return the classes without a test image, which no mean over classes counts, as people write them."""
    return ", ".join(map(class_title, split["classes_without_test"]))


def over_folds(splits: list[dict], runs: list[dict], split: dict, model: str) -> dict | None:
    """Return a model's numbers over the folds that a split is one of; None where it is none.

    Parameters
    ----------
    splits, runs
        What `split_context` and `run_context` returned.
    split
        The one of them that is told first.
    model
        The model.

    Returns
    -------
    dict or None
        ``count`` and, by metric, the mean of the folds with the lowest and the highest, ready to print: no
        interval, for each fold is tested by a network of its own.
    """
    dataset, drawn = split["dataset"], split.get("folds")
    folds = [other for other in splits if (other["dataset"], other.get("folds")) == (dataset, drawn)]
    if drawn is None or len(folds) < 2:
        return None
    told = {}
    for name in ("macro_f1", "accuracy"):
        values = [
            mean_over_seeds([run["test"].get(name) for run in runs_of(runs, dataset, fold["name"], model)])[
                "value"
            ]
            for fold in folds
        ]
        known = [value for value in values if value is not None]
        extremes = {"low": min(known, default=None), "high": max(known, default=None)}
        told[name] = measured(name, {"value": fmean(known) if known else None, **extremes})
    return {"count": len(folds), **told}


def summary_cell(runs: list[dict], split: dict, model: str) -> dict:
    """Return accuracy and macro-F1 over seeds."""
    own = runs_of(runs, split["dataset"], split["name"], model)
    cell = {"seeds": len(own)}
    for metric in ("accuracy", "macro_f1"):
        entries = [run["test"].get(metric) for run in own]
        cell[metric] = measured(metric, mean_over_seeds(entries)) | {"seeds": seed_spread(metric, entries)}
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
        "untested": untested(split),
        "folds": over_folds(splits, runs, split, model),
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
