"""What the page says of file metadata that gives the class away."""

from brainmri.mapping import is_number
from brainmri.reporting.names import class_title
from brainmri.reporting.numbers import percent

FEATURES_TOLD = 3
SEEN = (
    "Models here see gray pixels alone: number of channels and file size are hidden from them; what "
    "compression and size leave in the pixels is not."
)


def metadata_share(audit: dict) -> dict | None:
    """Return accuracy, interval and majority share of the class predicted from file metadata, or None.

    Without the head's box, which is found in the picture; with it only where no more was measured
    (`with_box`).
    """
    accuracy, details = audit.get("metadata_shortcut_accuracy"), audit.get("metadata_shortcut") or {}
    if not accuracy:
        return None
    start = "without_box_" if is_number(details.get("without_box")) else ""
    return {
        "value": details["without_box"] if start else accuracy["all"],
        **{key: details.get(f"{start}{key}") for key in ("low", "high")},
        "majority_share": details.get("majority_share"),
        "with_box": not start,
    }


def title(measured: dict) -> str:
    """Return what `metadata_share` was measured by, in words."""
    return "File metadata and the head's box" if measured["with_box"] else "File metadata alone"


def interval_words(entry: dict) -> str:
    """Return an interval in percent in words; empty where there is none."""
    low, high = entry.get("low"), entry.get("high")
    known = is_number(low) and is_number(high)
    return f"95 % interval {100 * low:.1f}–{100 * high:.1f} %" if known else ""


def shortcut_context(audit: dict) -> dict | None:
    """Return what the page says of metadata that gives the class away; None where it was not looked for."""
    measured, details = metadata_share(audit), audit.get("metadata_shortcut") or {}
    if measured is None:
        reason = details.get("reason")
        text = f"How much file metadata tell of the class could not be measured: {reason}."
        return {"text": text, "more": "", "recall": []} if reason else None
    majority = measured["majority_share"]
    beside = [interval_words(measured)] if interval_words(measured) else []
    beside += [f"majority class {percent(majority)}"] if is_number(majority) else []
    beside = f" ({'; '.join(beside)})" if beside else ""
    features = list((details.get("features") or {}).items())
    alone = ", ".join(
        f"{name.replace('_', ' ')} ({percent(share)})" for name, share in features[:FEATURES_TOLD]
    )
    more = [SEEN, *([f"Most telling alone: {alone}."] if alone else [])]
    if not measured["with_box"] and any(name.startswith("box_") for name, _ in features):
        limits = interval_words(details)
        more.insert(
            0,
            "With the head's box, found in the picture, it is "
            f"{percent(audit['metadata_shortcut_accuracy']['all'])}{f' ({limits})' if limits else ''}.",
        )
    if is_number(details.get("groups")):
        more.append(
            f"Measured on {details['images']} images of {details['groups']} groups, "
            f"in {details['folds']} folds of whole groups."
        )
    if details.get("left_out"):
        more.append(f"Too few groups: {', '.join(map(class_title, details['left_out']))}.")
    return {
        "text": f"{title(measured)} predict the class with {percent(measured['value'])}{beside}.",
        "more": " ".join(more),
        "recall": [
            (class_title(name), percent(share))
            for name, share in audit["metadata_shortcut_accuracy"].items()
            if name != "all"
        ],
    }
