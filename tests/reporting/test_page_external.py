"""Models on other data sets, as the page, the cards and the checklists tell it."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from helpers import texts
from jinja2 import Environment, PackageLoader, StrictUndefined

from brainmri.artefacts import read_parquet, write_json, write_parquet
from brainmri.digests import file_digest
from brainmri.errors import BrainmriError
from brainmri.evaluation.external import EXTERNAL_SCHEMA
from brainmri.reporting.answers_numbers import number_answers
from brainmri.reporting.draw_external import draw_external, matrix_figure
from brainmri.reporting.embedding import Artefacts
from brainmri.reporting.integrity import Integrity
from brainmri.reporting.model_numbers import elsewhere
from brainmri.reporting.page_external import external_context, sentence
from brainmri.reporting.style import figure_style
from brainmri.study import Study

METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "brier")
FOUR = "glioma, meningioma, pituitary, no_tumor"
COUNTS = {"n_copies_learnt": 30, "n_copies_shared": 5, "n_label_conflicts": 2, "n_other_classes": 0}
COUNTS |= {"n_unusable": 1}
TABLES = [
    {"dataset": name, "base": "grouped", "rows": [], "columns": [column]}
    for name in ("north", "south")
    for column in [{"name": "grouped", "leakage": {"free": True}}]
]
BEST = [{"dataset": "north", "model": "cnn"}]


def rows_of(trained_on, tested_on, value, own=None, spread=0.03, model="cnn", classes=FOUR, images=200):
    """Return the rows of a cell, the means over two seeds."""
    row = {"model": model, "trained_on": trained_on, "tested_on": tested_on, "split": "grouped"}
    row |= {"protocol": "grouped", "seed": None, "seeds": 2, "classes": classes, "n_images": images}
    row |= {"value": value, "low": value - spread, "high": min(1, value + spread), "n_groups": images // 2}
    if own is not None:
        row |= COUNTS | {"own": own, "own_low": own - spread, "own_high": own + spread}
        row |= {"own_n_images": 90, "own_n_groups": 40, "difference": value - own}
        row |= {"difference_low": value - own - 2 * spread, "difference_high": value - own + 2 * spread}
        row |= {"difference_lowest_seed": value - own - 0.01, "difference_highest_seed": value - own + 0.01}
    return [row | {"metric": metric} for metric in METRICS]


def table_of(*cells) -> pd.DataFrame:
    return pd.DataFrame([row for cell in cells for row in cell]).reindex(columns=EXTERNAL_SCHEMA.names)


NOTHING_LEFT = rows_of("south", "north", np.nan, np.nan, classes="", images=0)
TABLE = table_of(
    rows_of("north", "north", 0.93, images=90),
    rows_of("north", "north", 0.95, images=70, classes="glioma, meningioma"),
    rows_of("north", "south", 0.61, own=0.93),
    rows_of("south", "south", 0.90),
    NOTHING_LEFT,
)


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    """Two data sets, one model with two seeds, tested on each other: what the section reads."""
    root = tmp_path_factory.mktemp("external")
    study = Study(
        name="two",
        datasets={"north": {"splits": None}, "south": {"splits": None}},
        splits={"grouped": {"protocol": "grouped"}},
        models={"cnn": {"image_size": 64}},
        seeds=[0, 1],
        class_names=FOUR.split(", "),
        external=True,
        data_dir=root / "data",
        results_dir=root / "results",
    )
    for run, other in study.external_tests():
        write_parquet(pd.DataFrame({"seed": [run.seed]}), study.external_path(run, other), config={})
    for run in study.runs():
        write_json({"seed": run.seed}, run.folder / "metrics.json")
        write_parquet(pd.DataFrame({"seed": [run.seed]}), run.folder / "predictions.parquet", config={})
    applied = [study.external_path(*test) for test in study.external_tests()]
    own = [run.folder / name for run in study.runs() for name in ("metrics.json", "predictions.parquet")]
    path = study.folder / "external.parquet"
    write_parquet(TABLE, path, config={}, inputs=[*applied, *own], schema=EXTERNAL_SCHEMA)
    draw_external(path, "cnn", study.external_figure("cnn"))
    return study


@pytest.fixture(scope="module")
def context(study) -> dict:
    return external_context(study, TABLES, BEST, Artefacts(study.folder / "report"))


@pytest.fixture(scope="module")
def section(context) -> str:
    """The section of the page, as HTML."""
    environment = Environment(
        loader=PackageLoader("brainmri.reporting"), autoescape=True, undefined=StrictUndefined
    )
    text = '{% import "macros.html.j2" as show with context %}{% include "external.html.j2" %}'
    return environment.from_string(text).render(external=context, seeds=[0, 1])


def words(section: str) -> str:
    return re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", section))


def test_a_fall_is_told_with_its_interval_and_what_was_left_out(context):
    (told,) = [line for line in context["sentences"] if line["place"] == "north → south"]
    assert told["text"] == (
        "cnn, trained on north (grouped), is right on 61.0 % (58.0–64.0) of the 200 images of south that are "
        "no copies or neighbours of north (35 are): 32.0 points fewer than the 93.0 % on its own test part "
        "(difference −32.0, 95 % interval −38.0 to −26.0; over seeds −33.0 to −31.0). "
        "Among glioma, meningioma, pituitary, no tumor."
    )


def test_what_could_be_chance_is_not_called_a_fall(context):
    row = next(row for row in context["rows"] if row["tested_on"] == "south" and not row["own"])
    told = sentence(row | {"certain": False, "difference": 0.01, "points": "+1.0", "range": "−2.0 to 4.0"})
    assert "cannot be told: +1.0 points" in told and "fewer" not in told


def test_where_no_image_is_left_the_sentence_says_so(context):
    (told,) = [line for line in context["sentences"] if line["place"] == "south → north"]
    assert "cannot be tested on north: after 35 copies and neighbours" in told["text"]


def test_a_sure_and_large_fall_is_a_warning_and_a_small_one_is_none(study, context):
    (warning,) = context["warnings"]
    assert (warning["level"], warning["where"]) == ("warning", "north, grouped")
    assert "cnn (93.0 % to 61.0 %; −32.0 points, −38.0 to −26.0)" in warning["text"]
    assert "on the 200 images of south that are no copies or neighbours of north (35 are)" in warning["text"]
    assert "no random sample" in warning["text"] and "carry over" not in warning["text"]
    path = study.folder / "external.parquet"
    kept = path.read_bytes()
    small = rows_of("north", "south", 0.91, own=0.93, spread=0.004)
    unsure = rows_of("south", "north", 0.70, own=0.90, spread=0.2)
    try:
        table = table_of(rows_of("north", "north", 0.93), rows_of("south", "south", 0.9), small, unsure)
        write_parquet(table, path, config={}, schema=EXTERNAL_SCHEMA)
        assert external_context(study, TABLES, BEST, Artefacts(study.folder))["warnings"] == []
    finally:
        path.write_bytes(kept)


def test_every_row_has_its_artefacts_with_digests(study, section):
    for run, other in study.external_tests():
        path = study.external_path(run, other)
        assert f'href="../{path.relative_to(study.folder).as_posix()}"' in section
        assert f'title="SHA-256 {file_digest(path)}"' in section
    assert f"SHA-256 {file_digest(study.folder / 'external.parquet')}" in section


def test_the_section_has_the_matrix_the_table_and_the_counts(section):
    assert section.count("<img") == 1 and 'alt="Matrix of the accuracy of cnn' in section
    assert '<table class="sortable narrow">' in section
    told = words(section)
    assert "own test part 93.0 % 90.0–96.0" in told
    # The own part of fewer classes stands beside the cell that it belongs to, and is no row.
    assert "95.0 %" not in told
    assert "238 30 5 2 0 1 200 100 groups" in told
    assert "no two classes left" in told


def test_a_study_of_one_data_set_has_no_section(study, tmp_path):
    alone = SimpleNamespace(folder=tmp_path, external_tests=list)
    write_parquet(TABLE[:0], tmp_path / "external.parquet", config={}, schema=EXTERNAL_SCHEMA)
    assert external_context(alone, TABLES, BEST, Artefacts(tmp_path)) is None


def test_cards_and_checklists_tell_it(context):
    link = {"name": "comparison.parquet"}
    known = {"runs": [], "tables": TABLES, "best": [], "splits": [], "comparison": {"link": link}}
    answer = number_answers(SimpleNamespace(seeds=[0]), known | {"external": context})["external"]
    assert "tested on south without its copies (200 images, 100 groups" in answer["text"]
    assert "difference −32.0 points (−38.0 to −26.0)" in answer["text"]
    assert answer["links"] == [context["link"]]
    assert number_answers(SimpleNamespace(seeds=[0]), known | {"external": None})["external"] is None
    (told,) = elsewhere([row for row in context["rows"] if not row["own"] and row["images"]])
    assert told["blocks"][0]["rows"][0][-1] == "−32.0 (−38.0 to −26.0)"
    assert elsewhere([]) == []


def test_the_matrix_writes_value_interval_and_images_into_each_cell():
    with figure_style():
        figure = matrix_figure(TABLE[TABLE["metric"] == "accuracy"], "cnn")
        told = texts(figure)
    assert {"93.0 %\n90.0–96.0\nn = 90", "61.0 %\n58.0–64.0\nn = 200", "no image\nleft"} <= set(told)
    framed = [patch for patch in figure.axes[0].patches if patch.get_linewidth() == 2.5]
    assert [round(patch.get_x() + patch.get_width() / 2) for patch in framed] == [0, 1]


def test_a_model_that_was_not_tested_cannot_be_drawn(study, tmp_path):
    with pytest.raises(BrainmriError, match=r"has no model 'cnm'.*cnn"):
        draw_external(study.folder / "external.parquet", "cnm", tmp_path / "m.svg")
    assert not (tmp_path / "m.svg").exists()


@pytest.mark.parametrize("name", ["external.parquet", "external/south.parquet", "predictions.parquet"])
def test_what_was_changed_by_hand_is_blamed(study, name):
    run = study.runs()[0]
    path = study.folder / name if name == "external.parquet" else run.folder / name
    assert Integrity().faults(study) == {}
    kept = path.read_bytes()
    try:
        table = read_parquet(path).assign(seed=9)
        if name == "external.parquet":
            table.to_parquet(path)
        else:
            # Written anew, with a digest of its own, it is not what external.parquet was made from.
            write_parquet(table, path, config={})
        assert list(Integrity().faults(study)) == [path]
    finally:
        path.write_bytes(kept)
