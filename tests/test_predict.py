"""`brainmri predict`: images in, a table out; one line for each file that is no image."""

import os
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from helpers import save

from brainmri import predict as command
from brainmri.artefacts import write_json
from brainmri.cli import main
from brainmri.digests import file_digest
from brainmri.images.box import CropSettings
from brainmri.images.prepare import prepare_image
from brainmri.models.build import build_model
from brainmri.models.saved import load_model, predict_logits
from brainmri.models.settings import CnnSettings, Design, HeadSettings

NAMES = ["glioma", "meningioma", "no_tumor"]
CROP = {"method": "contour", "threshold": 45, "margin": 0, "minimum_area": 0.1}


@pytest.fixture
def model(tmp_path):
    """Save a tiny untrained model in a folder of its own; return the folder."""
    torch.manual_seed(0)
    design = Design("cnn", 16, cnn=CnnSettings(channels=[4]), head=HeadSettings(hidden=[]))
    network = build_model(design, len(NAMES))
    network.mean, network.std = 0.5, 0.1
    return save(network, tmp_path / "trained", design, NAMES, CROP)


@pytest.fixture
def scans(tmp_path):
    """Write four images with a black border, in a folder and a folder in it; return the folder."""
    generator = np.random.default_rng(0)
    folder = tmp_path / "scans"
    (folder / "inner").mkdir(parents=True)
    for name in ("b.png", "a.jpg", "inner/c.png", "inner/d.jpg"):
        image = np.zeros((60, 80), dtype=np.uint8)
        image[10:50, 15:65] = generator.integers(60, 256, size=(40, 50), dtype=np.uint8)
        cv2.imwrite(str(folder / name), image)
    return folder


def calibrate(model, **changes):
    fitted = {
        "temperature": 2.0,
        "referral_confidence": 0.5,
        "weights_sha256": file_digest(model / "model.safetensors"),
    }
    write_json({**fitted, **changes}, model / "calibration.json")


def predicted(tmp_path, scans, model):
    output = tmp_path / "out.csv"
    status = main(["predict", str(scans), "--model", str(model), "--output", str(output), "--device", "cpu"])
    return status, pd.read_csv(output)


def test_folders_are_walked_in_order_without_hidden_entries(tmp_path, scans, model):
    (scans / ".DS_Store").write_text("hidden")
    (scans / ".cache").mkdir()
    (scans / ".cache" / "x.png").write_text("hidden")
    status, table = predicted(tmp_path, scans, model)
    assert status == 0
    names = [os.path.relpath(name, scans) for name in table["image"]]
    assert names == ["a.jpg", "b.png", "inner/c.png", "inner/d.jpg"]


def test_probabilities_are_those_of_the_cropped_image_and_the_temperature(tmp_path, scans, model):
    calibrate(model)
    _, table = predicted(tmp_path, scans, model)
    gray = cv2.imread(str(scans / "b.png"), cv2.IMREAD_GRAYSCALE)
    image, box, _ = prepare_image(gray, 16, CropSettings(**CROP))
    assert box.area < gray.size
    logits = predict_logits(load_model(model)[0], image[None], "cpu")[0] / 2.0
    expected = np.exp(logits) / np.exp(logits).sum()
    row = table.set_index("image").loc[str(scans / "b.png")]
    np.testing.assert_allclose([row[f"prob_{name}"] for name in NAMES], expected, rtol=1e-4)
    assert row["confidence"] == pytest.approx(expected.max(), rel=1e-4)
    assert row["predicted"] == NAMES[expected.argmax()]


def test_batches_do_not_change_what_is_said_of_a_file(tmp_path, scans, model, monkeypatch):
    _, whole = predicted(tmp_path, scans, model)
    (scans / "aa.png").write_text("no image")
    monkeypatch.setattr(command, "BATCH", 2)
    status, parted = predicted(tmp_path, scans, model)
    assert status == 1
    pd.testing.assert_frame_equal(parted, whole, rtol=1e-5)


@pytest.mark.parametrize("form", ["", "model.safetensors", "model", "model.json"])
def test_the_model_is_found_by_file_folder_or_stem(tmp_path, scans, model, form):
    status, table = predicted(tmp_path, scans, model / form)
    assert status == 0 and len(table) == 4


def test_files_that_are_no_image_cost_a_line_each_and_the_exit_status(tmp_path, scans, model, capsys):
    (scans / "notes.txt").write_text("not an image")
    whole = (scans / "a.jpg").read_bytes()
    (scans / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (scans / "empty.png").touch()
    (tmp_path / "nothing").mkdir()
    arguments = [str(scans), str(tmp_path / "nothing"), str(tmp_path / "missing.png")]
    status = main(["predict", *arguments, "--model", str(model), "--device", "cpu"])
    printed = capsys.readouterr()
    assert status == 1
    errors = [line for line in printed.err.splitlines() if line.startswith("brainmri predict:")]
    for name in ("notes.txt", "cut.jpg", "empty.png", "nothing", "missing.png"):
        assert sum(f"{name}" in line for line in errors) == 1, name
    assert len(errors) == 5
    for name in ("a.jpg", "b.png", "c.png", "d.jpg"):
        assert name in printed.out
    assert "notes.txt" not in printed.out and "Traceback" not in printed.err


def test_a_jpeg_damaged_in_the_middle_is_not_classified(scans, model, capsys):
    content = bytearray((scans / "a.jpg").read_bytes())
    middle = len(content) * 3 // 4
    del content[middle : len(content) - 2]  # the end mark stays
    (scans / "damaged.jpg").write_bytes(content)
    status = main(["predict", str(scans), "--model", str(model), "--device", "cpu"])
    printed = capsys.readouterr()
    assert status == 1
    assert "damaged.jpg" in printed.err and "damaged.jpg" not in printed.out


def test_nothing_to_classify_writes_no_file(tmp_path, model, capsys):
    output = tmp_path / "out.csv"
    status = main(["predict", str(tmp_path / "none"), "--model", str(model), "--output", str(output)])
    assert status == 1 and not output.exists()
    assert "no such file" in capsys.readouterr().err


def test_parquet_and_csv_hold_the_same(tmp_path, scans, model):
    calibrate(model)
    _, table = predicted(tmp_path, scans, model)
    output = tmp_path / "out.parquet"
    assert main(["predict", str(scans), "--model", str(model), "--output", str(output)]) == 0
    other = pd.read_parquet(output)
    assert list(other.columns) == ["image", "predicted", "confidence", "refer", *(f"prob_{n}" for n in NAMES)]
    assert other["image"].tolist() == table["image"].tolist()
    assert other["refer"].tolist() == table["refer"].tolist()
    np.testing.assert_allclose(other["confidence"], table["confidence"])


@pytest.mark.parametrize("name", ["out.xlsx", "out", "folder.csv"])
def test_an_output_that_cannot_be_is_refused_before_any_work(tmp_path, capsys, name):
    (tmp_path / "folder.csv").mkdir()
    # The model does not even exist: whoever complains about it has begun to work.
    status = main(["predict", "x.png", "--model", "no/model", "--output", str(tmp_path / name)])
    error = capsys.readouterr().err
    assert status == 1
    assert name in error and "no/model" not in error


def test_cases_under_the_threshold_are_marked(tmp_path, scans, model, capsys):
    calibrate(model, referral_confidence=0.999)
    assert main(["predict", str(scans), "--model", str(model), "--device", "cpu"]) == 0
    printed = capsys.readouterr()
    assert printed.out.count("uncertain: refer") == 4
    assert "temperature 2" in printed.err
    calibrate(model, referral_confidence=0.01)
    assert not predicted(tmp_path, scans, model)[1]["refer"].any()
    calibrate(model, referral_confidence=None)
    assert predicted(tmp_path, scans, model)[1]["refer"].all()


def test_without_calibration_it_says_so_and_leaves_referral_open(tmp_path, scans, model, capsys):
    _, table = predicted(tmp_path, scans, model)
    assert table["refer"].isna().all()
    assert "not calibrated" in capsys.readouterr().err


def test_the_calibration_of_another_model_is_not_used(tmp_path, scans, model, capsys):
    calibrate(model, weights_sha256="f" * 64)
    _, table = predicted(tmp_path, scans, model)
    assert table["refer"].isna().all()
    assert "belongs to another model" in capsys.readouterr().err


@pytest.mark.parametrize(
    "changes",
    [
        {"temperature": 0},
        {"temperature": 1e-320},
        {"temperature": "1"},
        {"temperature": 1e9},
        {"referral_confidence": "high"},
        {"referral_confidence": -5},
        {"referral_confidence": 1.5},
    ],
)
def test_a_calibration_that_makes_no_sense_is_refused(scans, model, capsys, changes):
    calibrate(model, **changes)
    assert main(["predict", str(scans), "--model", str(model)]) == 1
    assert "calibration.json" in capsys.readouterr().err


def test_a_missing_model_is_one_line(scans, tmp_path, capsys):
    assert main(["predict", str(scans), "--model", str(tmp_path / "none")]) == 1
    error = capsys.readouterr().err
    assert "does not exist" in error and "Traceback" not in error


def test_a_file_given_twice_is_classified_once(tmp_path, scans, model):
    output = tmp_path / "out.csv"
    arguments = [str(scans / "a.jpg"), str(scans), str(scans / "a.jpg")]
    assert main(["predict", *arguments, "--model", str(model), "--output", str(output)]) == 0
    assert len(pd.read_csv(output)) == 4


@pytest.mark.skipif(sys.platform == "win32", reason="names of bytes are a thing of POSIX")
def test_a_spreadsheet_takes_no_name_of_a_file_for_a_formula(tmp_path, scans, model, monkeypatch):
    (scans / "a.jpg").rename(tmp_path / "=1+1.jpg")
    monkeypatch.chdir(tmp_path)
    _, table = predicted(tmp_path, "=1+1.jpg", model)
    assert table["image"].tolist() == ["./=1+1.jpg"]


def test_strange_names_and_pipes_do_no_harm(scans, model, capsys):
    content = (scans / "a.jpg").read_bytes()
    (scans / "two\nlines\x1b[31m.jpg").write_bytes(content)
    try:
        Path(os.fsdecode(os.fsencode(scans) + b"/latin-\xe9.jpg")).write_bytes(content)
    except OSError:
        pytest.skip("this file system wants names of UTF-8")
    os.mkfifo(scans / "pipe.png")
    assert main(["predict", str(scans), "--model", str(model), "--device", "cpu"]) == 1
    printed = capsys.readouterr()
    assert "\x1b" not in printed.out
    assert len(printed.out.splitlines()) == 1 + 6
    assert "pipe.png: is no plain file" in printed.err
