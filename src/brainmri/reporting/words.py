"""Keys and values in words, for cards and checklists."""

from brainmri.reporting.numbers import measured


def joined(pairs: list[tuple[str, str]]) -> str:
    """Return keys and values in one text: ``optimizer.name`` is "optimizer: name"."""
    return "; ".join(f"{name.replace('_', ' ').replace('.', ': ')}: {text}" for name, text in pairs)


def with_interval(measure: dict) -> str:
    """Return what `measured` returned in one text, such as ``93.1 % (90.2–95.4)``."""
    return f"{measure['text']} ({measure['range']})" if measure["range"] else measure["text"]


def value(name: str, entry: dict | None) -> str:
    """Return a metric of metrics.json with its interval in one text."""
    return with_interval(measured(name, entry))
