"""The stage `explain`: the same again, refused where foreign, checks that tell good maps from bad."""

import numpy as np
import pandas as pd
import pytest
import torch

from brainmri.artefacts import read_json, read_parquet, write_json, write_parquet
from brainmri.cli import main
from brainmri.digests import file_digest
from brainmri.errors import BrainmriError
from brainmri.evaluation.explain import explain
from brainmri.evaluation.explain_images import explained_rows
from brainmri.evaluation.explained import Explained, random_networks
from brainmri.evaluation.lesions import packed_lesions
from brainmri.evaluation.predict_split import predict_split
from brainmri.images.crop import crop
from brainmri.images.inventory import inventory
from brainmri.images.layout import LayoutSettings
from brainmri.images.store import open_images
from brainmri.models.build import build_model
from brainmri.models.grad_cam import feature_layer
from brainmri.models.saved import load_model, save_model
from brainmri.models.settings import CnnSettings, Design, HeadSettings
from brainmri.sources.checksum import checksum
from brainmri.sources.phantom import phantom

NAMES = ["blob", "plain"]
SIZE, COUNT, BLOB = 32, 120, 8
CPU = torch.device("cpu")


def drawn(generator) -> tuple[np.ndarray, np.ndarray]:
    """Return dim images and the masks of their bright blobs; every second has none."""
    images = generator.integers(60, 120, size=(COUNT, SIZE, SIZE)).astype(np.uint8)
    masks = np.zeros(images.shape, bool)
    for index in range(0, COUNT, 2):
        row, column = generator.integers(4, SIZE - 4 - BLOB, size=2)
        masks[index, row : row + BLOB, column : column + BLOB] = True
    images[masks] = 240
    return images, masks


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Write a network that learnt to find a bright blob, its images and its predictions."""
    folder, generator = tmp_path_factory.mktemp("blobs"), np.random.default_rng(0)
    images, masks = drawn(generator)
    np.save(folder / "images.npy", images)
    np.save(folder / "masks.npy", masks)
    label_index = np.arange(COUNT) % 2
    manifest = pd.DataFrame(
        {
            "image_id": [f"{index:03}.png" for index in range(COUNT)],
            "row": np.arange(COUNT),
            "label": np.array(NAMES)[label_index],
            "label_index": label_index,
            "split": np.repeat(["train", "val", "test"], COUNT // 3),
            "group_id": [f"g{index // 4}" for index in range(COUNT)],
        }
    )
    write_parquet(manifest, folder / "manifest.parquet", config={})
    boxes = manifest[["image_id", "row"]].assign(left=0, top=0, right=SIZE, bottom=SIZE)
    write_parquet(boxes, folder / "crops.parquet", config={})
    torch.manual_seed(0)
    design = Design("cnn", SIZE, cnn=CnnSettings(channels=[6, 8]), head=HeadSettings(hidden=[]))
    network = build_model(design, 2)
    network.mean, network.std = 0.4, 0.2
    optimizer = torch.optim.Adam(network.parameters(), 0.005)
    batch = network.normalised(torch.from_numpy(images[: COUNT // 3]).float() / 255)
    for _ in range(60):
        optimizer.zero_grad()
        truth = torch.from_numpy(label_index[: COUNT // 3])
        torch.nn.functional.cross_entropy(network(batch), truth).backward()
        optimizer.step()
    save_model(
        network.eval(),
        folder / "model.safetensors",
        folder / "model.json",
        recipe=design,
        classes=NAMES,
        crop={"method": "none"},
        manifest_digest=file_digest(folder / "manifest.parquet"),
        facts={},
    )
    inputs = inputs_of(folder)
    del inputs["crops"]
    predict_split(**inputs, device="cpu")
    return folder


def inputs_of(folder) -> dict:
    """Return the arguments of the stage that are inputs."""
    names = ["predictions", "manifest", "crops"]
    return {
        **{name: folder / f"{name}.parquet" for name in names},
        "calibration": folder / "calibration.json",
        "images": folder / "images.npy",
        "model": folder / "model.safetensors",
        "metadata": folder / "model.json",
    }


def outputs_of(folder) -> dict:
    return {"table": folder / "explain.parquet", "summary": folder / "explain.json"}


def run(folder, output, **changed):
    """Run the stage and return its table and its summary."""
    arguments = inputs_of(folder) | outputs_of(output) | {"count": 8, "resamples": 100, "device": "cpu"}
    explain(**(arguments | changed))
    return read_parquet(output / "explain.parquet"), read_json(output / "explain.json")


@pytest.fixture(scope="module")
def explained(folder, tmp_path_factory):
    return run(folder, tmp_path_factory.mktemp("explained"))


def test_each_image_has_a_row_of_each_method_and_the_test_part_alone_is_explained(explained, folder):
    table, summary = explained
    assert table.groupby("image_id")["method"].apply(set).map(len).eq(4).all()
    assert summary["n_images"] == table["image_id"].nunique() == 8
    parts = read_parquet(folder / "manifest.parquet").set_index("image_id")["split"]
    assert set(parts[table["image_id"]]) == {"test"}
    assert summary["layer"]["size"] == [SIZE // 2, SIZE // 2]
    for entries in summary["methods"].values():
        for entry in (entries["insertion"], entries["border_share"]):
            assert 0 <= entry["low"] <= entry["value"] <= entry["high"] <= 1
            assert entry["n_groups"] <= entry["n_images"] <= 8


def test_the_same_seed_gives_the_same_and_another_gives_others(folder, explained, tmp_path):
    table, summary = run(folder, tmp_path)
    pd.testing.assert_frame_equal(table, explained[0])
    assert summary == explained[1]
    other, _ = run(folder, tmp_path, seed=1)
    assert set(other["image_id"]) != set(table["image_id"])


def test_the_maps_of_a_network_that_finds_blobs_lie_on_the_blobs(folder):
    network, document = load_model(folder / "model.safetensors")
    trained = Explained(network, feature_layer(network, SIZE), 1.0, CPU)
    told = read_parquet(folder / "predictions.parquet").merge(read_parquet(folder / "manifest.parquet"))
    told = told[(told["label"] == "blob") & (told["predicted"] == "blob")].head(12).assign(kind="right")
    rows = told["row"].to_numpy()
    masks = np.load(folder / "masks.npy")[rows]
    arguments = {
        "chosen": told,
        "pixels": np.load(folder / "images.npy")[rows],
        "heads": list(np.ones_like(masks)),
        "lesions": dict(zip(told["image_id"], masks, strict=True)),
        "class_names": NAMES,
        "seed": 0,
    }
    anew = random_networks(trained, document, folder / "model.json", seed=0)
    table = explained_rows(trained, anew, **arguments)
    mean = table.groupby("method")[["lesion_hit", "lesion_share", "insertion"]].mean()
    for method in ("grad_cam", "occlusion"):
        assert mean.loc[method, "lesion_hit"] > 0.8
        assert mean.loc[method, "lesion_share"] > 1.5 * mean.loc["random", "lesion_share"]
    assert mean.loc["occlusion", "insertion"] > mean.loc["random", "insertion"]
    # Of networks that differ in nothing the maps are the same; of random ones they are not.
    same = explained_rows(trained, [trained], **arguments)
    similar = same.groupby("method")["similarity"].mean()
    assert similar[["grad_cam", "occlusion"]].min() > 0.999
    assert table.groupby("method")["similarity"].mean()[["grad_cam", "occlusion"]].max() < 0.8


def test_no_images_are_no_mistake(folder, tmp_path):
    table, summary = run(folder, tmp_path, count=0)
    assert table.empty
    assert summary["n_images"] == 0
    assert summary["methods"] == {}


def test_the_command_line_explains(folder, tmp_path):
    paths = inputs_of(folder) | outputs_of(tmp_path)
    options = [word for name, path in paths.items() for word in (f"--{name}", str(path))]
    assert main(["explain", *options, "--count", "2", "--resamples", "100", "--device", "cpu"]) == 0
    assert read_json(tmp_path / "explain.json")["n_images"] == 2


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"count": -1}, "count is -1: must be from 0"),
        ({"resamples": 5}, "resamples is 5"),
    ],
)
def test_numbers_out_of_range_are_refused(folder, tmp_path, changed, words):
    with pytest.raises(BrainmriError, match=words):
        run(folder, tmp_path, **changed)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table[table["split"] != "test"], "no test image"),
        (lambda table: table.assign(predicted="cyst"), "not the model's"),
        (lambda table: table.assign(image_id="x" + table["image_id"]), "do not belong together"),
        (lambda table: table.assign(logit_blob=-9 * table["logit_blob"]), "other logits"),
        (lambda table: table.drop(columns="confidence"), "confidence"),
        (lambda table: table.assign(group_id=None), "without group_id"),
        (lambda table: pd.concat([table, table.tail(1)]), "twice"),
    ],
)
def test_predictions_that_do_not_fit_are_refused(folder, tmp_path, change, words):
    path = tmp_path / "predictions.parquet"
    write_parquet(change(read_parquet(folder / "predictions.parquet")), path, config={})
    with pytest.raises(BrainmriError, match=words):
        run(folder, tmp_path, predictions=path)
    assert not (tmp_path / "explain.json").exists()


def test_a_manifest_that_lists_an_image_twice_is_refused(folder, tmp_path):
    path, table = tmp_path / "manifest.parquet", read_parquet(folder / "manifest.parquet")
    write_parquet(pd.concat([table, table.tail(1)]), path, config={})
    with pytest.raises(BrainmriError, match="twice"):
        run(folder, tmp_path, manifest=path)


def test_calibrations_and_images_of_another_model_are_refused(folder, tmp_path):
    fitted = read_json(folder / "calibration.json")
    for change, words in (({"weights_sha256": "0"}, "another model"), ({"temperature": None}, "temperature")):
        write_json(fitted | change, tmp_path / "calibration.json")
        with pytest.raises(BrainmriError, match=words):
            run(folder, tmp_path, calibration=tmp_path / "calibration.json")
    np.save(tmp_path / "images.npy", np.zeros((COUNT, 16, 16), np.uint8))
    with pytest.raises(BrainmriError, match="16 pixels a side"):
        run(folder, tmp_path, images=tmp_path / "images.npy")


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """Draw a phantom with copies of all kinds, and crop it."""
    folder = tmp_path_factory.mktemp("phantom")
    phantom(
        folder / "raw", folder / "truth.parquet", patients=8, slices=3, size=96, seed=2, copies=0.5, workers=1
    )
    checksum("set", folder / "raw", folder / "checksums.parquet")
    inventory(folder / "raw", folder / "checksums.parquet", folder / "inventory.parquet", LayoutSettings())
    crop(folder / "raw", folder / "inventory.parquet", folder / "i.npy", folder / "c.parquet", 64, workers=1)
    return folder


def test_lesions_of_a_phantom_lie_where_the_packed_image_shows_them(packed):
    boxes = read_parquet(packed / "c.parquet")
    truth = read_parquet(packed / "truth.parquet").set_index("image_id").loc[boxes["image_id"]]
    masks = packed_lesions(packed / "truth.parquet", packed / "c.parquet", list(boxes["image_id"]), 64)
    with_lesion = truth["lesion_area"].notna().to_numpy()
    assert set(masks) == set(boxes["image_id"][with_lesion])
    images = open_images(packed / "i.npy")
    for image_id, row in zip(boxes["image_id"], boxes["row"], strict=True):
        if image_id in masks:
            area = truth["lesion_area"][image_id] / (truth["width"][image_id] * truth["height"][image_id])
            share = boxes.set_index("image_id")["area_fraction"][image_id]
            assert masks[image_id].mean() == pytest.approx(area / share, rel=0.35, abs=0.004)
            assert images[row][masks[image_id]].mean() > 20  # never on the ground


def test_truth_that_does_not_fit_is_refused(packed):
    boxes = read_parquet(packed / "c.parquet")
    with pytest.raises(BrainmriError, match="no row for nowhere"):
        packed_lesions(packed / "truth.parquet", packed / "c.parquet", ["nowhere.jpg"], 64)
    with pytest.raises(BrainmriError, match="does not exist"):
        packed_lesions(packed / "no.parquet", packed / "c.parquet", [], 64)
    write_parquet(boxes.assign(right=9999), packed / "wide.parquet", config={})
    with pytest.raises(BrainmriError, match="do not belong together"):
        packed_lesions(packed / "truth.parquet", packed / "wide.parquet", list(boxes["image_id"]), 64)
