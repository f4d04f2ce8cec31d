"""What the page says of file metadata that gives the class away."""

from brainmri.mapping import is_number
from brainmri.reporting.names import class_title
from brainmri.reporting.numbers import percent

FEATURES_TOLD = 3


def metadata_share(audit: dict) -> dict | None:
    """Return accuracy, interval and majority share of the class predicted from file metadata, or None."""
    accuracy, details = audit.get("metadata_shortcut_accuracy"), audit.get("metadata_shortcut") or {}
    if not accuracy:
        return None
    return {"value": accuracy["all"], **{key: details.get(key) for key in ("low", "high", "majority_share")}}


def shortcut_context(audit: dict) -> dict | None:
    """Return what the page says of metadata that gives the class away; None where it was not looked for."""
    measured, details = metadata_share(audit), audit.get("metadata_shortcut") or {}
    if measured is None:
        reason = details.get("reason")
        text = f"How much file metadata alone tells of the class could not be measured: {reason}."
        return {"text": text, "more": "", "recall": []} if reason else None
    low, high, majority = (measured[key] for key in ("low", "high", "majority_share"))
    beside = [f"majority class {percent(majority)}"] if is_number(majority) else []
    if is_number(low) and is_number(high):
        beside.insert(0, f"95 % interval {100 * low:.1f}–{100 * high:.1f} %")
    beside = f" ({'; '.join(beside)})" if beside else ""
    features = list((details.get("features") or {}).items())[:FEATURES_TOLD]
    alone = ", ".join(f"{name.replace('_', ' ')} ({percent(share)})" for name, share in features)
    more = [f"Most telling alone: {alone}."] if alone else []
    if is_number(details.get("without_box")):
        more.insert(0, f"Without the head's box it is {percent(details['without_box'])}.")
    if is_number(details.get("groups")):
        more.append(
            f"Measured on {details['images']} images of {details['groups']} groups, "
            f"in {details['folds']} folds of whole groups."
        )
    if details.get("left_out"):
        more.append(f"Too few groups: {', '.join(map(class_title, details['left_out']))}.")
    return {
        "text": f"File metadata alone predicts the class with {percent(measured['value'])}{beside}.",
        "more": " ".join(more),
        "recall": [
            (class_title(name), percent(share))
            for name, share in audit["metadata_shortcut_accuracy"].items()
            if name != "all"
        ],
    }
