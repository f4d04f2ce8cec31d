"""Metrics as metrics.json has them: value, low and high, null where undefined."""

import numpy as np


def entry(value: float, limits: tuple[float, float]) -> dict[str, float | None]:
    """Return a metric as metrics.json has it: value, low and high, null where undefined."""
    low, high = limits if np.isfinite(value) else (np.nan, np.nan)
    return {"value": number(value), "low": number(low), "high": number(high)}


def number(value: float) -> float | None:
    """Return a plain float, or None where it is not finite."""
    return float(value) if np.isfinite(value) else None
