"""Where a data set comes from."""

import re
from dataclasses import dataclass
from pathlib import Path

from brainmri.errors import BrainmriError

KINDS = ("kaggle", "archive", "directory", "phantom", "datasets")
HANDLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*/[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class SourceSettings:
    """Where a data set comes from: exactly one of `kaggle`, `archive`, `directory`, `phantom`, `datasets`.

    Parameters
    ----------
    kaggle
        The handle of a Kaggle data set, ``owner/name``.
    version
        The version of the Kaggle data set; recorded, so that a reader can get the same one.
    archive
        A zip or tar file (gz, xz or bz2 too).
    directory
        A folder; its files are copied.
    phantom
        Options of the phantom generator (see ``brainmri phantom --help``); ``{}`` for its defaults.
    datasets
        Names of the data sets of the study that it is pooled from.
    licence
        The licence that the source states; recorded.
    """

    kaggle: str | None = None
    version: int | None = None
    archive: Path | None = None
    directory: Path | None = None
    phantom: dict | None = None
    datasets: list[str] | None = None
    licence: str | None = None

    def __post_init__(self):
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise BrainmriError(
                f"source has {' and '.join(given) or 'none of its kinds'}: "
                f"give exactly one of {', '.join(KINDS)}."
            )
        if self.kaggle is not None and not HANDLE.fullmatch(self.kaggle):
            raise BrainmriError(
                f"source.kaggle is '{self.kaggle}': must be owner/name, as in the address "
                "https://www.kaggle.com/datasets/owner/name."
            )
        if self.version is not None and (self.kaggle is None or self.version < 1):
            raise BrainmriError(
                f"source.version is {self.version}: must be 1 or more, and goes with source.kaggle only."
            )

        if self.datasets is not None and len(set(self.datasets)) < max(2, len(self.datasets)):
            raise BrainmriError(
                f"source.datasets is {', '.join(self.datasets) or 'empty'}: must be two data sets or more, "
                "each once."
            )

    @property
    def kind(self) -> str:
        """Which kind of source it is, a word of `KINDS`."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)
