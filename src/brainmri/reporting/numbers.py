"""Numbers as the page prints them: each with its interval, none without."""

from statistics import fmean, stdev

from brainmri.durations import UNKNOWN
from brainmri.mapping import is_number

# Metrics that are shares and are printed in percent; the others keep their own scale.
SHARES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_precision": "macro precision",
    "macro_recall": "macro recall",
    "macro_f1": "macro-F1",
    "precision": "precision (PPV)",
    "recall": "recall (sensitivity)",
    "specificity": "specificity",
    "negative_predictive_value": "NPV",
    "f1": "F1",
}
OTHERS = {
    "mcc": "MCC",
    "cohen_kappa": "Cohen's kappa",
    "macro_auroc": "macro AUROC",
    "auroc": "AUROC",
    "macro_average_precision": "macro average precision",
    "average_precision": "average precision",
    "log_loss": "log loss",
    "brier": "Brier score",
    "ece": "calibration error (ECE)",
    "aurc": "risk–coverage area (AURC)",
}
# The less, the better: no bar, which would look the better the longer it is.
LOSSES = ("log_loss", "brier", "ece", "aurc")
# A difference is called sure where its p-value lies under this.
SIGNIFICANT = 0.05


def metric_title(name: str) -> str:
    """Return a metric's name as people write it."""
    return SHARES.get(name) or OTHERS.get(name) or name.replace("_", " ")


def percent(share: float | None, digits: int = 1) -> str:
    """Return a share (0–1) in percent, or a dash where there is none."""
    return f"{100 * share:.{digits}f} %" if is_number(share) else UNKNOWN


def decimal(value: float | None, digits: int = 3) -> str:
    """Return a number with a fixed number of decimals, or a dash where there is none."""
    return f"{value:.{digits}f}" if is_number(value) else UNKNOWN


def signed(number: float, digits: int, plus: bool = False) -> str:
    """Return a number with a true minus sign, and with a plus where wished; no minus before a zero."""
    rounded = round(number, digits) + 0.0
    return f"{rounded:{'+' if plus else ''}.{digits}f}".replace("-", "−")


def in_points(difference: float, sign: bool = False) -> str:
    """Return a difference of two shares in percentage points, without the word."""
    return signed(100 * difference, 1, plus=sign)


def points(difference: float) -> str:
    """Return a difference of two shares in percentage points, with its sign and the word."""
    return f"{in_points(difference, sign=True)} points"


def span(low: float | None, high: float | None) -> str:
    """Return the limits of a difference in percentage points; empty where there are none."""
    return f"{in_points(low)} to {in_points(high)}" if is_number(low) and is_number(high) else ""


def span_of_seeds(row: dict, difference: str) -> str:
    """Return the lowest and the highest of a row's `difference` of the seeds; empty where there is one."""
    if row["seeds"] < 2:
        return ""
    return span(row[f"{difference}_lowest_seed"], row[f"{difference}_highest_seed"])


def entry_of(row: dict, name: str) -> dict:
    """Return a value of a table's row with its limits, as ``metrics.json`` has it."""
    return {"value": row[name], "low": row[f"{name}_low"], "high": row[f"{name}_high"]}


def measured(name: str, entry: dict | None) -> dict:
    """Return a metric with its interval, ready to print.

    Parameters
    ----------
    name
        The metric, which tells whether it is printed in percent.
    entry
        ``{"value", "low", "high"}`` as in ``metrics.json``; any of them, or all, may be None.

    Returns
    -------
    dict
        ``title`` (the metric in words), ``text`` (such as ``"93.1 %"``), ``range`` (such as ``"90.2–95.4"``,
        empty where unknown), ``number``, and ``bar``: ``value``, ``low`` and ``high`` in percent of the scale
        from 0 to 1, or None.
    """
    entry = entry or {}
    value, low, high = (entry.get(key) for key in ("value", "low", "high"))
    scale, digits = (100, 1) if name in SHARES else (1, 3)
    text = percent(value) if name in SHARES else decimal(value)
    known = is_number(low) and is_number(high)
    limits = f"{scale * low:.{digits}f}–{scale * high:.{digits}f}" if known else ""
    shown = is_number(value) and 0 <= value <= 1 and known and 0 <= low <= high <= 1 and name not in LOSSES
    bar = None
    if shown:
        bar = {"value": round(100 * value, 2), "low": round(100 * low, 2), "high": round(100 * high, 2)}
    return {
        "name": name,
        "title": metric_title(name),
        "text": text,
        "range": limits,
        "number": value if is_number(value) else None,
        "bar": bar,
    }


def mean_over_seeds(entries: list[dict | None]) -> dict:
    """Return the mean of one metric over seeds: of its value, and of the limits of its interval.

    The limits say how far other images could move the value. How far other seeds do is another question:
    `seed_spread`.
    """
    known = [entry for entry in entries if entry and is_number(entry.get("value"))]
    numbers = {
        key: [entry[key] for entry in known if is_number(entry.get(key))] for key in ("value", "low", "high")
    }
    return {key: fmean(own) if own else None for key, own in numbers.items()}


def seed_spread(name: str, entries: list[dict | None]) -> str:
    """Return how far the seeds lie apart, such as ``"3 seeds: 90.1–93.4, SD 1.7"``; empty for one seed.

    Parameters
    ----------
    name
        The metric, which tells whether it is printed in percent.
    entries
        Of ``metrics.json``, one a seed.
    """
    values = [entry["value"] for entry in entries if entry and is_number(entry.get("value"))]
    if len(values) < 2:
        return ""
    scale, digits = (100, 1) if name in SHARES else (1, 3)
    span = f"{scale * min(values):.{digits}f}–{scale * max(values):.{digits}f}"
    return f"{len(values)} seeds: {span}, SD {scale * stdev(values):.{digits}f}"


def flattened(document: dict, prefix: str = "") -> list[tuple[str, str]]:
    """Return a nested document as (dotted key, text) pairs; empty entries are left out, lists counted."""
    pairs = []
    for key, value in document.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            pairs += flattened(value, f"{name}.")
        elif isinstance(value, list) and (
            len(value) > 8 or any(isinstance(item, dict | list) for item in value)
        ):
            pairs.append((name, f"{len(value)} entries"))
        elif isinstance(value, list):
            pairs.append((name, ", ".join(map(str, value)) or "none"))
        elif isinstance(value, bool):
            pairs.append((name, "yes" if value else "no"))
        elif value is not None and value != "":
            pairs.append((name, f"{value:g}" if isinstance(value, float) else str(value)))
    return pairs
