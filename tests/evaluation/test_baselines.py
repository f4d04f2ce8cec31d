"""The baselines: what memory, file metadata and the most frequent class score, judged as models are."""

import json

import cv2
import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import KNeighborsClassifier

from brainmri.artefacts import read_json, read_parquet, write_parquet
from brainmri.cli import main
from brainmri.errors import BrainmriError
from brainmri.evaluation.baselines import BASELINES_SCHEMA, baselines

NAMES = ["glioma", "meningioma", "no_tumor"]
SIDE = 64


class Files:
    """Manifest, inventory and packed images of sixty images: half train, a sixth val, a third test."""

    def __init__(self, folder):
        generator = np.random.default_rng(0)
        self.folder = folder
        self.images = generator.integers(256, size=(60, SIDE, SIDE), dtype=np.uint8)
        self.images = np.stack([cv2.GaussianBlur(image, (0, 0), 4) for image in self.images])
        part = np.repeat(["train", "val", "test"], [30, 10, 20])
        index = np.r_[np.repeat(0, 12), np.arange(18) % 3, np.arange(30) % 3]
        self.manifest = pd.DataFrame(
            {
                "image_id": [f"{number:02d}.png" for number in range(60)],
                "row": np.arange(60),
                "label": np.array(NAMES)[index],
                "label_index": index,
                "split": part,
                "group_id": [f"g{number // 2}" for number in range(60)],
            }
        )
        self.inventory = self.manifest[["image_id", "label"]].assign(
            width=SIDE, height=SIDE, channels=1, bytes=4000, jpeg_quality=np.nan, format="PNG"
        )

    def judge(self, resamples=100):
        """Write the files, run the stage, and return both its artefacts."""
        write_parquet(self.manifest, self.folder / "manifest.parquet", config={})
        write_parquet(self.inventory, self.folder / "inventory.parquet", config={})
        np.save(self.folder / "whole.npy", self.images)
        paths = [self.folder / name for name in ("manifest.parquet", "inventory.parquet", "whole.npy")]
        output, predictions = self.folder / "baselines.json", self.folder / "baselines.parquet"
        baselines(*paths, output, predictions, "set", "mine", "grouped", resamples=resamples)
        return json.loads(output.read_text()), read_parquet(predictions)


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


def guesses_of(table, name):
    return table[table["baseline"] == name].set_index("image_id")["predicted"]


def test_each_baseline_is_told_as_a_model_is(files):
    document, table = files.judge()
    assert document["identity"] == {"dataset": "set", "split": "mine", "protocol": "grouped"}
    assert (document["test"]["n_images"], document["test"]["n_groups"]) == (20, 10)
    assert list(table.columns) == BASELINES_SCHEMA.names
    for name in ("majority_class", "metadata", "nearest_neighbour"):
        own = document["test"][name]
        assert own["accuracy"]["low"] <= own["accuracy"]["value"] <= own["accuracy"]["high"]
        assert {"balanced_accuracy", "macro_f1", "mcc"} <= set(own)
        assert np.sum(own["confusion_matrix"]["counts"]) == 20
        rows = table[table["baseline"] == name]
        assert (rows["predicted"] == rows["label"]).mean() == pytest.approx(own["accuracy"]["value"])
        assert set(rows["image_id"]) == set(files.manifest.loc[40:, "image_id"])


def test_the_majority_is_that_of_the_training_part(files):
    _, table = files.judge()
    assert set(guesses_of(table, "majority_class")) == {"glioma"}


def test_copies_and_mirrored_copies_are_found_whatever_their_tone_to_a_grain(files):
    files.images[40:50] = files.images[10:20]
    files.images[50:60] = np.clip(files.images[10:20, :, ::-1].astype(int) + 3, 0, 255)
    _, table = files.judge()
    known = np.tile(files.manifest.loc[10:19, "label"], 2)
    np.testing.assert_array_equal(guesses_of(table, "nearest_neighbour"), known)


def test_the_nearest_neighbour_is_scikit_learns(files, monkeypatch):
    monkeypatch.setattr("brainmri.evaluation.baselines.BLOCK", 7)
    _, table = files.judge()
    small = [cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA) for image in files.images]
    # With the training images mirrored instead of the asked ones: the same distances.
    known = np.stack([*small[:30], *(image[:, ::-1] for image in small[:30])]).reshape(60, -1).astype(float)
    theirs = KNeighborsClassifier(1).fit(known, np.tile(files.manifest.loc[:29, "label"], 2))
    asked = np.stack(small[40:]).reshape(20, -1).astype(float)
    np.testing.assert_array_equal(guesses_of(table, "nearest_neighbour"), theirs.predict(asked))


def test_nothing_is_learnt_from_validation(files):
    files.images[40:50] = files.images[30:40]
    _, before = files.judge()
    files.manifest.loc[30:39, "label"] = NAMES[1]
    files.manifest.loc[30:39, "label_index"] = 1
    files.inventory.loc[30:39, "channels"] = 3
    _, after = files.judge()
    pd.testing.assert_frame_equal(before, after)


def test_metadata_that_gives_the_class_away_scores_without_a_picture(files):
    told, _ = files.judge()
    files.inventory["channels"] = np.where(files.manifest["label"] == "no_tumor", 3, 1)
    files.inventory["bytes"] = np.where(files.manifest["label"] == "glioma", 4000, 9000)
    given, _ = files.judge()
    assert given["test"]["metadata"]["accuracy"]["value"] == pytest.approx(1)
    assert given["test"]["metadata"]["accuracy"]["low"] < 0.95
    assert given["test"]["nearest_neighbour"] == told["test"]["nearest_neighbour"]


def test_files_that_are_all_alike_tell_the_majority_alone(files):
    files.images[:] = 0
    document, table = files.judge()
    assert set(guesses_of(table, "metadata")) == {"glioma"}
    assert document["test"]["metadata"] == document["test"]["majority_class"]


def test_the_same_inputs_give_the_same_files(files):
    files.judge()
    names = ("baselines.json", "baselines.parquet")
    before = [(files.folder / name).read_bytes() for name in names]
    files.judge()
    assert [(files.folder / name).read_bytes() for name in names] == before


def test_what_cannot_be_judged_is_refused(files):
    files.images = files.images[:50]
    with pytest.raises(BrainmriError, match="the 50 packed images"):
        files.judge()
    files = Files(files.folder)
    files.manifest["split"] = files.manifest["split"].replace("test", "excluded")
    with pytest.raises(BrainmriError, match="no test image"):
        files.judge()
    files = Files(files.folder)
    files.inventory = files.inventory.iloc[1:]
    with pytest.raises(BrainmriError, match=r"does not list '00\.png'"):
        files.judge()
    with pytest.raises(BrainmriError, match="at least 100"):
        files.judge(resamples=9)
    assert not (files.folder / "baselines.json").exists()


def test_the_command_line_judges(files):
    files.judge()
    inputs = {"manifest": "manifest.parquet", "inventory": "inventory.parquet", "images": "whole.npy"}
    outputs = {"output": "again.json", "predictions": "again.parquet"}
    words = [
        word for key, name in (inputs | outputs).items() for word in (f"--{key}", str(files.folder / name))
    ]
    names = ["--dataset", "set", "--split", "mine", "--protocol", "grouped", "--resamples", "100"]
    assert main(["baselines", *words, *names]) == 0
    again, first = (read_json(files.folder / name) for name in ("again.json", "baselines.json"))
    assert again.pop("made_from") != first.pop("made_from"), "the names of the predictions differ"
    assert again == first
