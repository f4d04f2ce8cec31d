"""Durations as people say them."""

from brainmri.mapping import is_number

UNKNOWN = "–"


def duration(seconds: float | None) -> str:
    """Return a duration as people say it: ``4.2 s``, ``3 min 10 s``, ``2 h 05 min``; a dash where unknown."""
    if not is_number(seconds):
        return UNKNOWN
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
