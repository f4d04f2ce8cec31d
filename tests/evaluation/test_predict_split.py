"""What a trained model says of a split: complete, calibrated on validation alone, refused where foreign."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from brainmri.artefacts import read_json, read_parquet, write_json, write_parquet
from brainmri.cli import main
from brainmri.digests import file_digest
from brainmri.errors import BrainmriError
from brainmri.evaluation import predict_split as stage
from brainmri.evaluation.calibration import fit_referral, fit_temperature
from brainmri.evaluation.evaluate import evaluate
from brainmri.evaluation.predict_split import predict_split
from brainmri.evaluation.probabilities import softmax
from brainmri.models.build import build_model
from brainmri.models.saved import save_model
from brainmri.models.settings import CnnSettings, Design, HeadSettings

NAMES = ["glioma", "meningioma", "no_tumor"]
SIZE = 16


@pytest.fixture
def trained(tmp_path):
    """Write a manifest, packed images and a tiny untrained model; return the stage's arguments."""
    generator = np.random.default_rng(0)
    np.save(tmp_path / "images.npy", generator.integers(256, size=(90, SIZE, SIZE), dtype=np.uint8))
    label_index = np.arange(90) % 3
    manifest = pd.DataFrame(
        {
            "image_id": [f"{index:03}.png" for index in range(90)],
            "row": generator.permutation(90),
            "label": np.array(NAMES)[label_index],
            "label_index": label_index,
            "split": np.repeat(["train", "val", "test"], 30),
            "group_id": [f"g{index // 2}" for index in range(90)],
        }
    )
    write_parquet(manifest, tmp_path / "manifest.parquet", config={})
    torch.manual_seed(0)
    design = Design("cnn", SIZE, cnn=CnnSettings(channels=[4]), head=HeadSettings(hidden=[]))
    network = build_model(design, len(NAMES))
    network.mean, network.std = 0.5, 0.1
    save_model(
        network,
        tmp_path / "model.safetensors",
        tmp_path / "model.json",
        recipe=design,
        classes=NAMES,
        crop={"method": "none"},
        manifest_digest=file_digest(tmp_path / "manifest.parquet"),
        facts={},
    )
    return {
        "manifest": tmp_path / "manifest.parquet",
        "images": tmp_path / "images.npy",
        "model": tmp_path / "model.safetensors",
        "metadata": tmp_path / "model.json",
        "predictions": tmp_path / "predictions.parquet",
        "calibration": tmp_path / "calibration.json",
    }


def rewritten(trained, change):
    """Change the manifest, and make the model one that was trained on it."""
    write_parquet(change(read_parquet(trained["manifest"])), trained["manifest"], config={})
    document = read_json(trained["metadata"])
    write_json({**document, "manifest_sha256": file_digest(trained["manifest"])}, trained["metadata"])


def test_predictions_are_complete_and_calibrated_on_validation_alone(trained):
    predict_split(**trained, device="cpu")
    table, fitted = read_parquet(trained["predictions"]), read_json(trained["calibration"])
    assert table["split"].value_counts().to_dict() == {"val": 30, "test": 30}
    logits = table[[f"logit_{name}" for name in NAMES]].to_numpy(dtype=float)
    probabilities = table[[f"prob_{name}" for name in NAMES]].to_numpy()
    np.testing.assert_allclose(probabilities, softmax(logits / fitted["temperature"]))
    np.testing.assert_array_equal(table["confidence"], probabilities.max(axis=1))
    assert table["predicted"].tolist() == [NAMES[index] for index in probabilities.argmax(axis=1)]
    on_validation = (table["split"] == "val").to_numpy()
    truth = pd.Index(NAMES).get_indexer(table["label"])
    assert fitted["temperature"] == fit_temperature(logits[on_validation], truth[on_validation]).value
    assert fitted["weights_sha256"] == file_digest(trained["model"])
    assert (fitted["n_images"], fitted["n_groups"]) == (30, 15)


def test_each_prediction_is_of_the_image_in_its_row(trained):
    predict_split(**trained, device="cpu")
    before = read_parquet(trained["predictions"]).set_index("image_id")
    rewritten(trained, lambda manifest: manifest.sample(frac=1, random_state=0))
    predict_split(**trained, device="cpu")
    after = read_parquet(trained["predictions"]).set_index("image_id").loc[before.index]
    np.testing.assert_allclose(after["logit_glioma"], before["logit_glioma"], atol=1e-5)
    assert before["logit_glioma"].nunique() > 50


def test_batches_do_not_change_what_is_said_of_an_image(trained, monkeypatch):
    predict_split(**trained, device="cpu")
    whole = read_parquet(trained["predictions"])
    monkeypatch.setattr(stage, "BATCH", 7)
    predict_split(**trained, device="cpu")
    parted = read_parquet(trained["predictions"])
    assert parted["image_id"].equals(whole["image_id"])
    np.testing.assert_allclose(parted["logit_glioma"], whole["logit_glioma"], atol=1e-5)


def test_referral_is_fitted_to_the_wish_on_the_calibrated_confidence(trained):
    predict_split(**trained, device="cpu", wished_error=0.9)
    fitted, table = read_json(trained["calibration"]), read_parquet(trained["predictions"])
    own = table[table["split"] == "val"]
    right = (own["predicted"] == own["label"]).to_numpy()
    wished = fit_referral(own["confidence"].to_numpy(), right, 0.9)
    assert fitted["temperature"] != 1 and wished.confidence is not None
    assert fitted["referral_confidence"] == pytest.approx(wished.confidence)
    assert (fitted["referral_wished_error"], fitted["referral_coverage"]) == (0.9, wished.coverage)


def test_the_command_line_predicts_and_the_result_can_be_evaluated(trained, tmp_path):
    options = [word for name, path in trained.items() for word in (f"--{name}", str(path))]
    assert main(["predict_split", *options, "--device", "cpu", "--threads", "1"]) == 0
    evaluate(
        trained["predictions"],
        trained["calibration"],
        tmp_path / "metrics.json",
        dataset="d",
        split="s",
        protocol="grouped",
        model="m",
        seed=0,
        resamples=100,
    )
    document = json.loads((tmp_path / "metrics.json").read_text())
    assert document["test"]["n_groups"] == 15


def test_without_validation_images_nothing_is_calibrated_and_every_case_is_referred(trained):
    rewritten(trained, lambda manifest: manifest[manifest["split"] != "val"])
    predict_split(**trained, device="cpu")
    fitted = read_json(trained["calibration"])
    assert fitted["temperature"] == 1 and fitted["temperature_note"] == "no validation images"
    assert fitted["referral_confidence"] is None


def test_a_model_of_another_manifest_is_refused(trained):
    manifest = read_parquet(trained["manifest"])
    write_parquet(
        manifest.assign(split=manifest["split"].iloc[::-1].to_numpy()), trained["manifest"], config={}
    )
    with pytest.raises(BrainmriError, match="trained on another manifest"):
        predict_split(**trained, device="cpu")
    assert not trained["predictions"].exists()


def test_a_missing_manifest_is_told(trained):
    trained["manifest"].unlink()
    with pytest.raises(BrainmriError, match=r"manifest\.parquet does not exist: run the stage"):
        predict_split(**trained, device="cpu")
    trained["manifest"].mkdir()
    with pytest.raises(BrainmriError, match=r"manifest\.parquet is no file"):
        predict_split(**trained, device="cpu")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda manifest: manifest[manifest["split"] != "test"], "no test image"),
        (lambda manifest: manifest.assign(label="cyst"), "'cyst'"),
        (lambda manifest: manifest.assign(row=manifest["row"] + 50), "the 90 packed images"),
        (
            lambda manifest: manifest.assign(row=manifest["row"].astype("Int64").where(manifest.index != 70)),
            "the 90 packed images",
        ),
        (
            lambda manifest: manifest.assign(group_id=manifest["group_id"].where(manifest.index != 70)),
            "without group_id",
        ),
        (lambda manifest: pd.concat([manifest, manifest.tail(1)]), "twice"),
        (
            lambda manifest: manifest.assign(split=manifest["split"].replace("val", "valid")),
            "holds 'valid' in its column 'split', where one of train, val, test, excluded is wanted",
        ),
    ],
)
def test_manifests_that_do_not_fit_are_refused(trained, change, words):
    rewritten(trained, change)
    with pytest.raises(BrainmriError, match=words):
        predict_split(**trained, device="cpu")
    assert not trained["predictions"].exists()


def test_images_of_another_size_are_refused(trained):
    np.save(trained["images"], np.zeros((90, 8, 8), dtype=np.uint8))
    with pytest.raises(BrainmriError, match="8 pixels a side"):
        predict_split(**trained, device="cpu")


def test_a_wish_that_is_no_share_is_refused_before_any_work(trained):
    with pytest.raises(BrainmriError, match=r"wished_error is 1\.5"):
        predict_split(**trained, wished_error=1.5)
