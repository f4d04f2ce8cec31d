"""Cards and checklists as Markdown. No text of theirs can become markup, whatever a file is named."""

import re

# Ends of lines, and characters that would hide or turn what is written.
INVISIBLE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")
SPECIAL = re.compile(r"([\\`*\[\]|~#!$^])")
# Between letters or digits, as in no_tumor, an underscore marks nothing.
UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# A bare address would become a link.
ADDRESS = re.compile(r"(?i)\b(https?|ftp|mailto|www)(?=[:.])")


def escaped(text: str) -> str:
    """Return a text as Markdown that shows it as it is, on one line."""
    text = INVISIBLE.sub(" ", str(text)).strip()
    text = UNDERSCORE.sub(r"\\_", SPECIAL.sub(r"\\\1", text))
    text = re.sub("[&<>]", lambda found: ENTITIES[found[0]], text)
    return ADDRESS.sub(lambda found: f"{found[0][:-1]}&#{ord(found[0][-1])};", text)


def source(link: dict) -> str:
    """Return a link to an artefact, by its path, with the first digits of its SHA-256.

    Parameters
    ----------
    link
        As `Artefacts.link` returns it, relative to the page's folder; cards lie one folder deeper.
    """
    return f"[{escaped(link['name'])}](../{link['href']}) `{link['digest'][:8]}`"


def sources(links: list[dict]) -> str:
    """Return the links to several artefacts, each once."""
    return ", ".join(dict.fromkeys(source(link) for link in links))


def row(cells: list[str]) -> str:
    """Return a table's row of Markdown."""
    return f"| {' | '.join(cells)} |"


def table_lines(head: list[str], rows: list[list[str]]) -> list[str]:
    """Return a table, of cells that are Markdown already."""
    return [row(head), row(["---"] * len(head)), *[row(cells) for cells in rows]]


def block_lines(block: dict) -> list[str]:
    """Return a block of a card; each ends with an empty line."""
    if block["kind"] == "open":
        return [f"- **open**: {escaped(block['text'])}", ""]
    if block["kind"] == "fact":
        known = f" ({sources(block['links'])})" if block["links"] else ""
        return [f"- **{escaped(block['name'])}**: {escaped(block['text'])}{known}", ""]
    lines = [f"{escaped(block['caption'])}:", ""]
    lines += table_lines(
        [escaped(cell) for cell in block["head"]],
        [[escaped(cell) for cell in cells] for cells in block["rows"]],
    )
    return [*lines, "", *([f"From {sources(block['links'])}", ""] if block["links"] else [])]


def card_markdown(card: dict) -> str:
    """Return a model card or a datasheet as Markdown."""
    lines = [f"# {escaped(card['title'])}", "", escaped(card["lead"]), ""]
    for part in card["sections"]:
        lines += [f"## {escaped(part['title'])}", ""]
        lines += [line for block in part["blocks"] for line in block_lines(block)]
    return "\n".join(lines)


def checklist_markdown(checklist: dict) -> str:
    """Return a checklist as Markdown.

    Parameters
    ----------
    checklist
        As `brainmri.reporting.checklist.checklist` returns it.
    """
    about = f"[doi.org/{checklist['doi']}](https://doi.org/{checklist['doi']})"
    lines = [f"# {escaped(checklist['title'])}", "", f"{escaped(checklist['lead'])} Original: {about}.", ""]
    lines += [f"{escaped(checklist['told'])}", ""]
    head, rows = ["Item", "Section", "What is asked", "Status", "Answer", "From"], []
    for entry in checklist["rows"]:
        asked = f"**Open**: {escaped(entry['question'])}" if entry["question"] else ""
        answer = " ".join(filter(None, [escaped(entry["answer"]), asked]))
        first = [escaped(entry[key]) for key in ("number", "section", "item")]
        rows.append([*first, f"**{entry['status']}**", answer, sources(entry["links"]) or "–"])
    return "\n".join([*lines, *table_lines(head, rows), ""])
