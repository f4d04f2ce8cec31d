"""What the page says of single trainings: all metrics, what is referred, figures and gallery."""

import html
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brainmri.artefacts import read_json
from brainmri.errors import BrainmriError
from brainmri.reporting.draw_curves import draw_curves
from brainmri.reporting.embedding import Artefacts, vector_address
from brainmri.reporting.gallery_table import LARGEST, RIGHT, UNSURE, WRONG, gallery_rows
from brainmri.reporting.page_gallery import chosen_words
from brainmri.reporting.page_models import (
    calibration_lines,
    confusion,
    run_context,
    run_figures,
    selective_context,
    sure_answers,
)
from brainmri.reporting.words import kept_epoch

LABELS = ["glioma", "no_tumor"]
DRAWN = ("roc", "precision_recall", "reliability", "risk_coverage", "decision")


def predictions_of(count=80, wrong=20):
    """Predictions of which the first are wrong, and every other one unsure."""
    label = np.array(LABELS)[np.arange(count) % 2]
    predicted = np.where(np.arange(count) < wrong, label[::-1], label)
    confidence = np.where(np.arange(count) % 4 < 2, 0.95, 0.55) - np.arange(count) / 10_000
    table = pd.DataFrame({"image_id": [f"i{index:03d}" for index in range(count)], "label": label})
    table = table.assign(predicted=predicted, confidence=confidence, row=np.arange(count))
    return table.assign(prob_glioma=confidence, prob_no_tumor=1 - confidence)


def packed_of(count=80, size=8):
    return np.random.default_rng(0).integers(0, 255, (count, size, size), dtype=np.uint8)


def test_the_gallery_holds_sure_errors_unsure_ones_and_right_ones_of_each_class():
    rows = gallery_rows(predictions_of(), LABELS, packed_of(), 0.7, seed=0)
    wrong = rows[rows["label"] != rows["predicted"]]
    assert len(rows) == WRONG + UNSURE + RIGHT and rows["image_id"].is_unique
    assert len(wrong) == WRONG and wrong["confidence"].is_monotonic_decreasing
    right = rows[rows["label"] == rows["predicted"]]
    assert right["referred"].head(UNSURE).all()
    assert right.tail(RIGHT).groupby("label").size().to_dict() == dict.fromkeys(LABELS, RIGHT // 2)
    assert (rows["referred"] == (rows["confidence"] < 0.7)).all()


def test_without_a_threshold_nobody_knows_what_is_referred():
    rows = gallery_rows(predictions_of(), LABELS, packed_of(), None, seed=0)
    assert rows["referred"].isna().all() and len(rows) == WRONG + UNSURE + RIGHT
    assert gallery_rows(predictions_of(), LABELS, packed_of(), np.inf, seed=0)["referred"].all()


def test_pictures_of_the_gallery_are_small(tmp_path):
    rows = gallery_rows(predictions_of(6, 2), LABELS, packed_of(6, 300), 0.7, seed=0)
    (tmp_path / "picture.webp").write_bytes(rows["picture"].iloc[0])
    with Image.open(tmp_path / "picture.webp") as image:
        assert image.size == (LARGEST, LARGEST)


def test_all_metrics_of_a_training_stand_on_the_page(study, page):
    context = run_context(study, study.runs()[0], Artefacts(study.folder / "report"))
    test = read_json(study.runs()[0].folder / "metrics.json")["test"]
    words = html.unescape(re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", page)))
    for title in ("Cohen's kappa", "macro AUROC", "macro average precision", "log loss", "(ECE)", "(AURC)"):
        assert title in words, title
    assert len(context["headlines"]) == 11
    assert all(measure["range"] for measure in context["headlines"])
    assert [row["name"] for row in context["per_class"]["rows"]] == [
        "glioma",
        "meningioma",
        "pituitary",
        "no tumor",
    ]
    assert {"AUROC", "average precision", "NPV"} <= set(context["per_class"]["columns"])
    referred = sum(row["referred"] for row in context["selective"]["rows"])
    assert referred == test["n_images"] - round(test["referral"]["coverage"] * test["n_images"])


def test_where_every_case_is_referred_the_page_says_any():
    lines = dict(selective_context({"confidence": None, "wished_error": 0.0}, "0 of 0")["lines"])
    assert lines["a case is referred under a confidence of"] == "any"


def test_how_often_sure_answers_are_wrong_stands_beside_how_many_errors_are_sure():
    sure = sure_answers(predictions_of().assign(split="test"))
    assert sure == "10 of 40"
    lines = dict(selective_context({"sure_errors": {"value": 0.5, "low": 0.3, "high": 0.7}}, sure)["lines"])
    assert lines["of its errors, made with a confidence over 90 %"] == "50.0 % (30.0–70.0)"
    assert lines["wrong among the answers with a confidence over 90 %"] == "10 of 40"


def test_the_confusion_matrix_is_a_table_and_tells_missed_tumours():
    matrix = {"labels": ["glioma", "no_tumor", "pituitary"], "counts": [[8, 2, 0], [1, 4, 2], [0, 1, 5]]}
    found = confusion({"confusion_matrix": matrix})
    assert found["classes"] == ["glioma", "no tumor", "pituitary"]
    assert [row["images"] for row in found["rows"]] == [10, 7, 6]
    assert found["lines"] == [
        ("tumour images named no tumor", "3 of 16"),
        ("images of no tumor named a tumour", "3 of 7"),
    ]
    tumours = {"labels": ["glioma", "pituitary"], "counts": [[1, 0], [0, 1]]}
    assert confusion({"confusion_matrix": tumours})["lines"] == []


def test_each_training_of_the_page_has_its_confusion_matrix_as_a_table(study, page):
    for run in study.runs():
        row = read_json(run.folder / "metrics.json")["test"]["confusion_matrix"]["counts"][0]
        cells = "".join(f'<td class="number">{count}</td>' for count in [*row, sum(row)])
        assert f'<th scope="row">glioma</th>{cells}' in page


def test_a_temperature_that_made_it_worse_is_told():
    before = {"temperature": 1.4, "ece_before": 0.03, "brier_before": 0.20, "log_loss_before": 0.40}
    lines = dict(calibration_lines(before | {"ece_after": 0.05, "brier_after": 0.21, "log_loss_after": 0.38}))
    assert lines["Brier score"].endswith("0.210 (on these test images the temperature made it worse)")
    assert lines["log loss"] == "0.400 → 0.380" and lines["expected calibration error"] == "0.030 → 0.050"


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        (
            [(False, False), (True, True)],
            "the wrong answers of which the model was surest, right ones that it w",
        ),
        (
            [(True, True)],
            "no test image is named wrong; right ones that it would refer and right ones at random",
        ),
        ([(True, False)], "no test image is named wrong; right ones at random"),
    ],
)
def test_a_gallery_tells_only_of_what_it_shows(answers, told):
    shots = [{"right": right, "referred": referred} for right, referred in answers]
    assert chosen_words(shots).startswith(told)


def test_the_last_epoch_is_not_called_the_best(study, page):
    assert kept_epoch({"metadata": {"best_by": "last"}}) == "the last"
    assert kept_epoch({"metadata": {"best_by": "val_loss"}}) == "the best by val_loss"
    assert "The weights of epoch 6 of 6 are the ones tested." in page and "best epoch" not in page


def test_further_seeds_are_linked_not_embedded(study):
    second = study.runs()[0]
    artefacts = Artefacts(study.folder / "report")
    figures = run_figures(second, artefacts, embedded=False)
    assert figures["drawn"] == [] and len(figures["links"]) == 8


def test_a_vector_figure_keeps_its_drawing_in_half_of_the_bytes(study):
    text = (study.runs()[0].figures / "roc.svg").read_text()
    address = vector_address(text)
    assert len(address) < 0.9 * len(text)
    assert not set('<>"& \n') & set(address.replace(" ", ""))
    assert address.count("%3Cpath") == text.count("<path")
    assert "scale(0.015625)" in address


def test_curves_are_drawn_the_same_for_the_same_table_and_with_their_metrics_alone(study, tmp_path):
    run = study.runs()[0]
    names = (run.dataset, run.split, run.model, run.seed)
    draw_curves(
        *names,
        run.folder / "curves.parquet",
        run.folder / "metrics.json",
        *[tmp_path / f"{name}.svg" for name in DRAWN],
    )
    for name in DRAWN:
        assert (tmp_path / f"{name}.svg").read_bytes() == (run.figures / f"{name}.svg").read_bytes()
    with pytest.raises(BrainmriError, match="lacks what is drawn"):
        draw_curves(
            *names,
            run.folder / "curves.parquet",
            study.split_folder(run.dataset, run.split) / "split.json",
            *[tmp_path / f"{name}.svg" for name in DRAWN],
        )
