"""A model on a data set that it is not from: copies removed exactly, classes of both, images as trained."""

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from helpers import save

from brainmri.artefacts import read_json, read_parquet, write_json, write_parquet
from brainmri.cli import main
from brainmri.digests import file_digest
from brainmri.errors import BrainmriError
from brainmri.evaluation.outside import LEARNT, OTHER_CLASS, SHARED, read_outside
from brainmri.evaluation.predict_external import predict_external
from brainmri.evaluation.probabilities import softmax
from brainmri.images.box import CropSettings
from brainmri.images.crop import crop
from brainmri.models.build import build_model
from brainmri.models.settings import CnnSettings, Design, HeadSettings
from brainmri.predict import predict
from brainmri.splits.reasons import CONFLICT, NO_LABEL

NAMES = ["glioma", "meningioma", "no_tumor"]
SIZE = 16
CROP = CropSettings(margin=2)
TEMPERATURE = 1.7
# Each image of the foreign set: label, group, and why it is not tested.
FOREIGN = {
    "a_copy.png": ("glioma", "a", LEARNT),
    "b_with_copy.png": ("glioma", "a", LEARNT),
    "c_copy_of_kin.png": ("meningioma", "c", LEARNT),
    "d_copy_of_test.png": ("glioma", "d", SHARED),
    "e_neighbour.png": ("glioma", "e", SHARED),
    "f_conflict.png": ("glioma", "f", CONFLICT),
    "g_unnamed.png": (None, "g", NO_LABEL),
    "h_pituitary.png": ("pituitary", "h", OTHER_CLASS),
    "i_glioma.png": ("glioma", "i", None),
    "j_glioma.png": ("glioma", "i", None),
    "k_meningioma.png": ("meningioma", "k", None),
    "l_meningioma.png": ("meningioma", "l", None),
}
TESTED = [name for name, (_, _, reason) in FOREIGN.items() if reason is None]
# Images of the own set, with part and group.
OWN = {
    "n0.png": ("train", "n0"),
    "n1.png": ("test", "n1"),
    "n2.png": ("val", "n1"),
    "n3.png": ("test", "n3"),
    "n4.png": ("excluded", "n4"),
}
PAIRS = [("n0", "a_copy", "rotated"), ("n1", "c_copy_of_kin", "near"), ("n3", "d_copy_of_test", "pixels")]
PAIRS += [("n4", "e_neighbour", "neighbour")]


def write_foreign(folder) -> None:
    """Write the foreign set: files, inventory, groups, and its images cropped as the own set's are."""
    generator = np.random.default_rng(0)
    (folder / "raw").mkdir(parents=True)
    for name in FOREIGN:
        image = np.zeros((40, 44), np.uint8)
        image[6:34, 8:36] = cv2.resize(generator.integers(60, 255, (7, 7), np.uint8), (28, 28))
        cv2.imwrite(str(folder / "raw" / name), image)
    labels, groups, _ = zip(*FOREIGN.values(), strict=True)
    files = pd.DataFrame({"image_id": [*FOREIGN, "z.png"], "path": [*FOREIGN, "z.png"]})
    files = files.assign(label=[*labels, "glioma"], status=["ok"] * len(FOREIGN) + ["corrupt"])
    files["sha256"] = [*(file_digest(folder / "raw" / name) for name in FOREIGN), "0"]
    files["reason"] = [None] * len(FOREIGN) + ["cut off"]
    write_parquet(files, folder / "inventory.parquet", config={})
    table = pd.DataFrame({"image_id": [*FOREIGN], "group_id": groups})
    table["label_conflict"] = table["image_id"].eq("f_conflict.png")
    write_parquet(table, folder / "groups.parquet", config={})
    crop(folder / "raw", folder / "inventory.parquet", folder / "images.npy", folder / "crops.parquet",
         SIZE, CROP, workers=1)  # fmt: skip


def write_own(folder) -> None:
    """Write a tiny untrained model of the own set, with the manifest and predictions that go with it."""
    parts, groups = zip(*OWN.values(), strict=True)
    manifest = pd.DataFrame({"image_id": [*OWN], "split": parts, "group_id": groups})
    write_parquet(manifest, folder / "manifest.parquet", config={})
    torch.manual_seed(0)
    design = Design("cnn", SIZE, cnn=CnnSettings(channels=[4]), head=HeadSettings(hidden=[]))
    network = build_model(design, len(NAMES))
    network.mean, network.std = 0.3, 0.2
    save(network, folder, design, NAMES, vars(CROP), file_digest(folder / "manifest.parquet"))
    digest = file_digest(folder / "model.safetensors")
    write_json({"temperature": TEMPERATURE, "weights_sha256": digest}, folder / "calibration.json")
    own = pd.DataFrame({"image_id": NAMES, "split": "test", "group_id": NAMES, "label": NAMES})
    own[[f"logit_{name}" for name in NAMES]] = np.eye(3)
    write_parquet(own, folder / "predictions.parquet", config={})


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Write the foreign set, the model and the pairs between; return the folder."""
    folder = tmp_path_factory.mktemp("sets")
    write_foreign(folder / "foreign")
    (folder / "own").mkdir()
    write_own(folder / "own")
    pairs = pd.DataFrame(PAIRS, columns=["image_id_a", "image_id_b", "kind"])
    for side in ("image_id_a", "image_id_b"):
        pairs[side] += ".png"
    write_parquet(pairs, folder / "overlap.parquet", config={})
    return folder


@pytest.fixture
def arguments(sets, tmp_path):
    """Return the arguments of the stage."""
    own, foreign = sets / "own", sets / "foreign"
    return {
        "dataset": "north",
        "split": "grouped",
        "name": "cnn",
        "seed": 3,
        "other": "south",
        **{name: own / f"{name}.parquet" for name in ("manifest", "predictions")},
        "calibration": own / "calibration.json",
        "model": own / "model.safetensors",
        "metadata": own / "model.json",
        **{name: foreign / f"{name}.parquet" for name in ("inventory", "groups", "crops")},
        "overlap": sets / "overlap.parquet",
        "images": foreign / "images.npy",
        "output": tmp_path / "south.parquet",
        "device": "cpu",
    }


def test_every_file_is_tested_or_has_the_reason_why_not(arguments):
    predict_external(**arguments)
    table = read_parquet(arguments["output"]).set_index("image_id")
    for name, (label, group, reason) in FOREIGN.items():
        row = table.loc[name]
        assert (None if pd.isna(row["reason"]) else row["reason"]) == reason, name
        assert row["group_id"] == group
        assert pd.isna(row["label"]) if label is None else row["label"] == label
        assert pd.isna(row["logit_no_tumor"]) == (reason is not None)
    assert table.loc["z.png", "reason"] == "corrupt: cut off"
    told = read_outside(arguments["output"])
    assert told.image_id.tolist() == TESTED
    assert told.left_out == {
        "n_copies_learnt": 3,
        "n_copies_shared": 2,
        "n_label_conflicts": 1,
        "n_other_classes": 1,
        "n_unusable": 2,
    }


def test_the_model_chooses_among_the_classes_of_both_with_its_own_temperature(arguments):
    predict_external(**arguments)
    table = read_parquet(arguments["output"])
    table = table[table["reason"].isna()]
    assert [name for name in table if name.startswith("prob_")] == ["prob_glioma", "prob_meningioma"]
    logits = table[[f"logit_{name}" for name in NAMES]].to_numpy(np.float64)
    found = table[["prob_glioma", "prob_meningioma"]].to_numpy()
    every = softmax(logits / TEMPERATURE)[:, :2]
    np.testing.assert_allclose(found, every / every.sum(axis=1, keepdims=True), rtol=1e-9)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    np.testing.assert_array_equal(table["confidence"], found.max(axis=1))
    assert table["predicted"].tolist() == [NAMES[index] for index in found.argmax(axis=1)]


def test_it_says_what_predict_says_of_the_same_files(arguments, sets, tmp_path):
    predict_external(**arguments)
    table = read_parquet(arguments["output"]).set_index("image_id").loc[TESTED]
    files = [sets / "foreign" / "raw" / name for name in TESTED]
    assert predict(files, arguments["model"], tmp_path / "predicted.csv", "cpu") == 0
    told = pd.read_csv(tmp_path / "predicted.csv")
    logits = table[[f"logit_{name}" for name in NAMES]].to_numpy(np.float64)
    # Single precision: a batch of another size may round the last digit otherwise.
    expected = told[[f"prob_{name}" for name in NAMES]].to_numpy()
    np.testing.assert_allclose(softmax(logits / TEMPERATURE), expected, atol=1e-6)


def test_kept_conflicts_are_tested(arguments):
    predict_external(**arguments | {"conflicts": "keep"})
    assert "f_conflict.png" in read_outside(arguments["output"]).image_id


def test_where_nothing_is_left_the_table_says_so(arguments, tmp_path):
    pairs = pd.DataFrame({"image_id_a": "n0.png", "image_id_b": [*FOREIGN], "kind": "near"})
    write_parquet(pairs, tmp_path / "all.parquet", config={})
    predict_external(**arguments | {"overlap": tmp_path / "all.parquet"})
    told = read_outside(arguments["output"])
    assert (told.classes, len(told.truth), told.left_out["n_copies_learnt"]) == ([], 0, len(FOREIGN))


def test_one_class_is_nothing_to_choose_from(arguments, tmp_path):
    groups = read_parquet(arguments["groups"])
    groups["label_conflict"] = groups["image_id"].str.contains("meningioma")
    write_parquet(groups, tmp_path / "groups.parquet", config={})
    predict_external(**arguments | {"groups": tmp_path / "groups.parquet"})
    told = read_outside(arguments["output"])
    assert (told.classes, len(told.truth), told.left_out["n_other_classes"]) == ([], 0, 4)


def test_the_command_line_tests_outside(arguments):
    options = [word for name, value in arguments.items() for word in (f"--{name}", str(value))]
    assert main(["predict_external", *options]) == 0
    identity = read_outside(arguments["output"]).identity
    assert list(identity.values()) == ["north", "grouped", "cnn", 3, "south"]


def changed(arguments, folder, name, change) -> dict:
    """Return the arguments with one table or document changed."""
    path = folder / arguments[name].name
    if path.suffix == ".parquet":
        write_parquet(change(read_parquet(arguments[name])), path, config={})
    else:
        write_json(change(None), path)
    return arguments | {name: path}


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("manifest", lambda table: table.assign(split="test"), "trained on another manifest"),
        ("crops", lambda table: table, "not prepared as those that .*margin 2"),
        ("calibration", lambda _: {"temperature": 1.0, "weights_sha256": "0"}, "of other weights"),
        ("calibration", lambda _: {"note": "none"}, "temperature is no number"),
        ("groups", lambda table: table.iloc[:9], "lacks images"),
        (
            "groups",
            lambda table: table.assign(group_id=table["group_id"].where(table.index != 9)),
            "lacks images",
        ),
        ("groups", lambda table: pd.concat([table, table.tail(1)]), "twice"),
        ("inventory", lambda table: table.iloc[4:], "run the stage crop again"),
        ("inventory", lambda table: pd.concat([table, table.tail(1)]), "twice"),
        ("overlap", lambda table: table.assign(image_id_a="n9.png"), r"'n9\.png'"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(arguments, tmp_path, name, change, words):
    with pytest.raises(BrainmriError, match=words):
        predict_external(**changed(arguments, tmp_path, name, change))
    assert not arguments["output"].exists()


def test_a_missing_manifest_is_told(arguments, tmp_path):
    with pytest.raises(BrainmriError, match=r"manifest\.parquet does not exist: run the stage"):
        predict_external(**arguments | {"manifest": tmp_path / "manifest.parquet"})


def test_images_of_another_size_are_refused(arguments, tmp_path):
    np.save(tmp_path / "small.npy", np.zeros((len(FOREIGN), 8, 8), np.uint8))
    with pytest.raises(BrainmriError, match="8 pixels a side"):
        predict_external(**arguments | {"images": tmp_path / "small.npy"})


def test_a_model_is_not_tested_on_its_own_set_as_if_it_were_another(arguments):
    with pytest.raises(BrainmriError, match="The other data set is north itself"):
        predict_external(**arguments | {"other": "north"})
    assert not arguments["output"].exists()


@pytest.mark.parametrize(
    "change", [lambda own: own.assign(group_id=None), lambda own: own.replace("val", "valid")]
)
def test_a_manifest_whose_relatives_cannot_all_be_told_is_refused(arguments, tmp_path, change):
    arguments = changed(arguments, tmp_path, "manifest", change)
    document = read_json(arguments["metadata"])
    arguments["metadata"] = tmp_path / "model.json"
    write_json(document | {"manifest_sha256": file_digest(arguments["manifest"])}, arguments["metadata"])
    with pytest.raises(BrainmriError, match=r"without group_id|'valid'"):
        predict_external(**arguments)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table.assign(group_id=None), "without group_id"),
        (lambda table: table.assign(tested_on="north"), "a data set tested on itself"),
        (lambda table: pd.concat([table, table]), "twice"),
    ],
)
def test_what_a_model_said_is_not_compared_where_its_groups_cannot_be_told(arguments, change, words):
    predict_external(**arguments)
    write_parquet(change(read_parquet(arguments["output"])), arguments["output"], config={})
    with pytest.raises(BrainmriError, match=words):
        read_outside(arguments["output"])


def test_an_unknown_way_with_conflicts_is_refused(arguments):
    with pytest.raises(BrainmriError, match="Known: exclude, keep"):
        predict_external(**arguments | {"conflicts": "ignore"})
