"""The published figures of reference systems beside ours, as plain dictionaries."""

from brainmri.mapping import is_number
from brainmri.reporting.numbers import (
    SHARES,
    UNKNOWN,
    mean_over_seeds,
    measured,
    metric_title,
    points,
    signed,
)
from brainmri.study import Study

# What a figure was measured on, as the page says it, and the part of ours that stands beside it.
PARTS = {
    "test": ("its test part", "test"),
    "val": ("its validation part, which stood for a test", "test"),
    "train": ("its training part", "train"),
}
# From the best to the worst.
GRADES = REACHED, WITHIN, MISSED = "reached", "within our interval", "not reached"


def claim_rows(study: Study, runs: list[dict], tables: list[dict]) -> list[dict]:
    """Return the published figures, each beside ours under the same protocol and beside the leak-free one.

    Parameters
    ----------
    study
        The study, with its claims.
    runs
        What `run_context` returned.
    tables
        What `summary_tables` returned: which splits of a data set are free of leaks, and the one to believe.

    Returns
    -------
    list of dict
        One row for each claim and data set: where and what was claimed, the cells `same` and `free` (see
        `claim_cell`), the `verdict` and the remark.
    """
    rows = []
    for claim in study.claims:
        own = [run for run in runs if run["model"] == claim.get("model")]
        own = [run for run in own if claim.get("dataset") in (None, run["dataset"])]
        for dataset in dict.fromkeys(run["dataset"] for run in own) or [claim.get("dataset")]:
            here = [run for run in own if run["dataset"] == dataset]
            table = next((table for table in tables if table["dataset"] == dataset), None)
            rows.append(claim_row(claim, dataset, here, table))
    return rows


def claim_row(claim: dict, dataset: str | None, runs: list[dict], table: dict | None) -> dict:
    """Return the row of one claim on one data set; `runs` are those of its model there."""
    metric, part = claim.get("metric") or "accuracy", claim.get("part") or "test"
    value = claim.get("value")
    # Some write a figure in percent.
    value = value / 100 if is_number(value) and value > 1.5 else value
    same = [run for run in runs if run["protocol"] == claim.get("protocol")]
    free = [run for run in runs if table and run["split"] == table["base"]]
    columns = table["columns"] if table else []
    leaking = {column["name"] for column in columns if not column["leakage"]["free"]}
    cells = {
        name: claim_cell(metric, value, chosen, part) for name, chosen in (("same", same), ("free", free))
    }
    leaks = any(run["split"] in leaking for run in same)
    return {
        "system": claim.get("system", UNKNOWN),
        "model": claim.get("model", UNKNOWN),
        "dataset": dataset or UNKNOWN,
        "protocol": claim.get("protocol"),
        "on": PARTS[part][0],
        "part": part,
        "metric": metric_title(metric),
        "claimed": measured(metric, {"value": value})["text"],
        **cells,
        "leaks": leaks,
        "grades": {name: grade(value, cell) for name, cell in cells.items()},
        "verdict": verdict(value, cells["same"], cells["free"], leaks),
        "remark": claim.get("remark") or "",
    }


def claim_cell(metric: str, claimed: float | None, runs: list[dict], part: str) -> dict:
    """Return our value of a claimed metric: the mean over seeds, its interval, and the seeds' range apart.

    Parameters
    ----------
    metric
        The metric.
    claimed
        The figure that it is compared with.
    runs
        The trainings, one a seed.
    part
        What the claim was measured on.

    Returns
    -------
    dict
        What `measured` returns (the interval's limits are means over seeds: how far images alone could move
        the value), with `seeds` (lowest to highest, where there are several), `sizes` (of the part), `low`,
        `high`, and `difference` from the claim in words.
    """
    name = PARTS[part][1]
    entries = [run[name].get(metric) for run in runs]
    mean = mean_over_seeds(entries)
    values = [entry["value"] for entry in entries if entry and is_number(entry.get("value"))]
    spread = {"low": min(values, default=None), "high": max(values, default=None)}
    sizes = {(run["images"], run["groups"]) for run in runs} if name == "test" else set()
    return {
        **measured(metric, mean),
        "low": mean["low"],
        "high": mean["high"],
        "difference": difference(metric, mean["value"], claimed),
        "seeds": f"{len(values)} seeds: {measured(metric, spread)['range']}" if len(values) > 1 else "",
        "sizes": "; ".join(f"{images} images, {groups} groups" for images, groups in sorted(sizes)),
    }


def difference(metric: str, ours: float | None, claimed: float | None) -> str:
    """Return how far ours lies from the claim, with its sign; empty where one is unknown."""
    if not (is_number(ours) and is_number(claimed)):
        return ""
    if metric in SHARES:
        return points(ours - claimed)
    return signed(ours - claimed, 3, plus=True)


def verdict(claimed: float | None, same: dict, free: dict, leaks: bool) -> str:
    """Return in words how ours stands to the claim; where a leak made it stand better, both.

    Parameters
    ----------
    claimed
        The claim.
    same, free
        The cells under the same protocol, and leak-free.
    leaks
        Whether the same protocol tests on what was trained on.
    """
    own, without = grade(claimed, same), grade(claimed, free)
    if leaks and own and without and GRADES.index(own) < GRADES.index(without):
        return f"{own} with leaks, {without} without"
    return own


def grade(claimed: float | None, cell: dict) -> str:
    """Return whether ours is at least the claim, or its interval goes up to it; empty where not known."""
    if not is_number(claimed) or cell["number"] is None:
        return ""
    if cell["number"] >= claimed:
        return REACHED
    return WITHIN if is_number(cell["high"]) and cell["high"] >= claimed else MISSED
