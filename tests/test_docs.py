"""The documentation keeps its promises: links lead somewhere, commands exist, pictures can be drawn again."""

import json
import re
import shlex
import subprocess
import sys
from contextlib import suppress
from importlib import import_module
from inspect import signature
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml
from PIL import Image

from brainmri.cli import COMMANDS, POSITIONAL, function_of, parser_of
from brainmri.configuration import checked
from brainmri.evaluation.outside import outside_schema
from brainmri.evaluation.predictions import predictions_schema
from brainmri.reporting.gallery_table import gallery_schema

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "src"
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "config" / "README.md", *sorted(DOCS.glob("*.md"))]
PAGES = [page for page in PAGES if page.exists()]
LARGEST_PICTURE = 150_000  # bytes

LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
SCHEMA = re.compile(r"^([A-Z_]*SCHEMA) = pa\.schema\(", re.MULTILINE)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    """Return the text of a page without its fenced blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def anchor_of(heading: str) -> str:
    """Return the anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def local_links(page: Path) -> list[tuple[str, str, str]]:
    """Return ('!' for a picture, words, target) of every link that is no web address."""
    return [link for link in LINK.findall(prose(page)) if not re.match(r"[a-z]+:", link[2])]


def pictures_of(page: Path) -> list[tuple[str, Path]]:
    """Return (alternative text, file) of every picture of this repository."""
    return [(words, page.parent / target) for mark, words, target in local_links(page) if mark]


def command_lines(page: Path) -> list[list[str]]:
    """Return the words of every `brainmri ...` command line, in blocks and in running text."""
    text = page.read_text(encoding="utf-8")
    blocks = "\n".join(FENCE.findall(text)).replace("\\\n", " ")
    lines = [*blocks.splitlines(), *CODE.findall(prose(page))]
    commands = []
    for line in lines:
        found = re.match(r"\s*(?:\$ )?(?:\.venv/bin/)?brainmri\s+(.*)", line)
        if found:
            commands.append(shlex.split(found[1], comments=True))
    return commands


def schemas_of(file: Path) -> list:
    """Return the tables' schemas that stand as constants in a module."""
    found = SCHEMA.findall(file.read_text(encoding="utf-8"))
    module = ".".join(file.relative_to(SOURCES).with_suffix("").parts)
    return [getattr(import_module(module), constant) for constant in found]


def is_told(column: str, told: set[str]) -> bool:
    """Say whether a column stands among some words, or is a stem and an ending such as `_low` that do."""
    cuts = [place for place, letter in enumerate(column) if letter == "_"]
    return column in told or any({column[:cut], column[cut:]} <= told for cut in cuts)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_files_and_headings_that_exist(page):
    for _, words, target in local_links(page):
        path, _, anchor = unquote(target).partition("#")
        file = page.parent / path if path else page
        assert file.exists(), f"[{words}]({target}) leads nowhere"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", prose(file), re.MULTILINE)
            assert anchor in map(anchor_of, headings), f"[{words}]({target}): no such heading"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_and_their_options_exist(page, capsys):
    for words in command_lines(page):
        command, *rest = words
        if command.startswith("-") or command == "COMMAND":
            continue
        assert command in COMMANDS, f"there is no command {command}"
        known = set(signature(function_of(command)).parameters)
        known -= {POSITIONAL.get(command)}
        # `--recipe.epochs 3` sets one key of a settings class.
        given = {word[2:].split("=")[0].split(".")[0] for word in rest if word.startswith("--")}
        assert given - {"help"} <= known, f"brainmri {command} has no option {sorted(given - known)}"
        if "..." in " ".join(words) or "…" in " ".join(words) or given == {"help"}:
            continue
        with suppress(SystemExit):
            parser_of(command, function_of(command)).parse_args(rest)
        # What is only shown in part may lack what is required.
        told = capsys.readouterr().err
        lacking = "are required" in told or "is required" in told
        assert not told or lacking, f"brainmri {' '.join(words)}: {told}"


def test_studies_that_the_docs_print_can_be_run_as_they_stand():
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8"))
    blocks = [block for page in PAGES for block in FENCE.findall(page.read_text(encoding="utf-8"))]
    studies = [yaml.safe_load(block) for block in blocks if block.startswith("study:")]
    assert studies
    for study in studies:
        assert checked(study, schema)


def test_messages_that_the_docs_explain_are_those_of_the_code():
    files = [ROOT / "Makefile", *SOURCES.rglob("*.py")]
    code = "".join(file.read_text(encoding="utf-8") for file in files)
    code = re.sub(r'"\s+f?"', "", code)  # a text that goes on in the next line
    rows = re.findall(
        r"^\| (`.*?) \| ", (DOCS / "troubleshooting.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(rows) >= 10
    for fragment in CODE.findall(" ".join(rows)):
        assert fragment in code, f"no message says '{fragment}'"


def test_every_option_of_a_command_has_its_words(capsys):
    for command in COMMANDS:
        parser = parser_of(command, function_of(command))
        for action in parser._actions:
            assert action.help, f"brainmri {command} --help does not explain {action.dest}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_pictures_have_words_for_those_who_cannot_see_them_and_are_small(page):
    for words, file in [picture for picture in pictures_of(page) if picture[1].exists()]:
        assert len(words.split()) >= 3, f"{file.name} needs an alternative text"
        assert file.suffix in (".png", ".svg")
        assert file.stat().st_size < LARGEST_PICTURE, f"{file.name} is too large"


def test_no_picture_lies_about_unused():
    used = {file.resolve() for page in PAGES for _, file in pictures_of(page)}
    drawn = {file.resolve() for file in (DOCS / "images").glob("*.png")}
    assert drawn <= used


def test_walkthrough_quotes_the_figures_that_were_measured():
    text = (DOCS / "walkthrough.md").read_text(encoding="utf-8")
    measured = json.loads((DOCS / "images" / "numbers.json").read_text(encoding="utf-8"))
    assert [key for key, words in measured.items() if f"<!-- {key} -->{words}" not in text] == []
    assert set(re.findall(r"<!-- ([a-z0-9_.]+) -->", text)) == set(measured)


def test_walkthrough_names_each_stage_as_the_command_line_does():
    text = (DOCS / "walkthrough.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_]+)`", text))
    stages = {"fetch", "inventory", "crop", "audit", "split", "train", "predict_split", "evaluate", "report"}
    assert stages <= named
    assert stages <= set(COMMANDS)


def test_page_of_files_tells_every_column_of_every_table():
    told = set(CODE.findall(prose(DOCS / "files.md")))
    schemas = [schema for file in sorted(SOURCES.rglob("*.py")) for schema in schemas_of(file)]
    assert len(schemas) > 15
    classes = ["{class}"]
    schemas += [predictions_schema(classes), outside_schema(classes, classes), gallery_schema(classes)]
    columns = {column for schema in schemas for column in schema.names}
    assert {column for column in columns if not is_told(column, told)} == set()


@pytest.mark.slow
def test_every_picture_of_the_docs_can_be_drawn_again(tmp_path):
    command = [sys.executable, DOCS / "draw_figures.py", "--output", tmp_path / "images"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    wanted = {file.name for page in DOCS.glob("*.md") for _, file in pictures_of(page)}
    drawn = {file.name: file for file in (tmp_path / "images").glob("*.png")}
    assert wanted == set(drawn)
    for name, file in drawn.items():
        assert file.stat().st_size < LARGEST_PICTURE
        with Image.open(file) as image, Image.open(DOCS / "images" / name) as committed:
            # Fonts may differ by a pixel from machine to machine; a picture of another shape was forgotten.
            assert abs(image.width - committed.width) <= 4
            assert abs(image.height - committed.height) <= 4
    # The text's claim: a leaking split rewards memory, whatever the labels; a grouped one does not.
    measured = json.loads((tmp_path / "images" / "numbers.json").read_text(encoding="utf-8"))
    share = {key: float(words.split()[0]) for key, words in measured.items() if key.startswith("leak.")}
    assert min(share["leak.true.random"], share["leak.lots.random"]) > 60
    assert share["leak.true.grouped"] < share["leak.true.random"] - 15
    assert share["leak.lots.grouped"] < 35
