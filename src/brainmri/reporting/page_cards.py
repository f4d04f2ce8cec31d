"""The cards and checklists of a study, as plain dictionaries for the page and as Markdown files beside it."""

from pathlib import Path

from brainmri.artefacts import read_json, read_parquet, write_text
from brainmri.reporting.cards import CARDS_FOLDER, CHECKLISTS, card_names
from brainmri.reporting.checklist import checklist
from brainmri.reporting.checklist_answers import study_answers
from brainmri.reporting.datasheet import datasheet
from brainmri.reporting.markdown import card_markdown, checklist_markdown
from brainmri.reporting.model_card import model_card
from brainmri.reporting.model_compared import comparison_blocks
from brainmri.reporting.page_audit import audit_context, sentences
from brainmri.reporting.page_patients import patients_across
from brainmri.reporting.page_shortcuts import shortcut_context
from brainmri.study import Study


def cards_context(study: Study, context: dict) -> dict:
    """Return the cards and checklists of a study.

    Parameters
    ----------
    study
        The study.
    context
        What `page_context` returned.

    Returns
    -------
    dict
        ``model_cards``, ``datasheets`` and ``checklists``; each has ``file``, ``title`` and ``lead``.

    Raises
    ------
    BrainmriError
        If two cards would have one name.
    """
    card_names(study)
    datasets = {dataset["name"]: dataset for dataset in context["datasets"]}
    splits = {(split["dataset"], split["name"]): split for split in context["splits"]}
    trained = {}
    for run in context["runs"]:
        trained.setdefault((run["dataset"], run["split"], run["model"]), []).append(run)
    answers = study_answers(study, context)
    return {
        "model_cards": [
            model_card(
                runs,
                splits[dataset, split],
                datasets[dataset],
                context["warnings"],
                comparison_blocks(runs[0], context),
                (context["external"] or {}).get("rows"),
            )
            for (dataset, split, _), runs in trained.items()
        ],
        "datasheets": [
            datasheet(
                read_json(study.data_folder(name) / "fetch.json"),
                study.datasets[name],
                dataset,
                audit_of(study, dataset, context["audits"]),
                context["overlaps"],
                context["splits"],
            )
            for name, dataset in datasets.items()
        ],
        "checklists": [checklist(name, answers) for name in CHECKLISTS],
    }


def audit_of(study: Study, dataset: dict, audits: list[dict]) -> dict:
    """Return what is said of the copies in a data set, also in one that has no split of its own."""
    folder = study.data_folder(dataset["name"])
    audit = read_json(folder / "audit.json")
    inventory = read_parquet(folder / "inventory.parquet", ["status", "source_split", "label", "patient_id"])
    links = next((known["links"] for known in audits if known["name"] == dataset["name"]), None)
    return {
        **audit_context(audit),
        "sentences": sentences(audit, patients_across(inventory)),
        "shortcut": shortcut_context(audit),
        "links": links or [dataset["links"]["audit"]],
    }


def write_cards(cards: dict, folder: Path) -> None:
    """Write cards and checklists as Markdown.

    Parameters
    ----------
    cards
        What `cards_context` returned.
    folder
        The page's folder; the files go into ``cards`` below it.
    """
    texts = {card["file"]: card_markdown(card) for card in (*cards["model_cards"], *cards["datasheets"])}
    texts |= {entry["file"]: checklist_markdown(entry) for entry in cards["checklists"]}
    for name, text in texts.items():
        write_text(text, folder / CARDS_FOLDER / name)
