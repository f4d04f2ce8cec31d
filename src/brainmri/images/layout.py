"""Label, source split and patient of an image, from the folders and the name that it lies under."""

import re
from dataclasses import dataclass

from brainmri.errors import BrainmriError


@dataclass(frozen=True)
class LayoutSettings:
    """Where in a data set's folder the images lie, and what the folders mean.

    Folders are given with ``/``. Where `train`, `test` and `unsplit` are all None, the source's split is
    read from folder names such as ``Training`` and ``test``; a source's own validation images count as
    training images, because only its test images are held back from every choice.

    Parameters
    ----------
    root
        The folder below the raw folder where the data set begins; where empty, folders that only wrap
        another one are skipped.
    train
        The folder below the root that holds the source's training images.
    test
        The folder below the root that holds the source's test images.
    unsplit
        The folder below the root whose images belong to no split of the source; ``""`` is the root.
    patient_pattern
        A regular expression that is searched in the image's path below the root; its group ``patient``,
        or else its first group, is the patient's identity.
    """

    root: str = ""
    train: str | None = None
    test: str | None = None
    unsplit: str | None = None
    patient_pattern: str | None = None

    def __post_init__(self):
        for key in ("root", "train", "test", "unsplit"):
            folder = getattr(self, key)
            parts = (folder or "").split("/")
            if folder and (folder.startswith("/") or "\\" in folder or ".." in parts):
                raise BrainmriError(
                    f"layout.{key} is '{folder}': must be a folder below the raw folder, written with /."
                )
        if self.patient_pattern is None:
            return
        try:
            pattern = re.compile(self.patient_pattern)
        except re.error as error:
            raise BrainmriError(
                f"layout.patient_pattern is '{self.patient_pattern}', no regular expression: {error}."
            ) from None
        if not pattern.groups:
            raise BrainmriError(
                f"layout.patient_pattern is '{self.patient_pattern}': put parentheses around the part that "
                "names the patient, as in 'patient_([0-9]+)'."
            )
