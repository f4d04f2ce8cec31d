"""Signs of life: a file is touched for as long as its owner lives, for those who cannot see the process."""

import os
import threading
from contextlib import suppress
from pathlib import Path

# A running job touches its record so often, and a run of Snakemake its sign.
SECONDS_BETWEEN_SIGNS = 20.0
# Who works on another machine and has not touched its file for so long has ended, or is not let run.
SECONDS_UNTIL_SILENT = 90.0


def give_signs(path: Path, over: threading.Event) -> None:
    """Touch a file again and again until it is over."""
    while not over.wait(SECONDS_BETWEEN_SIGNS):
        with suppress(OSError):
            os.utime(path)
