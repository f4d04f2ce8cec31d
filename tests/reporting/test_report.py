"""The page as a whole."""

import itertools
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from brainmri.artefacts import read_json, write_json
from brainmri.digests import file_digest
from brainmri.errors import BrainmriError
from brainmri.reporting.report import report

VOID = {"meta", "link", "img", "br", "hr", "input", "rect", "line", "circle", "polyline"}


class Outline(HTMLParser):
    """Collects the tags of a page, and checks that they are closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.tags = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def of(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def outline(page) -> Outline:
    outline = Outline()
    outline.feed(page)
    return outline


def test_tags_are_closed_and_ids_are_unique(outline):
    assert outline.open == []
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [a["href"][1:] for a in outline.of("a") if a["href"].startswith("#")]
    assert set(targets) <= set(ids)


def test_headings_skip_no_level(outline):
    levels = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_figures_are_embedded_and_described(outline):
    images = outline.of("img")
    shots = [image for image in images if "data-told" in image]
    assert len(images) - len(shots) == 3 + 6 + 2 + 4 * 7 + 1 + 2 + 2
    assert len(shots) == 4 * 28
    assert all(image["src"].startswith("data:image/") and image["alt"] for image in images)
    assert len({image["alt"] for image in images}) == len(images)


def test_links_lead_to_the_artefacts_with_their_digests(study, outline):
    folder = study.folder / "report"
    links = [a for a in outline.of("a") if a.get("class") == "source"]
    assert {Path(unquote(a["href"])).name for a in links} >= {
        "fetch.json",
        "audit.json",
        "duplicates.parquet",
        "inventory.parquet",
        "manifest.parquet",
        "metrics.json",
        "curves.parquet",
        "gallery.parquet",
        "comparison.parquet",
        "pairs.parquet",
        "leakage.parquet",
        "baselines.json",
    }
    for link in links:
        assert link["title"] == f"SHA-256 {file_digest(folder / unquote(link['href']))}"


def test_nothing_is_asked_of_a_network(page):
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page)
    assert "@import" not in page
    assert "url(" not in page


def test_the_page_is_light(page):
    assert len(page) < 4_000_000


def test_test_numbers_stand_beside_protocol_size_and_interval(study, page):
    metrics = read_json(study.runs()[0].folder / "metrics.json")["test"]
    words = re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", page))
    entry = metrics["macro_f1"]
    interval = f"{100 * entry['value']:.1f} % {100 * entry['low']:.1f}–{100 * entry['high']:.1f}"
    assert interval in words
    assert f"{metrics['n_images']} images, {metrics['n_groups']} groups" in words
    assert "No medical device, no diagnosis." in words


def test_the_leak_of_the_random_split_is_told(page):
    words = re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", page))
    assert re.search(
        r"The random protocol tests on images whose patient or copy is in training: \d+ of \d+", words
    )
    assert "No leak found: no test image has its patient or a copy in training or validation." in words


def test_alarms_come_before_the_numbers_and_the_glossary_after_the_warnings(study, monkeypatch, tmp_path):
    monkeypatch.setattr("brainmri.reporting.page_warnings.ALARM_FROM", 0.5)
    report(study, tmp_path / "index.html")
    words = (tmp_path / "index.html").read_text(encoding="utf-8")
    alarm, headlines = words.index('<li class="alarm">'), words.index('<div class="headlines">')
    warning, glossary = words.index('<li class="warning">'), words.index("What the words mean")
    assert alarm < headlines < warning < glossary
    assert words.count('<li class="alarm">') == len(study.splits)


def test_the_same_artefacts_give_the_same_page(study, page, tmp_path):
    output = study.folder / "report" / "again.html"
    report(study, output)
    assert output.read_text(encoding="utf-8") == page


def test_names_from_files_cannot_become_markup(study, page):
    path = study.data_folder("phantom") / "fetch.json"
    kept = read_json(path)
    try:
        write_json({**kept, "licence": "<script>alert(1)</script>"}, path)
        report(study, study.folder / "hostile" / "index.html")
    finally:
        write_json(kept, path)
    hostile = (study.folder / "hostile" / "index.html").read_text(encoding="utf-8")
    assert "<script>alert" not in hostile
    assert "&lt;script&gt;alert" in hostile


def test_a_missing_artefact_is_named_and_no_page_is_left(study, tmp_path):
    more = replace(study, seeds=[0, 7])
    with pytest.raises(BrainmriError, match=r"seed7.*does not exist"):
        report(more, tmp_path / "index.html")
    assert not (tmp_path / "index.html").exists()


def test_copies_are_told_in_words_before_the_splits(study, page):
    words = re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", page))
    audit = read_json(study.data_folder("phantom") / "audit.json")
    known = audit["test_images_with_train_copy"]["without_mirrors"]["all"]
    sentence = f"{known['of']} published test images ha"
    assert words.index(sentence) < words.index("What it does to the numbers") < words.index("No leak found")
    assert "predict the class with" in words


def test_every_table_and_figure_tells_where_it_comes_from(page):
    """Behind each table, before the next heading of its rank, there is a link to an artefact."""
    body = page[page.index("<main>") : page.index("</main>")]
    for section in re.split(r"(?=<section )", body)[1:]:
        if section.startswith(('<section id="limits"', '<section id="provenance"')):
            continue
        for block in re.split(r"(?=<article|<details class=\"card|<h3)", section):
            if "<table" in block or "<figure" in block:
                assert 'class="source"' in block, re.sub("<[^>]*>", " ", block)[:200]
