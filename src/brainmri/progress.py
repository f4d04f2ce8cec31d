"""Progress bars for people at a terminal; silence in a log file."""

import sys

from tqdm import tqdm


def progress(iterable=None, *, total=None, description: str, unit: str, **options) -> tqdm:
    """Wrap an iterable in a tqdm bar that writes to stderr, and only when that is a terminal.

    Parameters
    ----------
    iterable
        What to walk through; None gives a bar that the caller updates.
    total
        Number of steps where `iterable` has no length.
    description
        The words before the bar, such as ``"crop sartaj"``.
    unit
        The singular of what is counted, such as ``"image"``.
    options
        Passed on to tqdm.
    """
    return tqdm(
        iterable,
        total=total,
        desc=description,
        unit=f" {unit}",
        disable=not sys.stderr.isatty(),
        leave=False,
        dynamic_ncols=True,
        **options,
    )
