"""The stage `probes`: trained for real on a tiny set whose classes the border gives away."""

import json

import numpy as np
import pandas as pd
import pytest

from brainmri.artefacts import read_parquet, write_parquet
from brainmri.cli import main
from brainmri.digests import file_digest
from brainmri.errors import BrainmriError
from brainmri.evaluation import probe_training
from brainmri.evaluation.probe_training import shortened
from brainmri.evaluation.probes import PROBES_SCHEMA, probes
from brainmri.images.probed import PROBES
from brainmri.models.settings import CnnSettings, HeadSettings
from brainmri.splits import shuffle
from brainmri.training.recipe import Recipe, recipe_from

SIZE = 24
NAMES = ["glioma", "meningioma", "pituitary"]
RECIPE = Recipe(
    architecture="cnn",
    image_size=SIZE,
    cnn=CnnSettings(channels=[8]),
    head=HeadSettings(hidden=[]),
    epochs=12,
    batch_size=16,
    precision="fp32",
    layout="contiguous",
    compile=False,
)


class Files:
    """Sixty groups of two images; the class is the brightness of the frame, the inside is noise."""

    def __init__(self, folder):
        self.folder, generator = folder, np.random.default_rng(0)
        group = np.repeat(np.arange(60), 2)
        index = group % 3
        self.images = generator.integers(0, 120, (len(group), SIZE, SIZE)).astype(np.uint8)
        frame = np.ones((SIZE, SIZE), bool)
        frame[2:-2, 2:-2] = False
        for image, label in zip(self.images, index, strict=True):
            image[frame] = 40 + 90 * label
        part = np.repeat(["train", "val", "test"], [60, 24, 36])
        self.manifest = pd.DataFrame(
            {
                "image_id": [f"{number:03d}.png" for number in range(len(group))],
                "row": np.arange(len(group)),
                "label": np.array(NAMES)[index],
                "label_index": index,
                "split": part,
                "reason": None,
                "group_id": [f"g{own:02d}" for own in group],
                "sha256": "",
            }
        )

    def probe(self, name="probes", **changed):
        """Write the files, run the stage, and return both its artefacts."""
        write_parquet(self.manifest, self.folder / "manifest.parquet", config={})
        np.save(self.folder / "images.npy", self.images)
        output, predictions = self.folder / f"{name}.json", self.folder / f"{name}.parquet"
        arguments = {"epochs": 8, "resamples": 100, "device": "cpu", "threads": 1} | changed
        probes(
            *(self.folder / "manifest.parquet", self.folder / "images.npy", output, predictions, RECIPE),
            *("set", "mine", "grouped", "small"),
            work_dir=self.folder / "work",
            cache_dir=self.folder / "cache",
            **arguments,
        )
        return json.loads(output.read_text()), read_parquet(predictions)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return Files(tmp_path_factory.mktemp("probes"))


@pytest.fixture(scope="module")
def probed(files):
    """Return the artefacts of one run of the stage."""
    return files.probe()


def test_each_probe_is_judged_on_the_same_test_images_as_the_control(files, probed):
    document, said = probed
    assert said.columns.tolist() == PROBES_SCHEMA.names
    tested = files.manifest.loc[files.manifest["split"] == "test", "image_id"].tolist()
    for probe in PROBES:
        assert said.loc[said["probe"] == probe, "image_id"].tolist() == tested
        entry = document["test"][probe]
        for metric in ("accuracy", "balanced_accuracy", "macro_f1"):
            assert entry[metric]["low"] <= entry[metric]["value"] <= entry[metric]["high"]
        assert ("difference" in entry) == (probe != "unaltered")
    assert document["test"]["n_images"] == 36 and document["test"]["n_groups"] == 18
    assert document["omitted"] == {}


def test_a_class_that_the_border_tells_is_told_by_the_border_alone(probed):
    test = probed[0]["test"]
    assert test["unaltered"]["balanced_accuracy"]["low"] > 0.6
    assert test["border"]["balanced_accuracy"]["low"] > 0.6
    assert test["border"]["chance"]["balanced_accuracy"] == pytest.approx(1 / 3)


def test_labels_that_mean_nothing_are_not_learnt_for_other_groups(probed):
    document, said = probed
    own = said[said["probe"] == "shuffled_labels"]
    assert (own["target"] != own["label"]).any()
    assert own.groupby("group_id")["target"].nunique().max() == 1
    low = document["test"]["shuffled_labels"]["balanced_accuracy"]["low"]
    assert low < document["test"]["shuffled_labels"]["chance"]["balanced_accuracy"]
    others = said[said["probe"] != "shuffled_labels"]
    assert (others["target"] == others["label"]).all()


def test_the_same_seed_gives_the_same_bits_and_nothing_is_left_behind(files, probed):
    first = {end: file_digest(files.folder / f"probes.{end}") for end in ("json", "parquet")}
    files.probe("again")
    assert file_digest(files.folder / "again.parquet") == first["parquet"]
    again, before = (json.loads((files.folder / f"{name}.json").read_text()) for name in ("again", "probes"))
    assert again["test"] == before["test"]
    assert list((files.folder / "work").iterdir()) == []


def test_a_stage_that_was_stopped_goes_on_and_trains_no_probe_twice(files, probed, monkeypatch, capsys):
    real, calls = probe_training.conduct, []

    def stopping(order):
        if "centre_masked" in str(order.model) and not calls:
            calls.append(order.model)
            raise BrainmriError("stopped, as asked")
        real(order)

    monkeypatch.setattr(probe_training, "conduct", stopping)
    with pytest.raises(BrainmriError, match="as asked"):
        files.probe("stopped")
    capsys.readouterr()
    document, _ = files.probe("stopped")
    told = capsys.readouterr().err
    assert "probe: unaltered" not in told and "probe: centre masked" in told
    assert document["test"] == probed[0]["test"]


def test_where_labels_cannot_be_shuffled_that_probe_is_left_out_and_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(shuffle, "DRAWS", 0)
    document, said = Files(tmp_path).probe(epochs=1)
    assert "left without a training image" in document["omitted"]["shuffled_labels"]
    assert "shuffled_labels" not in document["test"]
    assert set(said["probe"]) == set(PROBES) - {"shuffled_labels"}


def test_a_shortened_recipe_shortens_its_schedule_alike():
    recipe = recipe_from(
        {
            "architecture": "cnn",
            "image_size": 24,
            "epochs": 30,
            "schedule": {"name": "step", "step_epochs": 10, "warmup_epochs": 3},
        }
    )
    short = shortened(recipe, 6)
    assert (short.epochs, short.schedule.step_epochs) == (6, 2)
    assert short.schedule.warmup_epochs == pytest.approx(0.6)
    assert shortened(recipe, 100) == recipe


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"resamples": 10}, "resamples is 10"), ({"epochs": 0}, "epochs is 0"), ({"seed": -1}, "seed is -1")],
)
def test_impossible_settings_are_refused(tmp_path, changed, said):
    with pytest.raises(BrainmriError, match=said):
        Files(tmp_path).probe(**changed)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [("group_id", None, "without group_id"), ("split", "tset", "'tset'"), ("image_id", "000.png", "twice")],
)
def test_a_manifest_whose_images_or_groups_cannot_be_told_apart_is_refused(tmp_path, column, value, said):
    files = Files(tmp_path)
    files.manifest.loc[files.manifest.index[-1], column] = value
    with pytest.raises(BrainmriError, match=said):
        files.probe()


def test_a_work_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "work").write_text("a file in its place")
    with pytest.raises(BrainmriError, match=r"Cannot write .*run again"):
        Files(tmp_path).probe()


def test_a_split_without_test_images_is_told_by_the_command(tmp_path, capsys):
    files = Files(tmp_path)
    write_parquet(files.manifest[files.manifest["split"] != "test"], tmp_path / "manifest.parquet", config={})
    np.save(tmp_path / "images.npy", files.images)
    command = ["probes", "--manifest", tmp_path / "manifest.parquet", "--images", tmp_path / "images.npy"]
    command += ["--output", tmp_path / "p.json", "--predictions", tmp_path / "p.parquet", "--dataset", "set"]
    command += ["--recipe", '{"architecture": "cnn", "image_size": 24}', "--split", "mine"]
    command += ["--protocol", "random", "--model", "cnn", "--work_dir", tmp_path / "work"]
    assert main([str(word) for word in command]) == 1
    assert "has no test image: nothing can be said of a probe" in capsys.readouterr().err
    assert not (tmp_path / "p.json").exists()
