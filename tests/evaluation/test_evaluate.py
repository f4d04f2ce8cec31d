"""metrics.json: valid, complete, null where undefined; and comparison.parquet made of it."""

import json

import numpy as np
import pandas as pd
import pytest

from brainmri.artefacts import read_parquet, write_json, write_parquet
from brainmri.cli import main
from brainmri.errors import BrainmriError
from brainmri.evaluation.compare import COMPARISON_SCHEMA, compare
from brainmri.evaluation.evaluate import evaluate
from brainmri.evaluation.predictions import predictions_schema
from brainmri.evaluation.probabilities import softmax

NAMES = ["glioma", "meningioma", "pituitary", "no_tumor"]
IDENTITY = {"dataset": "phantom", "split": "grouped", "protocol": "grouped", "model": "cnn", "seed": 0}


def predictions_of(truth, logits, split="test", group_id=None):
    truth, logits = np.asarray(truth), np.asarray(logits, dtype=float)
    probabilities = softmax(logits)
    return pd.DataFrame(
        {
            "image_id": [f"{split}{index}.png" for index in range(len(truth))],
            "split": split,
            "group_id": [f"{split}{index}" for index in range(len(truth))] if group_id is None else group_id,
            "label": np.array(NAMES)[truth],
            "predicted": np.array(NAMES)[logits.argmax(axis=1)],
            "confidence": probabilities.max(axis=1),
            **{f"logit_{name}": logits[:, index].astype("float32") for index, name in enumerate(NAMES)},
            **{f"prob_{name}": probabilities[:, index] for index, name in enumerate(NAMES)},
        }
    )


def evaluated(tmp_path, frame, calibration=None, seed=0, resamples=200):
    write_parquet(frame, tmp_path / "predictions.parquet", config={}, schema=predictions_schema(NAMES))
    write_json(calibration or {"temperature": 1.0, "referral_confidence": 0.5}, tmp_path / "calibration.json")
    evaluate(
        tmp_path / "predictions.parquet",
        tmp_path / "calibration.json",
        tmp_path / "metrics.json",
        **{**IDENTITY, "seed": seed},
        resamples=resamples,
    )

    def no_constant(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads((tmp_path / "metrics.json").read_text(), parse_constant=no_constant)


def noisy(images=120, seed=0, sharpness=2.0):
    generator = np.random.default_rng(seed)
    truth = np.arange(images) % 4
    return truth, generator.normal(size=(images, 4)) + sharpness * np.eye(4)[truth]


def entries(node, path=""):
    """Walk through all {value, low, high}."""
    if isinstance(node, dict):
        if set(node) == {"value", "low", "high"}:
            yield path, node
        else:
            for key, value in node.items():
                yield from entries(value, f"{path}/{key}")


def test_every_metric_lies_in_its_interval_and_both_parts_are_there(tmp_path):
    frame = pd.concat([predictions_of(*noisy(seed=1), split="val"), predictions_of(*noisy())])
    document = evaluated(tmp_path, frame)
    assert document["identity"] == IDENTITY
    for part in ("val", "test"):
        assert document[part]["n_images"] == document[part]["n_groups"] == 120
        assert np.sum(document[part]["confusion_matrix"]["counts"]) == 120
        found = dict(entries(document[part]))
        assert {"/accuracy", "/macro_f1", "/mcc", "/macro_auroc", "/per_class/glioma/recall"} <= set(found)
        for name, entry in found.items():
            assert entry["low"] <= entry["value"] <= entry["high"], name


def test_same_seed_same_file_to_the_byte(tmp_path):
    frame = predictions_of(*noisy())
    evaluated(tmp_path, frame)
    first = (tmp_path / "metrics.json").read_bytes()
    evaluated(tmp_path, frame)
    assert (tmp_path / "metrics.json").read_bytes() == first


def test_copies_in_a_group_widen_the_interval(tmp_path):
    truth, logits = noisy()
    fivefold = np.repeat(np.arange(120), 5)
    apart = evaluated(tmp_path, predictions_of(truth[fivefold], logits[fivefold]))["test"]
    together = evaluated(
        tmp_path, predictions_of(truth[fivefold], logits[fivefold], group_id=[f"g{i}" for i in fivefold])
    )["test"]
    assert together["n_groups"] == 120 and apart["n_groups"] == 600
    for name in ("accuracy", "macro_f1", "macro_auroc", "log_loss"):
        assert together[name]["value"] == apart[name]["value"]
        width = together[name]["high"] - together[name]["low"]
        assert width > 1.8 * (apart[name]["high"] - apart[name]["low"]), name


def test_a_perfect_predictor_is_not_certain(tmp_path):
    truth = np.arange(40) % 4
    part = evaluated(tmp_path, predictions_of(truth, 9 * np.eye(4)[truth]))["test"]
    assert part["accuracy"]["value"] == part["accuracy"]["high"] == 1
    assert 0.85 < part["accuracy"]["low"] < 0.95
    assert part["macro_f1"]["value"] == pytest.approx(1) and 0.85 < part["macro_f1"]["low"] < 0.95
    assert part["mcc"]["value"] == pytest.approx(1) and 0.85 < part["mcc"]["low"] < 0.95
    assert part["per_class"]["glioma"]["auroc"]["low"] < 0.95
    assert part["per_class"]["glioma"]["recall"]["low"] < 0.8
    assert part["referral"]["sure_errors_share"] is None


def test_a_constant_predictor_is_named_as_such(tmp_path):
    truth = np.arange(40) % 4
    part = evaluated(tmp_path, predictions_of(truth, np.tile([2.0, 1, 0, 0], (40, 1))))["test"]
    assert part["accuracy"]["value"] == part["balanced_accuracy"]["value"] == 0.25
    assert part["mcc"]["value"] == part["cohen_kappa"]["value"] == 0
    assert part["macro_auroc"]["value"] == 0.5
    assert part["per_class"]["pituitary"]["precision"] == {"value": 0, "low": None, "high": None}


def test_an_absent_class_is_null_and_named(tmp_path):
    truth, logits = noisy()
    kept = truth != 2
    part = evaluated(tmp_path, predictions_of(truth[kept], logits[kept]))["test"]
    pituitary = part["per_class"]["pituitary"]
    assert part["absent_classes"] == ["pituitary"]
    assert pituitary["n_images"] == 0
    for name in ("precision", "recall", "f1", "auroc", "average_precision"):
        assert pituitary[name] == {"value": None, "low": None, "high": None}
    recalls = [part["per_class"][name]["recall"]["value"] for name in NAMES if name != "pituitary"]
    assert part["macro_recall"]["value"] == pytest.approx(np.mean(recalls))


def test_a_class_with_a_single_group_is_named_and_its_interval_is_wide(tmp_path):
    truth, logits = noisy()
    group_id = np.array([f"g{index}" for index in range(120)], dtype=object)
    group_id[truth == 0] = "the only patient"
    part = evaluated(tmp_path, predictions_of(truth, logits, group_id=group_id))["test"]
    assert part["single_group_classes"] == ["glioma"]
    glioma = part["per_class"]["glioma"]
    assert glioma["n_groups"] == 1
    assert glioma["recall"]["high"] - glioma["recall"]["low"] > 0.5
    assert glioma["auroc"]["value"] is not None and glioma["auroc"]["low"] is None


def test_calibration_before_and_after_are_of_their_temperatures(tmp_path):
    truth, logits = noisy()
    sharp = predictions_of(truth, 8 * logits)
    fitted = {"temperature": 4.0, "referral_confidence": 0.7, "referral_wished_error": 0.1}
    part = evaluated(tmp_path, sharp, fitted)["test"]
    calibration = part["calibration"]
    assert part["ece"]["value"] == pytest.approx(calibration["ece_after"])
    assert calibration["ece_after"] < calibration["ece_before"]
    assert calibration["log_loss_after"] == pytest.approx(part["log_loss"]["value"])
    assert calibration["brier_after"] == pytest.approx(part["brier"]["value"])
    assert sum(calibration["reliability_after"]["n_images"]) == 120
    kept = softmax(2 * logits).max(axis=1) >= 0.7
    assert part["referral"]["wished_error"] == 0.1
    assert part["referral"]["coverage"] == pytest.approx(kept.mean())
    assert part["referral"]["accuracy_kept"]["value"] == pytest.approx(
        (logits.argmax(axis=1) == truth)[kept].mean()
    )


def test_where_every_case_is_referred_nothing_is_kept(tmp_path):
    part = evaluated(tmp_path, predictions_of(*noisy()), {"temperature": 1.0, "referral_confidence": None})[
        "test"
    ]
    assert part["referral"]["coverage"] == 0
    assert part["referral"]["accuracy_kept"]["value"] is None


def test_no_test_image_is_an_error_and_nothing_is_written(tmp_path):
    with pytest.raises(BrainmriError, match="no test image"):
        evaluated(tmp_path, predictions_of(*noisy(), split="val"))
    assert not (tmp_path / "metrics.json").exists()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda frame: frame.assign(label="cyst"), "'cyst'"),
        (lambda frame: frame.assign(logit_glioma=np.float32("nan")), "no finite numbers"),
        (lambda frame: frame.assign(group_id=None), "without group_id"),
        (lambda frame: pd.concat([frame, frame]), "twice"),
        (lambda frame: frame.assign(split=frame["split"].where(frame.index != 0, "tst")), "holds 'tst'"),
    ],
)
def test_predictions_that_make_no_sense_are_refused(tmp_path, spoil, words):
    with pytest.raises(BrainmriError, match=words):
        evaluated(tmp_path, spoil(predictions_of(*noisy())))


def test_the_command_line_evaluates_and_compares(tmp_path):
    frame = pd.concat([predictions_of(*noisy(seed=1), split="val"), predictions_of(*noisy())])
    evaluated(tmp_path, frame)
    status = main(
        [
            *("evaluate", "--predictions", str(tmp_path / "predictions.parquet")),
            *("--calibration", str(tmp_path / "calibration.json"), "--output", str(tmp_path / "other.json")),
            *("--dataset", "phantom", "--split", "random", "--protocol", "random", "--model", "cnn"),
            *("--seed", "1", "--resamples", "100"),
        ]
    )
    assert status == 0
    files = [str(tmp_path / name) for name in ("other.json", "metrics.json")]
    assert main(["compare", "--metrics", *files, "--output", str(tmp_path / "comparison.parquet")]) == 0
    table = read_parquet(tmp_path / "comparison.parquet")
    assert list(table.columns) == COMPARISON_SCHEMA.names
    assert table[["split", "seed", "part"]].to_numpy().tolist() == [
        ["grouped", 0, "test"],
        ["grouped", 0, "val"],
        ["random", 1, "test"],
        ["random", 1, "val"],
    ]
    document = json.loads((tmp_path / "metrics.json").read_text())
    row = table.iloc[0]
    assert row["macro_f1"] == document["test"]["macro_f1"]["value"]
    assert row["macro_f1_low"] == document["test"]["macro_f1"]["low"]
    assert row["n_groups"] == 120


def test_compare_refuses_what_it_cannot_trust(tmp_path):
    evaluated(tmp_path, predictions_of(*noisy()))
    metrics = tmp_path / "metrics.json"
    with pytest.raises(BrainmriError, match="of one training"):
        compare([metrics, metrics], tmp_path / "comparison.parquet")
    write_json({"identity": IDENTITY, "test": {}}, tmp_path / "hollow.json")
    with pytest.raises(BrainmriError, match="lacks 'n_images'"):
        compare([tmp_path / "hollow.json"], tmp_path / "comparison.parquet")
    document = json.loads(metrics.read_text())
    for spoilt in (
        document | {"identity": IDENTITY | {"seed": "x"}},
        document | {"identity": "x"},
        document | {"test": "x"},
        document | {"test": document["test"] | {"n_groups": "x"}},
        document | {"test": document["test"] | {"accuracy": {"value": "x", "low": None, "high": None}}},
    ):
        write_json(spoilt, tmp_path / "spoilt.json")
        with pytest.raises(BrainmriError, match="holds what evaluate does not write: run it again"):
            compare([tmp_path / "spoilt.json"], tmp_path / "comparison.parquet")
    (tmp_path / "nan.json").write_text(metrics.read_text().replace('"seed": 0', '"seed": NaN'))
    with pytest.raises(BrainmriError, match="NaN is no number of JSON"):
        compare([tmp_path / "nan.json"], tmp_path / "comparison.parquet")
    write_json({"identity": IDENTITY}, tmp_path / "untested.json")
    with pytest.raises(BrainmriError, match="was not measured on"):
        compare(
            [tmp_path / "untested.json"],
            tmp_path / "comparison.parquet",
            predictions=[tmp_path / "predictions.parquet"],
            pairs=tmp_path / "pairs.parquet",
        )
    with pytest.raises(BrainmriError, match="nothing to compare"):
        compare([], tmp_path / "comparison.parquet")
    assert not (tmp_path / "comparison.parquet").exists()


@pytest.mark.parametrize(("resamples", "words"), [(5, "at least 100"), (10**9, "at most 1000000")])
def test_too_few_and_too_many_resamples_are_refused(tmp_path, resamples, words):
    with pytest.raises(BrainmriError, match=words):
        evaluated(tmp_path, predictions_of(*noisy()), resamples=resamples)


def test_an_unknown_protocol_is_refused(tmp_path):
    files = [tmp_path / name for name in ("predictions.parquet", "calibration.json", "metrics.json")]
    with pytest.raises(BrainmriError, match=r"'groupd' is no split protocol. Did you mean 'grouped'"):
        evaluate(*files, **IDENTITY | {"protocol": "groupd"})
