"""Keys, values, splits and trainings in words, for the page, cards and checklists."""

from brainmri.images.box import CropSettings
from brainmri.reporting.numbers import UNKNOWN, measured, percent

NAMED = 3


def joined(pairs: list[tuple[str, str]]) -> str:
    """Return keys and values in one text: ``optimizer.name`` is "optimizer: name"."""
    return "; ".join(f"{name.replace('_', ' ').replace('.', ': ')}: {text}" for name, text in pairs)


def with_interval(measure: dict) -> str:
    """Return what `measured` returned in one text, such as ``93.1 % (90.2–95.4)``."""
    return f"{measure['text']} ({measure['range']})" if measure["range"] else measure["text"]


def without(classes: str) -> str:
    """Return which classes a number leaves out, to put behind it; empty where none is."""
    return f"; without {classes}" if classes else ""


def first_few(texts: list[str]) -> str:
    """Return the first texts of a list, and how many more there are: a warning is read where it is short."""
    more = f" and {len(texts) - NAMED} more" if len(texts) > NAMED else ""
    return ", ".join(texts[:NAMED]) + more


def value(name: str, entry: dict | None) -> str:
    """Return a metric of metrics.json with its interval in one text."""
    return with_interval(measured(name, entry))


def place(split: dict) -> str:
    """Return how a split is named."""
    return f"{split['dataset']}, {split['name']}"


def crop_words(settings: dict, fallbacks: int, images: int) -> str:
    """Return what was cut off a data set's images.

    Parameters
    ----------
    settings
        The data set's key `crop`, as configured.
    fallbacks
        How many images were kept whole since no crop could be trusted; only `contour` has such.
    images
        How many there are.
    """
    crop = CropSettings(**settings)
    if crop.method == "none":
        return "nothing cut off, as configured"
    if crop.method == "centre":
        return f"the middle {percent(crop.centre)} of each side kept, as configured"
    return (
        f"the black border cut off; {fallbacks} of {images} images kept whole, because no crop was "
        "found that could be trusted"
    )


def initial_weights(run: dict) -> str:
    """Return from which parameters a training began."""
    digest = run["metadata"].get("initial_weights_sha256")
    if digest:
        return f"weights with SHA-256 {digest}"
    if dict(run["recipe"]).get("pretrained", "no") == "no":
        return "random numbers drawn with the seed"
    return "pretrained weights, whose digest is not recorded"


def kept_epoch(run: dict) -> str:
    """Return which epoch's weights were kept, as recorded."""
    chosen = run["metadata"].get("best_by")
    if chosen is None:
        return "not recorded"
    return "the last" if chosen == "last" else f"the best by {chosen}"


def versions(run: dict) -> str:
    """Return the versions that a model was trained with."""
    told = [("brainmri", str(run["metadata"].get("brainmri_version", UNKNOWN)))]
    return joined([*told, *(run["metadata"].get("versions") or {}).items()])
