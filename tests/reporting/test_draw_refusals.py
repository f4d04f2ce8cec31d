"""Figures asked of tables that are not what they draw: a sentence, and no figure."""

import pandas as pd
import pytest

from brainmri.artefacts import read_json, read_parquet, write_json, write_parquet
from brainmri.errors import BrainmriError
from brainmri.reporting.draw_comparison import draw_comparison
from brainmri.reporting.draw_curves import draw_curves
from brainmri.reporting.draw_external import draw_external
from brainmri.reporting.draw_model import draw_model
from brainmri.reporting.draw_pairs import draw_pairs
from brainmri.reporting.draw_probes import draw_probes
from brainmri.reporting.draw_split import draw_split

FIGURES = ("roc", "precision_recall", "reliability", "risk_coverage", "decision")


def drawn(name: str, study, table, folder) -> None:
    """Draw a figure of a table."""
    run = study.runs()[0]
    split = study.split_folder("phantom", run.split)
    images = study.data_folder("phantom") / "images_64.npy"
    match name:
        case "comparison":
            draw_comparison(table, folder / "figure.svg")
        case "pairs":
            draw_pairs(table, folder / "figure.svg", "phantom", run.split)
        case "external":
            draw_external(table, run.model, folder / "figure.svg")
        case "probes":
            draw_probes(
                "phantom", run.split, table, split / "manifest.parquet", images, folder / "figure.png"
            )
        case "curves":
            outputs = {figure: folder / f"{figure}.svg" for figure in FIGURES}
            draw_curves("phantom", run.split, run.model, 0, table, run.folder / "metrics.json", **outputs)


@pytest.mark.parametrize("name", ["comparison", "pairs", "external", "probes", "curves"])
@pytest.mark.parametrize("other", ["boxes", "nothing"])
def test_a_table_of_something_else_is_refused(study, tmp_path, name, other):
    table = study.data_folder("phantom") / "crops_64.parquet"
    if other == "nothing":
        table = tmp_path / "nothing.parquet"
        write_parquet(pd.DataFrame(), table, config={})
    with pytest.raises(BrainmriError, match="lacks the column"):
        drawn(name, study, table, tmp_path)


def model_arguments(study, folder) -> dict:
    run = study.runs()[0]
    return {
        "dataset": "phantom",
        "split": run.split,
        "model": run.model,
        "seed": 0,
        **{name: run.folder / f"{name}.parquet" for name in ("history", "predictions")},
        "metrics": run.folder / "metrics.json",
        "images": study.data_folder("phantom") / "images_64.npy",
        "manifest": study.split_folder("phantom", run.split) / "manifest.parquet",
        **{name: folder / f"{name}.svg" for name in ("curves", "confusion_matrix")},
        "gallery": folder / "gallery.png",
    }


@pytest.mark.parametrize("counts", [[[1, 2], [3]], [["x", 1], [1, 1]], [[1]], "none", [[[1]]]])
def test_what_is_no_confusion_matrix_is_refused(study, tmp_path, counts):
    arguments = model_arguments(study, tmp_path)
    document = read_json(arguments["metrics"])
    document["test"]["confusion_matrix"]["counts"] = counts
    write_json(document, tmp_path / "metrics.json")
    with pytest.raises(BrainmriError, match="no confusion matrix of the test part"):
        draw_model(**arguments | {"metrics": tmp_path / "metrics.json"})


@pytest.mark.parametrize("kept", [0, 5])
def test_a_manifest_that_lacks_tested_images_is_refused(study, tmp_path, kept):
    arguments = model_arguments(study, tmp_path)
    rows = read_parquet(arguments["manifest"]).astype({"row": "Int64"}).head(kept)
    write_parquet(rows, tmp_path / "manifest.parquet", config={})
    with pytest.raises(BrainmriError, match="do not belong together"):
        draw_model(**arguments | {"manifest": tmp_path / "manifest.parquet"})


def test_a_figure_of_an_unknown_kind_is_refused(study, tmp_path):
    manifest = study.split_folder("phantom", study.runs()[0].split) / "manifest.parquet"
    with pytest.raises(BrainmriError, match=r"must end in \.png or \.svg"):
        draw_split("phantom", "grouped", manifest, tmp_path / "figure.pdf")
    assert not list(tmp_path.iterdir())
