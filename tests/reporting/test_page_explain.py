"""Where a model looks, on the page: the panel, the checks in words, and that maps prove nothing."""

from dataclasses import replace

import pytest
from explained_study import draw, write_explained
from PIL import Image

from brainmri.artefacts import read_parquet, write_parquet
from brainmri.errors import BrainmriError
from brainmri.evaluation.explain_images import SCHEMA
from brainmri.reporting.page import page_context
from brainmri.reporting.page_explain import findings
from brainmri.reporting.report import report


@pytest.fixture(scope="module")
def explained(study):
    """Return the finished study with every training explained."""
    return write_explained(study)


def test_the_page_shows_panel_checks_and_warning_of_every_model(explained):
    report(explained, explained.folder / "explained" / "index.html")
    page = (explained.folder / "explained" / "index.html").read_text(encoding="utf-8")
    assert page.count("Where it looks") == len(explained.runs())
    assert page.count("Test images with Grad-CAM and occlusion maps of") == len(explained.runs())
    assert "prove nothing" in page
    assert "Arun" in page
    assert "similarity 0.10" in page
    assert "peaks lie in the true lesion" in page and "; by chance" in page
    assert "explain/explain.json" in page


def test_a_study_that_explains_nothing_says_nothing_of_it(page):
    assert "Where it looks" not in page


def test_a_missing_explanation_is_an_error_that_names_the_file(explained, tmp_path):
    moved = replace(explained, models={"small-cnn": explained.models["small-cnn"]})
    path = moved.runs()[0].folder / "explain" / "explain.json"
    kept = path.rename(tmp_path / "explain.json")
    try:
        with pytest.raises(BrainmriError, match=r"explain\.json does not exist"):
            page_context(moved, moved.folder / "report")
    finally:
        kept.rename(path)


def test_the_panel_is_drawn_the_same_again_and_fits_a_phone(explained, tmp_path):
    run = explained.runs()[0]
    draw(explained, run, run.folder / "explain" / "explain.parquet", tmp_path / "again.png")
    content = (tmp_path / "again.png").read_bytes()
    assert content == (run.folder / "explain" / "panel.png").read_bytes()
    with Image.open(tmp_path / "again.png") as image:
        assert image.width == 768


def test_without_grad_cam_or_without_images_there_is_still_a_panel(explained, tmp_path):
    run = explained.runs()[0]
    table = read_parquet(run.folder / "explain" / "explain.parquet")
    for name, rows in (("without", table[table["method"] != "grad_cam"]), ("none", table.head(0))):
        write_parquet(rows, tmp_path / "explain.parquet", config={}, schema=SCHEMA)
        draw(explained, run, tmp_path / "explain.parquet", tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size > 1000


def test_a_table_of_other_images_is_refused(explained, tmp_path):
    run = explained.runs()[0]
    table = read_parquet(run.folder / "explain" / "explain.parquet")
    write_parquet(table.assign(row=10**6), tmp_path / "explain.parquet", config={}, schema=SCHEMA)
    with pytest.raises(BrainmriError, match="do not belong together"):
        draw(explained, run, tmp_path / "explain.parquet", tmp_path / "panel.png")


def entry(value, low, high):
    return {"value": value, "low": low, "high": high, "n_images": 9, "n_groups": 9}


@pytest.mark.parametrize(
    ("similarity", "difference", "words"),
    [
        (entry(0.1, 0.0, 0.2), entry(0.2, 0.1, 0.3), ["maps change when", "it is better"]),
        (entry(0.9, 0.8, 0.95), entry(0.01, -0.1, 0.1), ["hardly change, so", "no clear difference"]),
        (entry(0.4, 0.1, 0.7), entry(-0.2, -0.3, -0.1), ["may hardly change", "it is worse"]),
        (entry(-0.1, None, None), entry(0.2, None, None), ["similarity −0.10", "too few groups"]),
    ],
)
def test_the_words_follow_the_intervals(similarity, difference, words):
    own = {"n_images": 9, "n_constant": 2, "similarity": similarity, "insertion": entry(0.7, 0.6, 0.8)}
    methods = {
        "grad_cam": own | {"insertion_over_random": difference},
        "random": {"insertion": entry(0.5, 0, 1)},
    }
    text = " ".join(findings("grad_cam", methods))
    assert "says nothing for 2 of 9 images" in text
    assert all(word in text for word in words)


def test_hits_are_told_as_counts_with_an_interval_beside_chance():
    methods = {"grad_cam": {"lesion_hit": entry(2 / 9, 0.03, 0.7)}, "random": {}}
    (told,) = findings("grad_cam", methods, [0.01, 0.02])
    assert told == ("Grad-CAM: 2 of 9 peaks lie in the true lesion (95 % interval 3–70 %); by chance 1.5 %.")
    unknown = {"grad_cam": {"lesion_hit": entry(0.0, None, None)}}
    assert findings("grad_cam", unknown) == ["Grad-CAM: 0 of 9 peaks lie in the true lesion."]
