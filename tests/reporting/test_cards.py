"""Model cards, datasheets and checklists: filled from the artefacts, and nothing invented."""

import html
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainmri.artefacts import read_json, write_json
from brainmri.digests import file_digest
from brainmri.errors import BrainmriError
from brainmri.reporting.answers_compared import leakage
from brainmri.reporting.answers_data import design, label_words
from brainmri.reporting.cards import CHECKLISTS, card_names
from brainmri.reporting.checklist import ANSWERED, NOT_APPLICABLE, OPEN, checklist, checklist_items, item_row
from brainmri.reporting.markdown import INVISIBLE, card_markdown, escaped
from brainmri.reporting.model_card import intended_use
from brainmri.reporting.model_compared import under_protocols
from brainmri.reporting.page_pairs import beside_models
from brainmri.reporting.report import report
from brainmri.study import Study

MITCHELL = [
    "Model details", "Intended use", "Factors", "Metrics", "Evaluation data", "Training data",
    "Quantitative analyses", "Ethical considerations", "Caveats and recommendations",
]  # fmt: skip
GEBRU = [
    "Motivation", "Composition", "Collection", "Preprocessing", "Uses", "Distribution", "Maintenance",
]  # fmt: skip
TRIPOD_SUBITEMS = {3: "abc", 5: "ab", 6: "abc", 8: "abc", 9: "abc", 12: "abcdefg", 18: "abcdef", 20: "abc"}
TRIPOD_SUBITEMS |= {23: "ab", 27: "abc"}
MIXES = {"leaking": 49.8, "equal_mix": 37.8, "free": 30.6}
LINK = re.compile(r"\[((?:\\.|[^\]\\])*)\]\(([^)]*)\) `([0-9a-f]{8})`")


@pytest.fixture(scope="module")
def cards(study, page) -> dict[str, str]:
    """Return the Markdown files that were written beside the page, by name."""
    return {path.name: path.read_text(encoding="utf-8") for path in (study.folder / "report/cards").iterdir()}


def headings(text: str) -> list[str]:
    return re.findall(r"^## (.*)$", text, re.MULTILINE)


def rows_of(text: str) -> list[list[str]]:
    """Return the cells of all rows of tables in a Markdown text."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_there_is_a_card_for_each_model_data_set_and_checklist(study, cards):
    models = {f"phantom-{split}-{model}.md" for split in study.splits for model in study.models}
    assert set(cards) == models | {"datasheet-phantom.md", "claim-2024.md", "tripod-ai.md"}
    assert set(cards) == {*card_names(study), *(f"{name}.md" for name in CHECKLISTS)}


def test_cards_have_the_sections_of_their_models(cards):
    for name, text in cards.items():
        if name.startswith("phantom-"):
            assert headings(text) == MITCHELL
    assert headings(cards["datasheet-phantom.md"]) == GEBRU


def test_every_source_is_there_and_has_the_digest_that_is_told(study, cards):
    folder = study.folder / "report/cards"
    for name, text in cards.items():
        links = LINK.findall(text)
        assert links, name
        for _, href, digest in links:
            assert file_digest(folder / unquote(href)).startswith(digest)


def test_the_numbers_of_a_card_are_those_of_the_metrics(study, cards):
    run = study.runs()[-1]
    test = read_json(run.folder / "metrics.json")["test"]
    rows = rows_of(cards[f"phantom-{run.split}-{run.model}.md"])
    entry = test["macro_f1"]
    told = f"{100 * entry['value']:.1f} % ({100 * entry['low']:.1f}–{100 * entry['high']:.1f})"
    assert ["macro-F1", told, "–"] in rows
    for label, own in test["per_class"].items():
        recall = own["recall"]
        told = f"{100 * recall['value']:.1f} % ({100 * recall['low']:.1f}–{100 * recall['high']:.1f})"
        assert any(row[0] == label.replace("_", " ") and told in row for row in rows)


def test_a_number_beside_its_artefact_stands_on_one_line(cards):
    for text in (cards["datasheet-phantom.md"], cards["phantom-grouped-resnet18.md"]):
        for line in text.splitlines():
            if line.startswith("- **") and "open" not in line[:12] and re.search(r"\d", LINK.sub("", line)):
                assert LINK.search(line), line


def test_the_leak_of_a_split_is_on_its_card(cards):
    assert "have their patient or a copy in training" in cards["phantom-random-resnet18.md"]
    assert "no test image has its patient or a copy in" in cards["phantom-grouped-resnet18.md"]


def test_own_images_leave_open_when_they_were_taken_and_how_folders_became_labels():
    folders = {"glioma": ["low", "high"], "no_tumor": ["none"]}
    datasets = {"clinic": {"source": {"directory": "scans"}, "classes": folders}}
    links = [{"name": "clinic", "links": {"fetch": {"name": "fetch.json"}}}]
    study = Study("own", datasets, {}, {}, [0], list(folders))
    told = design(study, links)
    assert told["links"] == [] and "Is that so of clinic?" in told["asked"]
    assert (
        item_row({"number": 5, "section": "", "item": "", "answers": ["design"]}, {"design": told})["status"]
        == OPEN
    )
    assert label_words(study).endswith("joined into one class: clinic: glioma from low, high.")
    study.datasets["clinic"]["layout"] = {"table": "labels.csv"}
    assert label_words(study).startswith("are those of the source's table, for")
    kaggle = replace(study, datasets={"clinic": {"source": {"kaggle": "a/b"}, "classes": {}}})
    told = design(kaggle, links)
    assert told["asked"] == "" and told["links"] and label_words(kaggle).endswith("taken over unchanged.")


def test_a_model_is_made_for_the_classes_that_it_knows():
    run = {"metadata": {"classes": ["glioma", "no_tumor"]}, "referral": {}}
    made_for = intended_use([run])["blocks"][0]
    assert made_for["text"].endswith("apart into glioma, no tumor")


def test_a_warning_cites_the_table_that_it_was_read_from(study, page, cards):
    beaten = [row["beaten"] for rows in beside_models(study).values() for row in rows]
    assert not all(beaten)
    (item,) = [row for row in rows_of(cards["claim-2024.md"]) if row[0] == "40"]
    assert "not shown to beat" in item[4] and "pairs.parquet" in item[5] and "manifest.parquet" in item[5]
    (line,) = [
        line for line in cards["phantom-grouped-small-cnn.md"].splitlines() if "not shown to beat" in line
    ]
    assert "pairs.parquet" in line and "manifest.parquet" not in line


def test_probes_are_on_the_card_of_their_model_and_in_the_checklist(study, cards):
    probed = study.probed_model()
    other = next(run.model for run in study.runs() if run.model != probed)
    document = read_json(study.probes_folder("phantom", "grouped") / "probes.json")
    entry = document["test"]["border"]["balanced_accuracy"]
    told = f"({100 * entry['low']:.1f}–{100 * entry['high']:.1f}"
    rows = rows_of(cards[f"phantom-grouped-{probed}.md"])
    assert any(row[0] == "border" and told in row[2] for row in rows)
    assert not any(row[0] == "border" for row in rows_of(cards[f"phantom-grouped-{other}.md"]))
    (item,) = [row for row in rows_of(cards["claim-2024.md"]) if row[0] == "30"]
    assert f"{told}; chance" in item[4] and "probes.json" in item[5]


def test_a_difference_by_leak_stands_beside_the_two_numbers_that_it_is_of():
    entries = {name: {"text": f"{share} %", "range": ""} for name, share in MIXES.items()}
    metric = {"title": "accuracy", **entries, "difference": "+7.2", "range": "0.7 to 13.3"}
    row = {"model": "cnn", "split": "published", "free_split": "published_clean", "absent": "no tumor"}
    tables = [{"dataset": "set", "rows": [row | {"metrics": [metric]}]}]
    told = leakage({"tables": tables, "link": {}})["text"]
    assert "37.8 % at the class mix of published_clean (49.8 % at its own)" in told
    assert told.endswith("+7.2 points (0.7 to 13.3); without no tumor.")
    block = under_protocols({"dataset": "set", **row}, {"tables": tables, "link": {}})
    (cells,) = block["rows"]
    assert cells[0] == "published and published_clean; without no tumor"
    assert cells[2:] == ["49.8 %", "37.8 %", "30.6 %", "+7.2 points (0.7 to 13.3)"]


def test_what_no_artefact_knows_is_an_open_question(cards):
    for name, text in cards.items():
        assert re.search(r"\*\*open\*\*|\*\*Open\*\*", text), name
    assert re.search(r"\*\*open\*\*: Who set the labels", cards["datasheet-phantom.md"])


def test_an_unknown_licence_is_asked_for_and_not_made_up(study, page):
    path = study.data_folder("phantom") / "fetch.json"
    kept = read_json(path)
    output = study.folder / "bare" / "index.html"
    try:
        write_json({key: entry for key, entry in kept.items() if key != "licence"}, path)
        report(study, output)
    finally:
        write_json(kept, path)
    text = (output.parent / "cards/datasheet-phantom.md").read_text(encoding="utf-8")
    assert "CC0" not in text
    assert "**open**: Under which licence" in text


def test_checklists_have_the_items_of_the_originals():
    numbers = [str(item["number"]) for item in checklist_items("claim-2024")["items"]]
    assert numbers == [str(number) for number in range(1, 45)]
    numbers = [str(item["number"]) for item in checklist_items("tripod-ai")["items"]]
    assert numbers == [
        f"{number}{letter}" for number in range(1, 28) for letter in TRIPOD_SUBITEMS.get(number, [""])
    ]
    assert len(numbers) == 52


@pytest.mark.parametrize("name", CHECKLISTS)
def test_no_item_is_left_without_answer_reason_or_question(name):
    for entry in checklist(name, {})["rows"]:
        assert entry["status"] in (OPEN, NOT_APPLICABLE)
        assert entry["question"] or entry["answer"], entry["number"]


@pytest.mark.parametrize("name", CHECKLISTS)
def test_an_item_is_answered_where_nothing_is_left_to_ask(name):
    class Everything(dict):
        def __missing__(self, key):
            return {"text": f"about {key}.", "links": []}

        def __contains__(self, key):
            return True

    for item, entry in zip(
        checklist_items(name)["items"], checklist(name, Everything())["rows"], strict=True
    ):
        wanted = NOT_APPLICABLE if "not_applicable" in item else OPEN if "open" in item else ANSWERED
        assert entry["status"] == wanted
        assert (entry["question"] == "") == (wanted != OPEN)


def test_checklist_tables_tell_status_and_original(cards):
    for name, count, doi in (
        ("claim-2024.md", 44, "10.1148/ryai.240300"),
        ("tripod-ai.md", 52, "10.1136/bmj-2023-078378"),
    ):
        rows = rows_of(cards[name])[2:]
        assert len(rows) == count
        assert {row[3] for row in rows} == {"**answered**", "**open**", "**not applicable**"}
        assert f"https://doi.org/{doi}" in cards[name]
        assert all(len(row) == 6 for row in rows)
        assert all(row[5] != "–" for row in rows if row[3] == "**answered**"), name


def test_every_named_answer_is_one_that_a_study_can_give(study, page):
    from brainmri.reporting.checklist_answers import study_answers
    from brainmri.reporting.page import page_context

    known = set(study_answers(study, page_context(study, study.folder / "report")))
    named = {
        name
        for file in CHECKLISTS
        for item in checklist_items(file)["items"]
        for name in item.get("answers", [])
    }
    # These need more than one data set, or the stage explain.
    assert named - known <= {"overlap", "external", "explained"}


def test_the_page_shows_cards_and_checklists_with_links_to_the_files(study, page, cards):
    section = page[page.index('<section id="cards"') : page.index('<section id="provenance"')]
    assert '<a href="#cards">Cards</a>' in page
    hrefs = set(re.findall(r'class="file" href="([^"]*)"', section))
    assert hrefs == {f"cards/{name}" for name in cards}
    assert section.count("<details") == section.count("</details>") == len(cards)
    assert "How were the images de-identified" in section
    assert len(section) < 50_000 * len(cards)


HOSTILE = "<script>alert(1)</script> | [x](javascript:alert(1)) `a` **b** ![i](//evil.example/i.png)\n# head"


def test_hostile_text_from_files_is_shown_and_not_run(study, page):
    path = study.data_folder("phantom") / "fetch.json"
    kept = read_json(path)
    output = study.folder / "hostile" / "index.html"
    try:
        write_json({**kept, "licence": HOSTILE, "source": HOSTILE}, path)
        report(study, output)
    finally:
        write_json(kept, path)
    written = [file.read_text(encoding="utf-8") for file in (output.parent / "cards").iterdir()]
    for text in [output.read_text(encoding="utf-8"), *written]:
        assert "<script>alert" not in text
    for text in written:
        assert "\n# head" not in text
        assert not re.search(r"(?<!\\)\]\((javascript|//)", text)
    assert any("alert(1)" in text for text in written)
    checklist_rows = rows_of((output.parent / "cards/claim-2024.md").read_text(encoding="utf-8"))
    assert {len(row) for row in checklist_rows} == {6}


@given(st.text(max_size=60))
def test_escaped_text_has_no_markup_and_loses_nothing_visible(text):
    shown = escaped(text)
    assert not re.search(r"[<>\n]", shown)
    assert not re.search(r"[`*\[\]|~#!$^]", re.sub(r"\\.|&#", "", shown))
    back = re.sub(r"\\([\\`*\[\]|~#!$^_])", r"\1", html.unescape(shown))
    assert back == INVISIBLE.sub(" ", text).strip()


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_card_of_any_text_has_as_many_cells_as_its_head(first, second):
    card = {"title": first, "lead": second, "sections": [{"title": first, "blocks": []}]}
    block = {"kind": "table", "caption": first, "head": ["a", "b"], "rows": [[first, second]], "links": []}
    card["sections"][0]["blocks"] = [block, {"kind": "open", "text": second}]
    lines = card_markdown(card).splitlines()
    row = next(line for line in lines[lines.index("| --- | --- |") + 1 :])
    unescaped = re.sub(r"\\\\|\\\|", "", row)
    assert unescaped.count("|") == 3


def test_two_cards_of_one_name_are_refused(study):
    twice = replace(
        study,
        datasets={"a": {"splits": ["b-c"]}, "a-b": {"splits": ["c"]}},
        splits={"b-c": {"protocol": "grouped"}, "c": {"protocol": "grouped"}},
    )
    with pytest.raises(BrainmriError, match=r"a-b-c-small-cnn\.md"):
        card_names(twice)


def test_links_of_cards_lead_below_the_page(study, cards):
    for _, href, _ in LINK.findall(cards["phantom-grouped-resnet18.md"]):
        assert not Path(unquote(href)).is_absolute()
