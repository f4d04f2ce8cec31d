"""The numbers of a model card: each with its interval over groups, seeds side by side."""

from statistics import fmean

from brainmri.mapping import is_number
from brainmri.reporting.cards import fact, section, table
from brainmri.reporting.numbers import UNKNOWN, decimal, metric_title, percent
from brainmri.reporting.words import value, with_interval, without

CALIBRATION = {
    "Temperature": "temperature",
    "Calibration error before": "ece_before",
    "Calibration error after": "ece_after",
    "Brier before": "brier_before",
    "Brier after": "brier_after",
}


def metric_names(run: dict) -> list[str]:
    """Return the metrics of a training's test part that have an interval."""
    return [
        name
        for name, entry in run["test"].items()
        if isinstance(entry, dict) and {"value", "low", "high"} <= set(entry)
    ]


def analyses(runs: list[dict], compared: list[dict]) -> dict:
    """Return the numbers, with intervals over groups; seeds stand side by side, for they are no sample.

    Parameters
    ----------
    runs
        What `run_context` returned, one a seed.
    compared
        Blocks that tell of the model beside others.
    """
    links, first = [run["links"]["metrics"] for run in runs], runs[0]
    seeds = [f"seed {run['seed']}" for run in runs]
    rows = [
        [
            metric_title(name),
            *[value(name, run["test"].get(name)) for run in runs],
            mean_with_extremes(name, runs),
        ]
        for name in metric_names(first)
    ]
    classes = [
        [name["name"], str(run["seed"]), str(name["images"]), str(name["groups"])]
        + [with_interval(told) for told in name["values"]]
        for place in range(len(first["per_class"]["rows"]))
        for run in runs
        for name in [run["per_class"]["rows"][place]]
    ]
    head = ["Class", "Seed", "Images", "Groups", *first["per_class"]["columns"]]
    referral = [
        [
            str(run["seed"]),
            percent(run["referral"].get("confidence")),
            value("accuracy", run["referral"].get("kept")),
            value("accuracy", run["referral"].get("accuracy_kept")),
            value("accuracy", run["referral"].get("sure_errors")),
        ]
        for run in runs
    ]
    calibration = [
        [
            str(run["seed"]),
            *[decimal(run["test"].get("calibration", {}).get(key)) for key in CALIBRATION.values()],
        ]
        for run in runs
    ]
    untested = ", ".join(row["name"] for row in first["per_class"]["rows"] if row["images"] == 0)
    told = f"{first['images']} test images, {first['groups']} groups{without(untested)}"
    return section(
        "Quantitative analyses",
        table(f"All classes, {told}", ["Metric", *seeds, "Mean (lowest to highest seed)"], rows, *links),
        table("Each class against the rest", head, classes, *links),
        *confusion_blocks(runs, links),
        table("Calibration", ["Seed", *CALIBRATION], calibration, *links),
        table(
            "Selective prediction",
            ["Seed", "Confidence asked", "Kept", "Accuracy of those", "Of its errors, over 90 % confidence"],
            referral,
            *links,
        ),
        referred_table(runs, links),
        *compared,
    )


def confusion_blocks(runs: list[dict], links: list[dict]) -> list[dict]:
    """Return the confusion matrices, and which errors mix up tumour and none."""
    first = runs[0]["confusion"]
    rows = [
        [row["name"], str(run["seed"]), *map(str, row["counts"]), str(row["images"])]
        for place in range(len(first["rows"]))
        for run in runs
        for row in [run["confusion"]["rows"][place]]
    ]
    head = ["True class", "Seed", *first["classes"], "Images"]
    blocks = [table("Test images by true class (line) and predicted class (column)", head, rows, *links)]
    for place, (name, _) in enumerate(first["lines"]):
        seeds = [f"seed {run['seed']}: {run['confusion']['lines'][place][1]}" for run in runs]
        blocks.append(fact(name, "; ".join(seeds), *links))
    return blocks


def referred_table(runs: list[dict], links: list[dict]) -> dict | None:
    """Return which images of each class are referred, and how many errors that catches."""
    rows = [
        [
            row["name"],
            str(run["seed"]),
            str(row["images"]),
            str(row["referred"]),
            str(row["errors_referred"]),
            str(row["errors_kept"]),
        ]
        for run in runs
        for row in run["selective"]["rows"]
    ]
    head = ["Class", "Seed", "Images", "Referred", "Of these errors", "Errors kept"]
    return table("What is referred, by true class", head, rows, *links) if rows else None


def elsewhere(rows: list[dict]) -> list[dict]:
    """Return the section of the numbers on data sets that the model is not from; none where none is tested.

    Parameters
    ----------
    rows
        Those of `external_context` that are of this model.
    """
    if not rows:
        return []
    head = ["Tested on", "Images", "Groups", "Classes", "Accuracy", "Own test part", "Difference, points"]
    lines = [
        [
            row["tested_on"],
            str(row["images"]),
            str(row["groups"]),
            ", ".join(row["classes"]) or "none left",
            with_interval(row["values"][0]),
            with_interval(row["at_home"]),
            f"{row['points']} ({row['range']})" if row["points"] else UNKNOWN,
        ]
        for row in rows
    ]
    links = [link for row in rows for link in row["links"]]
    caption = "Means over seeds, without copies of the own set, among the classes of both"
    return [section("External validation", table(caption, head, lines, *links))]


def mean_with_extremes(name: str, runs: list[dict]) -> str:
    """Return the mean of a metric over seeds, with its lowest and highest; a dash where there is one seed."""
    known = [(run["test"].get(name) or {}).get("value") for run in runs]
    known = [number for number in known if is_number(number)]
    if len(known) < 2:
        return UNKNOWN
    return value(name, {"value": fmean(known), "low": min(known), "high": max(known)})
