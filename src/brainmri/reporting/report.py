"""The stage `report`: one self-contained page of all that a study found."""

from pathlib import Path

from brainmri.artefacts import written_atomically
from brainmri.reporting.page import page_context, rendered
from brainmri.study import Study


def report(study: Study, output: Path) -> None:
    """Write one self-contained page from the artefacts that a study names.

    Parameters
    ----------
    study
        The study, as configured.
    output
        Where to write the page (``index.html``); its links are relative to that place.

    Raises
    ------
    BrainmriError
        If an artefact is missing or cannot be read.
    """
    output = Path(output)
    page = rendered(page_context(study, output.parent))
    with written_atomically(output) as temporary:
        temporary.write_text(page, encoding="utf-8")
