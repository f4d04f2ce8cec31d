"""Checklists of reporting: items from a data file, filled with what the artefacts answer."""

from importlib.resources import files

import yaml

ANSWERED, OPEN, NOT_APPLICABLE = "answered", "open", "not applicable"


def checklist_items(name: str) -> dict:
    """Return the content of a checklist's data file.

    Parameters
    ----------
    name
        One of `cards.CHECKLISTS`.
    """
    text = files("brainmri.reporting").joinpath("checklists", f"{name}.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)


def checklist(name: str, answers: dict[str, dict]) -> dict:
    """Return a checklist, filled.

    An item is answered where the artefacts tell all that it asks; it is open where a question is left, also
    beside what they tell.

    Parameters
    ----------
    name
        One of `cards.CHECKLISTS`.
    answers
        What `study_answers` returned: ``text``, ``links`` and ``asked`` by name; what is not known is absent.

    Returns
    -------
    dict
        ``file``, ``title``, ``doi``, ``lead``, ``told`` (how many items have which status, in words) and
        ``rows`` with ``number``, ``section``, ``item``, ``status``, ``answer``, ``question`` and ``links``.
    """
    document = checklist_items(name)
    rows = [item_row(item, answers) for item in document["items"]]
    counts = {
        status: sum(row["status"] == status for row in rows) for status in (ANSWERED, OPEN, NOT_APPLICABLE)
    }
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    return {
        **{key: document[key] for key in ("file", "title", "doi", "lead")},
        "told": f"{len(rows)} entries: {told}. Open items need a person.",
        "rows": rows,
    }


def item_row(item: dict, answers: dict[str, dict]) -> dict:
    """Return one item, filled."""
    known = [answers[name] for name in item.get("answers", []) if name in answers]
    asked = [item.get("open"), *[answer.get("asked") for answer in known]]
    asked = " ".join(filter(None, asked)) or ("" if known else item.get("otherwise", ""))
    reason = item.get("not_applicable", "")
    return {
        "number": str(item["number"]),
        "section": item["section"],
        "item": item["item"],
        "status": NOT_APPLICABLE if reason else OPEN if asked else ANSWERED,
        "answer": reason or " ".join(answer["text"] for answer in known),
        "question": asked,
        "links": list({link["name"]: link for answer in known for link in answer["links"]}.values()),
    }
