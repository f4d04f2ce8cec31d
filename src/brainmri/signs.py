"""Signs of life: a file is touched for as long as its owner lives, for those who cannot see the process."""

import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

# A running job touches its record so often, and a run of Snakemake its sign.
SECONDS_BETWEEN_SIGNS = 20.0
# Who works on another machine and has not touched its file for so long has ended, or is not let run.
SECONDS_UNTIL_SILENT = 90.0


def give_signs(path: Path, over: threading.Event, text: str | None = None) -> None:
    """Touch a file again and again until it is over; write it anew where it is gone, if a text is given."""
    while not over.wait(SECONDS_BETWEEN_SIGNS):
        with suppress(OSError):
            try:
                os.utime(path)
            except FileNotFoundError:
                if text is not None:
                    path.write_text(text, encoding="utf-8")


def now_at(folder: Path) -> float:
    """Return the time by the file system of a folder: its server's clock may differ from this machine's.

    By a file without a name, where there are such, so that looking changes nothing; by the own clock where
    nothing may be written.
    """
    try:
        with TemporaryFile(dir=folder) as file:
            return os.fstat(file.fileno()).st_mtime
    except OSError:
        return time.time()
