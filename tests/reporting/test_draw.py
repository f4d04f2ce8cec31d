"""The figures' stages: what they draw, and what they say of files that do not belong together."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest
from helpers import texts
from PIL import Image

from brainmri.artefacts import read_parquet, write_parquet
from brainmri.errors import BrainmriError
from brainmri.reporting.draw_comparison import draw_comparison, split_marks
from brainmri.reporting.draw_dataset import chosen_of_each_class, draw_dataset
from brainmri.reporting.draw_model import confusion_matrix_figure, curves_figure
from brainmri.reporting.draw_split import class_counts_figure
from brainmri.reporting.style import figure_style

SIZE = 64


def arguments(study, folder) -> dict:
    data = study.data_folder("phantom")
    return {
        "dataset": "phantom",
        "raw": data / "raw",
        "inventory": data / "inventory.parquet",
        "images": data / f"images_{SIZE}.npy",
        "crops": data / f"crops_{SIZE}.parquet",
        "samples": folder / "samples.png",
        "before_after": folder / "crops.png",
    }


def test_figures_of_a_data_set_are_the_same_for_the_same_seed(study, tmp_path):
    draw_dataset(**arguments(study, tmp_path))
    drawn = study.dataset_figures("phantom")
    assert (tmp_path / "samples.png").read_bytes() == (drawn / "samples.png").read_bytes()
    assert (tmp_path / "crops.png").read_bytes() == (drawn / "crops.png").read_bytes()
    draw_dataset(**arguments(study, tmp_path), seed=1)
    assert (tmp_path / "samples.png").read_bytes() != (drawn / "samples.png").read_bytes()


def test_a_packed_array_of_another_inventory_is_refused(study, tmp_path):
    np.save(tmp_path / "few.npy", np.zeros((3, SIZE, SIZE), np.uint8))
    with pytest.raises(BrainmriError, match="do not belong together"):
        draw_dataset(**arguments(study, tmp_path) | {"images": tmp_path / "few.npy"})
    assert not (tmp_path / "samples.png").exists()


def test_a_missing_original_is_named(study, tmp_path):
    shutil.copytree(study.data_folder("phantom") / "raw" / "Testing", tmp_path / "raw" / "Testing")
    with pytest.raises(BrainmriError, match=r"Training.*cannot be read.*fetch"):
        draw_dataset(**arguments(study, tmp_path) | {"raw": tmp_path / "raw"})


def test_a_damaged_original_is_named(study, tmp_path):
    shutil.copytree(study.data_folder("phantom") / "raw", tmp_path / "raw")
    for path in (tmp_path / "raw").rglob("*.png"):
        path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(BrainmriError, match=r"raw/T.*\.png cannot be used"):
        draw_dataset(**arguments(study, tmp_path) | {"raw": tmp_path / "raw"})


def test_every_class_is_sampled_without_repetition_and_unlabelled_images_too():
    table = pd.DataFrame({"label": ["no_tumor"] * 3 + ["glioma"] * 9 + [None]}, dtype=object)
    chosen = chosen_of_each_class(table, 6, np.random.default_rng(0))
    assert {name: len(rows) for name, rows in chosen.items()} == {"glioma": 6, "no_tumor": 3, None: 1}
    assert list(chosen) == ["glioma", "no_tumor", None]
    assert chosen["glioma"].index.is_unique


def test_class_counts_are_written_beside_their_bars():
    manifest = pd.DataFrame(
        {"label": ["glioma"] * 3 + ["no_tumor"], "label_index": [0, 0, 0, 3], "split": ["train"] * 4}
    )
    with figure_style():
        words = texts(class_counts_figure("set", "mine", manifest))
    assert " 3 (75.0 %)" in words
    assert " 1 (25.0 %)" in words
    assert "training: 4 images" in words


HISTORY = pd.DataFrame(
    {"epoch": [1, 2, 3], "val_loss": [0.5, 0.4, np.nan]}
    | {
        name: [0.5, 0.4, 0.3]
        for name in ["train_loss", "train_accuracy", "val_accuracy", "val_macro_f1", "learning_rate"]
    }
)


def test_curves_tell_the_linear_probe_apart():
    probe = HISTORY.assign(epoch=HISTORY["epoch"] - 2)
    with figure_style():
        assert "linear probe (head alone)" in texts(curves_figure("net", probe, best_epoch=1))
        assert "linear probe (head alone)" not in texts(curves_figure("net", HISTORY, best_epoch=1))


def test_curves_mark_the_epoch_that_was_kept_and_claim_no_other():
    with figure_style():
        assert "epoch kept: 3" in texts(curves_figure("net", HISTORY, best_epoch=3))
        words = texts(curves_figure("net", HISTORY))
    assert "least validation loss: 2" in words
    assert not any("epoch kept" in word for word in words)


def test_labels_of_a_logarithmic_axis_can_be_read_though_no_text_is_a_formula():
    with figure_style():
        figure = curves_figure("net", HISTORY.assign(learning_rate=[0.1, 0.01, 0.001]))
        figure.draw_without_rendering()
        words = texts(figure)
    assert any(word.startswith("1e") for word in words)
    assert not any("$" in word for word in words)


def test_an_empty_history_is_refused():
    with figure_style(), pytest.raises(BrainmriError, match="history of net is empty"):
        curves_figure("net", HISTORY[:0])


def test_an_empty_class_has_a_row_of_zeros():
    with figure_style():
        words = texts(confusion_matrix_figure("net", ["a", "b"], np.array([[3, 1], [0, 0]])))
    assert {"3\n75.0 %", "1\n25.0 %", "a\nn = 4", "b\nn = 0"} <= set(words)
    assert words.count("0\n0.0 %") == 2


def test_two_splits_of_one_protocol_can_be_told_apart():
    table = pd.DataFrame({"split": ["fold1", "fold2"], "protocol": ["grouped", "grouped"]})
    marks = split_marks(table)
    assert marks["fold1"][0] == "fold1 (grouped)"
    assert marks["fold1"][1:] != marks["fold2"][1:]


def test_a_comparison_without_test_parts_is_refused(study, tmp_path):
    table = read_parquet(study.folder / "comparison.parquet")
    write_parquet(table[table["part"] == "val"], tmp_path / "val.parquet", config={})
    with pytest.raises(BrainmriError, match="holds no test part"):
        draw_comparison(tmp_path / "val.parquet", tmp_path / "comparison.svg")


def test_a_comparison_without_intervals_is_drawn(study, tmp_path):
    table = read_parquet(study.folder / "comparison.parquet")
    table[["accuracy_low", "accuracy_high", "macro_f1"]] = np.nan
    write_parquet(table, tmp_path / "bare.parquet", config={})
    draw_comparison(tmp_path / "bare.parquet", tmp_path / "comparison.svg")
    assert (tmp_path / "comparison.svg").read_bytes().endswith(b"</svg>\n")


def test_figures_carry_no_date_and_fit_a_phone(study):
    figures = [path for path in sorted((study.folder / "figures").rglob("*.*")) if path.suffix != ".parquet"]
    assert len(figures) == 3 + 6 + 2 + 2 + 2 + 4 * 8 + 1
    for path in figures:
        if path.suffix == ".svg":
            text = path.read_text()
            assert "<dc:date>" not in text
            assert float(re.search(r'width="([\d.]+)pt"', text).group(1)) <= 4.8 * 72 + 0.1
        else:
            with Image.open(path) as image:
                assert image.width == 768
