"""The probes on the page: a table beside chance and control, in words, and as warnings."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest

from brainmri.artefacts import read_json, read_parquet
from brainmri.digests import file_digest
from brainmri.errors import BrainmriError
from brainmri.reporting.draw_probes import draw_probes, shown_images
from brainmri.reporting.embedding import Artefacts
from brainmri.reporting.page import page_context
from brainmri.reporting.page_probes import finding, probe_row, probe_warnings, probes_context
from brainmri.reporting.report import report


@pytest.fixture(scope="module")
def probed(study) -> dict[str, dict]:
    """Return what the page says of the probes, by split."""
    return {own["split"]: own for own in probes_context(study, Artefacts(study.folder / "report"))}


def rows_of(table: dict) -> dict[str, dict]:
    return {row["name"]: row for row in table["rows"]}


def test_the_page_has_a_table_a_figure_and_links_with_digests_of_each_split(study, page):
    assert '<a href="#probes">Probes</a>' in page
    assert page.count("as each probe saw them: whole, as a border") == len(study.splits)
    for place in study.probed():
        for name in ("probes.json", "probes.parquet"):
            assert f'title="SHA-256 {file_digest(study.probes_folder(*place) / name)}"' in page
    assert "the whole image and the true labels: the control" in page
    assert "36 % of the pixels" in page and "50 % of the pixels" in page


def test_a_probe_stands_beside_chance_and_control_with_intervals(study, probed):
    border = rows_of(probed["grouped"])["border"]
    entry = read_json(study.probes_folder("phantom", "grouped") / "probes.json")["test"]["border"]
    assert border["metrics"][0]["number"] == entry["balanced_accuracy"]["value"]
    assert border["metrics"][0]["chance"] == "25.0 %" and border["metrics"][0]["range"]
    assert border["difference"]["range"] and border["above"]
    assert rows_of(probed["grouped"])["unaltered"]["difference"] is None


def test_the_reading_is_told_in_words(probed):
    grouped, random = (" ".join(probed[name]["findings"]) for name in ("grouped", "random"))
    assert "From the border alone it scores" in grouped
    assert "which can be chance: after 4 epochs, with 40 % of its training labels learnt" in grouped
    assert "it knows patients or copies again" in random


def test_a_reader_is_warned_of_the_background_and_of_labels_known_again(study, probed):
    leaks = {"grouped": {"free": True}, "random": {"free": False}}
    splits = [{"dataset": "phantom", "name": name, "leakage": own} for name, own in leaks.items()]
    found = probe_warnings(list(probed.values()), splits)
    told = {(line["where"], line["text"].split(",")[0]): line for line in found}
    assert (
        "and any lesion there) tells of the class"
        in told["phantom, grouped", "From the border alone"]["text"]
    )
    assert "lie on both sides" in told["phantom, random", "On labels that mean nothing"]["text"]
    assert ("phantom, grouped", "On labels that mean nothing") not in told
    assert all(line["level"] == "warning" and line["links"][0]["digest"] for line in found)
    page = page_context(study, study.folder / "report")
    assert [line for line in page["warnings"] if line in found]


def test_a_leak_free_split_that_knows_labels_again_is_called_chance_or_at_fault(probed):
    table = probed["random"] | {"split": "grouped"}
    (line,) = [
        line
        for line in probe_warnings(
            [table], [{"dataset": "phantom", "name": "grouped", "leakage": {"free": True}}]
        )
        if "mean nothing" in line["text"]
    ]
    assert "one in forty such scores is chance, else the split is at fault" in line["text"]


def test_a_control_that_learnt_nothing_is_told_and_nothing_is_measured_by_it(study):
    test = deepcopy(read_json(study.probes_folder("phantom", "grouped") / "probes.json")["test"])
    test["unaltered"]["balanced_accuracy"] |= {"value": 0.26, "low": 0.2, "high": 0.33}
    control = probe_row("unaltered", test)
    assert "4 epochs are too few to tell anything by" in finding(control, 4)
    border = probe_row("border", test)
    assert border["share"] is None
    table = {"dataset": "phantom", "split": "grouped", "model": "cnn", "rows": [control, border], "links": []}
    assert probe_warnings([table], []) == []


def test_a_study_without_probes_has_no_such_section(study):
    without = replace(study, probes={"epochs": 0})
    report(without, study.folder / "without" / "index.html")
    page = (study.folder / "without" / "index.html").read_text(encoding="utf-8")
    assert 'href="#probes"' not in page and "From the border alone" not in page


def test_the_figure_shows_an_image_of_each_class_that_got_another_label(study):
    said = read_parquet(study.probes_folder("phantom", "grouped") / "probes.parquet")
    shown = shown_images(said)
    assert sorted(shown["label"]) == sorted(study.class_names)
    assert (shown["label"] != shown["target"]).all()


def test_images_of_another_data_set_are_refused(study, tmp_path):
    np.save(tmp_path / "few.npy", np.zeros((2, 64, 64), np.uint8))
    folder = study.split_folder("phantom", "grouped")
    with pytest.raises(BrainmriError, match="run probes again"):
        draw_probes(
            *("phantom", "grouped", study.probes_folder("phantom", "grouped") / "probes.parquet"),
            *(folder / "manifest.parquet", tmp_path / "few.npy", tmp_path / "probes.png"),
        )
    assert not (tmp_path / "probes.png").exists()


def test_a_missing_artefact_is_named(study, tmp_path):
    elsewhere = replace(study, results_dir=tmp_path)
    with pytest.raises(BrainmriError, match=r"probes\.json does not exist"):
        probes_context(elsewhere, Artefacts(tmp_path))
