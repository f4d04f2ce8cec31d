"""Progress bars for people at a terminal; in a log file, milestones for whoever listens."""

import sys
from collections.abc import Callable, Iterator
from time import monotonic

from tqdm import tqdm

# Each is called with a milestone; the command line keeps its record of a job so (`brainmri.events`).
LISTENERS: list[Callable[[dict], None]] = []
SECONDS_BETWEEN = 10.0


class Bar(tqdm):
    """A tqdm bar that tells the listeners what it counts, whether it is shown or not.

    Parameters
    ----------
    iterable
        As tqdm's.
    description, unit
        The words before the bar, and the singular of what is counted.
    options
        Passed on to tqdm.
    """

    def __init__(self, iterable=None, *, description: str, unit: str, **options):
        self.description, self.counted_unit, self.counted = description, unit, 0
        self.is_walking, self.is_ended, self.last_told = False, False, monotonic()
        super().__init__(iterable, desc=description, unit=f" {unit}", **options)

    def __iter__(self) -> Iterator:
        # While it walks, tqdm calls `update` for the screen, by fits and starts.
        self.is_walking = True
        for element in super().__iter__():
            yield element
            self.count(1)
        self.tell(ended=True)

    def update(self, n: float = 1) -> bool | None:
        """Count `n` more."""
        if not self.is_walking:
            self.count(n)
        return super().update(n)

    def close(self) -> None:
        """End the bar, and tell how far it came."""
        if not self.is_ended:
            self.tell(ended=True)
        super().close()

    def count(self, n: float) -> None:
        """Count `n` more, and tell where nothing was told for a while."""
        self.counted += n
        if LISTENERS and monotonic() - self.last_told >= SECONDS_BETWEEN:
            self.tell()

    def tell(self, ended: bool = False) -> None:
        """Tell every listener how far the bar is."""
        self.last_told, self.is_ended = monotonic(), ended
        what = {"what": self.description, "unit": self.counted_unit, "done": self.counted}
        for listener in LISTENERS:
            listener({**what, "of": self.total, "ended": ended})


def progress(iterable=None, *, total=None, description: str, unit: str, **options) -> Bar:
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
    return Bar(
        iterable,
        total=total,
        description=description,
        unit=unit,
        disable=not sys.stderr.isatty(),
        leave=False,
        dynamic_ncols=True,
        **options,
    )
