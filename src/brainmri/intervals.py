"""Wilson's interval of a proportion.

E. B. Wilson, "Probable inference, the law of succession, and statistical inference", J. Am. Stat. Assoc.
22, 1927.
"""

import numpy as np
from scipy.stats import norm

LEVEL = 0.95  # of every interval


def wilson_interval(share: float, size: float) -> tuple[float, float]:
    """Return Wilson's score interval of a proportion.

    Parameters
    ----------
    share
        The proportion observed, 0 to 1.
    size
        Number of independent observations behind it; need not be whole.
    """
    low, high = wilson_limits(np.float64(share), np.float64(size))
    return float(low), float(high)


def wilson_limits(share: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Wilson's score intervals of many proportions; of NaN, NaN. See `wilson_interval`."""
    z = norm.ppf((1 + LEVEL) / 2)
    centre = (share + z**2 / (2 * size)) / (1 + z**2 / size)
    half = z / (1 + z**2 / size) * np.sqrt(share * (1 - share) / size + z**2 / (4 * size**2))
    # Rounding must not leave out the share itself.
    return np.maximum(0.0, np.minimum(share, centre - half)), np.minimum(
        1.0, np.maximum(share, centre + half)
    )
