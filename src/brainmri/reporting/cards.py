"""Cards: titled lists of facts, tables and open questions, each with its sources, and their files' names."""

from brainmri.errors import BrainmriError
from brainmri.study import Study

CARDS_FOLDER = "cards"
CHECKLISTS = ("claim-2024", "tripod-ai")


def fact(name: str, text: str, *links: dict) -> dict:
    """Return a block: what is known, in words, and the artefacts that it is known from."""
    return {"kind": "fact", "name": name, "text": text, "links": list(links)}


def question(text: str) -> dict:
    """Return a block: what no artefact tells, as the question that a person has to answer."""
    return {"kind": "open", "text": text}


def table(caption: str, head: list[str], rows: list[list[str]], *links: dict) -> dict:
    """Return a block: a table of texts, and the artefacts that it is known from."""
    return {"kind": "table", "caption": caption, "head": head, "rows": rows, "links": list(links)}


def section(title: str, *blocks: dict | None) -> dict:
    """Return a section of a card; blocks that are None are left out."""
    return {"title": title, "blocks": [block for block in blocks if block is not None]}


def model_card_name(dataset: str, split: str, model: str) -> str:
    """Return the file name of a model's card."""
    return f"{dataset}-{split}-{model}.md"


def datasheet_name(dataset: str) -> str:
    """Return the file name of a data set's datasheet."""
    return f"datasheet-{dataset}.md"


def models_trained(study: Study) -> list[tuple[str, str, str]]:
    """Return data set, split and model of every card, in the order of the study."""
    return list(dict.fromkeys((run.dataset, run.split, run.model) for run in study.runs()))


def card_names(study: Study) -> list[str]:
    """Return the file names of the cards and datasheets of a study.

    Raises
    ------
    BrainmriError
        If two of them would have one name.
    """
    names = [model_card_name(*trained) for trained in models_trained(study)]
    names += [datasheet_name(dataset) for dataset in study.datasets]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise BrainmriError(
            f"Two cards would have the name {twice}, since names of data sets, splits and models are joined "
            "by hyphens: rename one of them."
        )
    return names
