"""`brainmri export`: files that other programs run, and none that does not agree with the model."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import torch
from helpers import save

import brainmri.export
from brainmri.artefacts import write_json
from brainmri.cli import main
from brainmri.digests import file_digest
from brainmri.errors import BrainmriError
from brainmri.evaluation.predict_split import predict_split
from brainmri.evaluation.probabilities import softmax
from brainmri.export import FORMATS, compared_with_predictions, export
from brainmri.export_evidence import Evidence
from brainmri.models.build import build_model
from brainmri.models.exported import traced, write_onnx
from brainmri.models.saved import load_model, predict_logits
from brainmri.models.settings import CnnSettings, Design, HeadSettings

NAMES = ["glioma", "méningiome", "no_tumor"]
CROP = {"method": "contour", "threshold": 45, "margin": 2, "minimum_area": 0.1, "centre": 0.875}
SIZE = 16
TEMPERATURE = 1.75
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "classify_onnx.py"


def saved(folder, design, manifest_digest="0" * 64):
    """Save an untrained model whose batch norm has seen something, in a folder of its own."""
    torch.manual_seed(0)
    network = build_model(design, len(NAMES))
    network.mean, network.std = network.mean or 0.4, network.std or 0.15
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    return save(network, folder, design, NAMES, CROP, manifest_digest)


def calibrate(model, referral=0.5):
    document = {"temperature": TEMPERATURE, "referral_confidence": referral}
    digest = file_digest(model / "model.safetensors")
    write_json({**document, "weights_sha256": digest}, model / "calibration.json")


def small_cnn():
    return Design(
        "cnn",
        SIZE,
        cnn=CnnSettings(channels=[4, 6], batch_norm=True, dropout=0.25),
        head=HeadSettings(hidden=[8], dropout=0.5),
    )


@pytest.fixture
def model(tmp_path):
    return saved(tmp_path / "trained", small_cnn())


@pytest.fixture
def images():
    return np.random.default_rng(1).integers(0, 256, (9, SIZE, SIZE), np.uint8)


@pytest.fixture
def scans(tmp_path):
    """Write three images with a black border; return their folder."""
    folder = tmp_path / "scans"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(3):
        image = np.zeros((60, 80), np.uint8)
        image[12:50, 15:65] = cv2.resize(generator.integers(80, 256, (5, 7), np.uint8), (50, 38))
        cv2.imwrite(str(folder / f"{number}.png"), image)
    return folder


@pytest.fixture
def split(tmp_path):
    """Write packed images and a manifest, a model trained on it and its predictions; return the paths."""
    count = 30
    manifest = tmp_path / "manifest.parquet"
    rows = np.random.default_rng(2).permutation(count)
    table = {
        "image_id": [f"{row:02}.png" for row in rows],
        "row": rows,
        "label": np.array(NAMES)[rows % 3],
        "split": np.repeat(["train", "val", "test"], 10),
        "group_id": [f"{row:02}" for row in rows],
    }
    pd.DataFrame(table).to_parquet(manifest)
    packed = tmp_path / "images_16.npy"
    np.save(packed, np.random.default_rng(3).integers(0, 256, (count, SIZE, SIZE), np.uint8))
    model = saved(tmp_path / "trained", small_cnn(), file_digest(manifest))
    predict_split(
        manifest,
        packed,
        model / "model.safetensors",
        model / "model.json",
        model / "predictions.parquet",
        model / "calibration.json",
        device="cpu",
    )
    return {
        "model": model,
        "predictions": model / "predictions.parquet",
        "packed": packed,
        "manifest": manifest,
    }


def onnx_outputs(path, images):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["logits", "probabilities"], {"images": images})


def program_outputs(path, images):
    with torch.no_grad():
        return [output.numpy() for output in torch.export.load(path).module()(torch.from_numpy(images))]


@pytest.mark.parametrize("calibrated", [True, False])
def test_both_files_give_the_models_logits_and_calibrated_probabilities(tmp_path, model, images, calibrated):
    if calibrated:
        calibrate(model)
    export(model, onnx=tmp_path / "m.onnx", exported_program=tmp_path / "m.pt2")
    wanted = predict_logits(load_model(model)[0], images, "cpu")
    for outputs, file in ((onnx_outputs, "m.onnx"), (program_outputs, "m.pt2")):
        for batch in (images, images[:1]):
            logits, probabilities = outputs(tmp_path / file, batch)
            np.testing.assert_allclose(logits, wanted[: len(batch)], atol=1e-5)
            scaled = wanted[: len(batch)] / (TEMPERATURE if calibrated else 1)
            np.testing.assert_allclose(probabilities, softmax(scaled), atol=1e-5)


def test_both_files_tell_what_a_user_must_know(tmp_path, model):
    calibrate(model)
    export(model, onnx=tmp_path / "m.onnx", exported_program=tmp_path / "m.pt2")
    document = onnx.load(tmp_path / "m.onnx")
    told = {entry.key: entry.value for entry in document.metadata_props}
    archive = {"brainmri.json": ""}
    torch.export.load(tmp_path / "m.pt2", extra_files=archive)
    about = json.loads(archive["brainmri.json"])
    assert {
        key: text if key in about and about[key] == text else json.loads(text) for key, text in told.items()
    } == about
    assert about["classes"] == NAMES
    assert (about["image_size"], about["crop"]) == (SIZE, CROP)
    assert (about["calibrated"], about["temperature"], about["refer_below"]) == (True, TEMPERATURE, 0.5)
    assert about["manifest_sha256"] == "0" * 64
    assert about["weights_sha256"] == file_digest(model / "model.safetensors")
    assert "no medical device" in about["note"]
    assert document.opset_import[0].version == 18
    shape = document.graph.input[0].type.tensor_type.shape.dim
    assert [dimension.dim_param or dimension.dim_value for dimension in shape] == ["batch", SIZE, SIZE]


@pytest.mark.parametrize(("referral", "everything"), [(None, True), (0.8, False)])
def test_whether_every_case_is_referred_is_told(tmp_path, model, referral, everything):
    calibrate(model, referral)
    export(model, onnx=tmp_path / "m.onnx")
    about = onnxruntime.InferenceSession(tmp_path / "m.onnx").get_modelmeta().custom_metadata_map
    assert json.loads(about["refer_all"]) is everything
    assert json.loads(about["refer_below"]) == referral


def test_no_path_of_the_machine_gets_into_a_file(tmp_path, model):
    export(model, onnx=tmp_path / "m.onnx", exported_program=tmp_path / "m.pt2")
    root = str(Path(brainmri.export.__file__).parents[2]).encode()
    for file in ("m.onnx", "m.pt2"):
        content = (tmp_path / file).read_bytes()
        assert root not in content
        assert str(tmp_path).encode() not in content


def test_real_predictions_are_compared_and_the_summary_counts_them(tmp_path, split, capsys):
    export(**split, onnx=tmp_path / "m.onnx", exported_program=tmp_path / "m.pt2")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert "no class differs but in 0 ties" in lines[0]
    words = f"20 validation and test images of {split['predictions']}, logits differ by at most "
    assert all(words in line for line in lines[1:])


@pytest.mark.parametrize("beside", ["all", "no images"])
def test_what_a_run_of_the_workflow_left_is_compared_unasked(tmp_path, split, capsys, beside, monkeypatch):
    folder = tmp_path / "results" / "study" / "set" / "grouped" / "cnn" / "seed0"
    shutil.copytree(split["model"], folder)
    shutil.copy(split["manifest"], folder.parents[1] / "manifest.parquet")
    packed = tmp_path / "data" / "set" / "images_16.npy"
    if beside == "all":
        packed.parent.mkdir(parents=True)
        shutil.copy(split["packed"], packed)
    monkeypatch.chdir(folder)
    export(Path(), onnx=tmp_path / "m.onnx")
    told = capsys.readouterr().out
    wanted = "on 20 validation and test images of predictions.parquet"
    assert (wanted if beside == "all" else f"on 32 drawn images (there is no {packed})") in told


def test_predictions_of_another_model_are_refused(tmp_path, split):
    table = pd.read_parquet(split["predictions"])
    table.loc[7, "logit_glioma"] += 0.01 * (1 + table.filter(like="logit").abs().max(axis=None))
    table.to_parquet(split["predictions"])
    with pytest.raises(BrainmriError, match="does not give the logits of the predictions"):
        export(**split, onnx=tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_a_class_other_than_the_predictions_say_is_refused_unless_it_was_a_tie():
    tie, apart = np.array([[1, 1 - 1e-4]]), np.array([[1, 1 - 1e-3]])
    told = compared_with_predictions(tie[:, ::-1], Evidence(tie, np.arange(1), "an image", tie))
    assert "no class differs but in 1 ties" in told
    with pytest.raises(BrainmriError, match="the class of 1 of 1 images"):
        compared_with_predictions(apart[:, ::-1], Evidence(apart, np.arange(1), "an image", apart))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"manifest": None}, "belong together"),
        ({"images": [Path("x.png")]}, "belong together"),
        ({"manifest": "other"}, "another manifest"),
        ({"manifest": "none"}, "does not exist"),
        ({"packed": "larger"}, "17 pixels"),
        ({"packed": "fewer"}, "packed images do not belong together"),
        ({"predictions": "none"}, "does not exist"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(tmp_path, split, change, words):
    pd.read_parquet(split["manifest"])[::-1].to_parquet(tmp_path / "other")
    for name, shape in (("larger", (30, 17, 17)), ("fewer", (20, SIZE, SIZE))):
        with (tmp_path / name).open("wb") as file:
            np.save(file, np.zeros(shape, np.uint8))
    change = {key: tmp_path / value if isinstance(value, str) else value for key, value in change.items()}
    with pytest.raises(BrainmriError, match=words):
        export(**{**split, **change}, onnx=tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


@pytest.mark.parametrize("option", ["onnx", "exported_program"])
@pytest.mark.parametrize("fault", ["weights", "temperature", "infinite"])
def test_a_file_that_does_not_agree_is_never_written(tmp_path, model, monkeypatch, option, fault):
    calibrate(model)
    extension, write, runner, words = FORMATS[option]

    def corrupted(program, path, description):
        network, _ = load_model(model)
        with torch.no_grad():
            if fault != "temperature":
                network.head[-1].bias[1] += 0.01 if fault == "weights" else torch.inf
        write(traced(network, SIZE, 1 if fault == "temperature" else TEMPERATURE), path, description)

    monkeypatch.setitem(FORMATS, option, (extension, corrupted, runner, words))
    targets = {"onnx": tmp_path / "out" / "m.onnx", "exported_program": tmp_path / "out" / "m.pt2"}
    expected = {"weights": "logits differ", "temperature": "do not follow", "infinite": "no finite numbers"}
    with pytest.raises(BrainmriError, match=rf"{words}.*{expected[fault]}"):
        export(model, **targets)
    # Neither the one at fault, nor the other, nor a temporary file.
    assert list((tmp_path / "out").iterdir()) == []


def test_a_model_whose_training_diverged_is_named_as_such(tmp_path, model, monkeypatch):
    monkeypatch.setattr(brainmri.export, "predict_logits", lambda *_: np.full((1, 3), np.nan))
    with pytest.raises(BrainmriError, match=r"^The model gives logits that are no finite numbers"):
        export(model, onnx=tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_a_failure_leaves_the_file_of_before(tmp_path, model, monkeypatch):
    def failing(program, path, description):
        write_onnx(program, path, description)
        raise BrainmriError("the checker does not like it")

    (tmp_path / "m.onnx").write_text("before")
    monkeypatch.setitem(FORMATS, "onnx", (".onnx", failing, *FORMATS["onnx"][2:]))
    with pytest.raises(BrainmriError, match="does not like it"):
        export(model, onnx=tmp_path / "m.onnx")
    assert (tmp_path / "m.onnx").read_text() == "before"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "Nothing to write"),
        ({"onnx": "m.pt2"}, r"must be \.onnx"),
        ({"exported_program": "m.onnx"}, r"must be \.pt2"),
        ({"onnx": "folder.onnx"}, "is a folder"),
        ({"onnx": "m.onnx", "images": "none.png"}, "there is no such file"),
        ({"onnx": "m.onnx", "images": "text.png"}, r"text\.png"),
    ],
)
def test_what_cannot_be_done_is_one_line(tmp_path, model, capsys, options, words):
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "text.png").write_text("no image")
    given = [word for key, name in options.items() for word in (f"--{key}", str(tmp_path / name))]
    assert main(["export", "--model", str(model), *given]) == 1
    message = capsys.readouterr().err
    assert message.startswith("brainmri export: ")
    assert message.count("\n") == 1
    assert pd.Series(message).str.contains(words).all()
    assert not (tmp_path / "m.onnx").exists()


def test_image_files_are_compared_as_the_model_sees_them(tmp_path, model, scans, capsys):
    files = [str(file) for file in sorted(scans.iterdir())]
    assert (
        main(["export", "--model", str(model), "--onnx", str(tmp_path / "m.onnx"), "--images", *files]) == 0
    )
    assert "on 3 images, logits differ by at most" in capsys.readouterr().out


def test_the_example_of_the_docs_says_what_predict_says(tmp_path, model, scans):
    calibrate(model)
    export(model, onnx=tmp_path / "m.onnx")
    files = sorted(map(str, scans.iterdir()))
    # In a process that could not import brainmri or torch.
    code = (
        "import sys, runpy; sys.modules.update(torch=None, brainmri=None); "
        f"runpy.run_path({str(EXAMPLE)!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "m.onnx", *files], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    *lines, note = done.stdout.splitlines()
    assert "no medical device" in note
    assert main(["predict", *files, "--model", str(model), "--output", str(tmp_path / "out.csv")]) == 0
    table = pd.read_csv(tmp_path / "out.csv")
    whole = cv2.resize(cv2.imread(files[0], cv2.IMREAD_GRAYSCALE), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    uncropped = onnx_outputs(tmp_path / "m.onnx", whole[None])[1][0, 0]
    assert abs(uncropped - table[f"prob_{NAMES[0]}"][0]) > 1e-2  # the crop matters here
    for line, row in zip(lines, table.to_dict("records"), strict=True):
        assert line.startswith(f"{row['image']}: {row['predicted']} (")
        shares = dict(word.rsplit(" ", 1) for word in line.split("(")[1].rstrip(")").split(", "))
        for name in NAMES:
            assert float(shares[name]) == pytest.approx(row[f"prob_{name}"], abs=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "size"),
    [
        ("resnet18", 32),
        ("mobilenetv3_small_050", 32),
        ("efficientnet_b0", 32),
        ("vit_tiny_patch16_224", 32),
        ("vgg11_bn", 32),
    ],
)
def test_the_families_of_timm_can_be_exported(tmp_path, architecture, size, capsys):
    model = saved(tmp_path / "trained", Design(architecture, size))
    export(model, onnx=tmp_path / "m.onnx", exported_program=tmp_path / "m.pt2")
    assert len(capsys.readouterr().out.splitlines()) == 2
