"""The stage `report`: one self-contained page of all that a study found, with cards and checklists."""

from pathlib import Path

from brainmri.artefacts import write_text
from brainmri.reporting.integrity import SEALED, Integrity, refuse
from brainmri.reporting.page import page_context, rendered
from brainmri.reporting.page_cards import cards_context, write_cards
from brainmri.reporting.page_warnings import unsealed_notes
from brainmri.study import Study


def report(study: Study, output: Path) -> None:
    """Write one self-contained page from the artefacts that a study names, and the cards beside it.

    Parameters
    ----------
    study
        The study, as configured.
    output
        Where to write the page (``index.html``); its links are relative to that place. Model cards,
        datasheets and checklists go into the folder ``cards`` beside it.

    Raises
    ------
    BrainmriError
        If an artefact is missing, cannot be read, or is not what brainmri wrote.
    """
    output = Path(output)
    integrity = Integrity()
    refuse(integrity.faults(study))
    context = page_context(study, output.parent)
    # Whatever else the page came to show.
    shown = [Path(link["name"]) for link in context["artefacts"]]
    refuse(integrity.changed([path for path in shown if path.suffix in SEALED]))
    context["warnings"] += unsealed_notes(integrity.unsealed())
    cards = cards_context(study, context)
    page = rendered(context | {"cards": cards})
    write_cards(cards, output.parent)
    write_text(page, output)
