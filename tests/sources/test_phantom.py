"""The phantom set as a user meets it: the same bytes again, the asked folders, and a truth that is true."""

import hashlib
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from brainmri.errors import BrainmriError
from brainmri.labels import CLASS_NAMES
from brainmri.sources.phantom import phantom
from brainmri.sources.synthetic.masks import lesion_mask
from brainmri.sources.synthetic.planted import draw_transform, toned, transformed
from brainmri.sources.synthetic.settings import COPY_KINDS

SIZE = 72


def gray(path: Path) -> np.ndarray:
    """Return the decoded image, or None where it cannot be decoded."""
    data = np.frombuffer(path.read_bytes(), np.uint8)
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if data.size else None


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel().astype(float), b.ravel().astype(float))[0, 1])


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    root = tmp_path_factory.mktemp("phantom") / "set"
    phantom(
        root, patients=12, slices=5, size=SIZE, seed=3, copies=0.5, conflicts=4, corrupt=2, empty=1, workers=1
    )
    return root, pd.read_parquet(root / "truth.parquet")


def copies(drawn, kind: str):
    root, truth = drawn
    rows = truth[truth.planted == kind]
    assert len(rows) >= 2
    for row in rows.itertuples():
        yield row, root / row.image_id, root / row.copy_of


def test_same_seed_same_bytes_whatever_the_workers(tmp_path):
    for name, workers in (("one", 1), ("again", 1), ("two", 2)):
        phantom(tmp_path / name, patients=8, slices=8, size=64, seed=5, workers=workers)
    assert digests(tmp_path / "one") == digests(tmp_path / "again") == digests(tmp_path / "two")
    phantom(tmp_path / "other", patients=8, slices=8, size=64, seed=6, workers=1)
    shared = set(digests(tmp_path / "one").values()) & set(digests(tmp_path / "other").values())
    assert len(shared) <= 3  # the empty file, the text, and the head of a JPEG


def test_truth_has_one_row_a_file_and_nothing_else(drawn):
    root, truth = drawn
    files = {path.relative_to(root).as_posix() for path in root.rglob("*.jpg")}
    assert set(truth.image_id) == files and truth.image_id.is_unique
    assert truth.image_id.is_monotonic_increasing
    originals = truth[truth.planted.isna()]
    assert len(originals) == 60
    assert set(originals.groupby("patient_id").size()) == {5}
    assert originals.groupby("patient_id").label.nunique().max() == 1
    assert (originals.groupby("label").patient_id.nunique() == 3).all()


def test_sizes_channels_and_folders_are_as_told(drawn):
    root, truth = drawn
    for row in truth[truth.status == "ok"].itertuples():
        image = cv2.imread(str(root / row.image_id), cv2.IMREAD_UNCHANGED)
        assert image.shape[:2] == (row.height, row.width)
        assert (3 if image.ndim == 3 else 1) == row.channels
        assert row.image_id.split("/")[:2] == [
            {"train": "Training", "test": "Testing"}[row.source_split],
            row.labelled,
        ]
        assert re.search(r"(P\d+)_", row.image_id)[1] == row.patient_id
        assert row.plane in row.image_id


def test_byte_copies_are_equal_files(drawn):
    for _, copy, original in copies(drawn, "bytes"):
        assert copy.read_bytes() == original.read_bytes()


def test_reencoded_copies_differ_in_bytes_alone(drawn):
    for _, copy, original in copies(drawn, "reencoded"):
        assert copy.read_bytes() != original.read_bytes()
        assert correlation(gray(copy), gray(original)) > 0.99


def test_mirrored_copies_are_the_flipped_original(drawn):
    for row, copy, original in copies(drawn, "mirrored"):
        assert correlation(gray(copy), gray(original)[:, ::-1]) > 0.97
        assert json.loads(row.transform)["mirror"] is True


def test_rotated_copies_are_turned_by_quarters(drawn):
    for row, copy, original in copies(drawn, "rotated"):
        turn = json.loads(row.transform)["turn"]
        assert turn in (90, 180, 270)
        assert correlation(gray(copy), np.rot90(gray(original), turn // 90)) > 0.97


def test_resized_copies_have_another_size_and_hardly_another_aspect(drawn):
    _, truth = drawn
    rows = truth.set_index("image_id")
    for row, _, _ in copies(drawn, "resized"):
        width, height = row.width / rows.width[row.copy_of], row.height / rows.height[row.copy_of]
        assert (width, height) != (1, 1)
        assert 0.48 <= min(width, height) <= max(width, height) <= 1.52
        assert abs(width / height - 1) < 0.08  # the aspect, and the rounding to whole pixels


def test_retoned_copies_follow_the_recorded_curve(drawn):
    for row, copy, original in copies(drawn, "retoned"):
        transform = json.loads(row.transform)
        assert 0.8 <= transform["gain"] <= 1.25 and 0.8 <= transform["gamma"] <= 1.25
        assert abs(transform["offset"]) <= 0.2
        brightness = (gray(original) / 255.0) ** transform["gamma"] * transform["gain"] + transform["offset"]
        difference = gray(copy) / 255.0 - brightness.clip(0, 1)
        assert np.abs(difference).mean() < 0.03


def moved(image: np.ndarray, transform: dict) -> np.ndarray:
    """Return where the recorded matrix takes an image, in the recorded tone."""
    return toned(
        cv2.warpAffine(image, np.array(transform["matrix"]), tuple(transform["size"])),
        transform,
    )


def test_transform_takes_the_original_to_the_copy(drawn):
    for kind in (*COPY_KINDS, "conflict"):
        for row, copy, original in copies(drawn, kind):
            transform = json.loads(row.transform)
            image = gray(copy)
            assert list(image.shape[::-1]) == transform["size"]
            assert correlation(image, moved(gray(original), transform)) > 0.97
            if kind == "affine":
                assert correlation(image, gray(original)) < 0.97


def test_combined_copies_take_every_combination_of_steps_with_one_true_matrix():
    noise = np.random.default_rng(0).normal(0, 1, (90, 80))
    image = np.clip(120 + 400 * cv2.GaussianBlur(noise, (0, 0), 4), 0, 255).astype(np.uint8)
    seen = set()
    for seed in range(600):
        transform = draw_transform(np.random.default_rng(seed), "combined", *image.shape)
        original = {"mirror": False, "turn": 0, "angle": 0.0, "gamma": 1.0}
        original["size"] = [90, 80] if transform["turn"] in (90, 270) else [80, 90]
        seen.add(
            tuple(
                transform[key] if key in ("mirror", "turn") else transform[key] != value
                for key, value in original.items()
            )
        )
        copy = toned(transformed(image, transform), transform)
        assert correlation(copy, moved(image, transform)) > 0.98
    assert len(seen) == 2 * 4 * 2 * 2 * 2 - 8  # neither none of the steps, nor one step alone


def test_every_kind_is_planted_in_a_small_set(tmp_path):
    phantom(tmp_path / "set", patients=10, slices=8, size=64, copies=0.1, workers=1)
    truth = pd.read_parquet(tmp_path / "set" / "truth.parquet")
    assert set(COPY_KINDS) == set(truth.planted[truth.copy_of.notna()]) - {"conflict"}


def test_lesion_of_a_copy_moves_with_the_copy(drawn):
    _, truth = drawn
    rows = truth.set_index("image_id")
    for kind in ("mirrored", "rotated", "affine", "resized", "combined"):
        for row, _, _ in copies(drawn, kind):
            if pd.isna(row.lesion_area) or row.lesion_area < 30:
                continue
            original = lesion_mask(rows.lesion_mask[row.copy_of]).astype(np.uint8) * 255
            mask = lesion_mask(row.lesion_mask)
            moved = (
                cv2.warpAffine(original, np.array(json.loads(row.transform)["matrix"]), mask.shape[::-1])
                > 127
            )
            assert (moved & mask).sum() / (moved | mask).sum() > 0.9


def test_conflicts_show_one_slice_under_two_labels(drawn):
    for row, copy, original in copies(drawn, "conflict"):
        assert row.label in str(original) and row.labelled in str(copy) and row.label != row.labelled


def test_copies_lie_across_the_split_too(drawn):
    _, truth = drawn
    split = truth.set_index("image_id").source_split
    pairs = truth[truth.copy_of.notna()]
    crossing = [split[row.copy_of] != row.source_split for row in pairs.itertuples()]
    assert 0 < sum(crossing) < len(crossing)


def test_broken_files_cannot_be_decoded(drawn):
    root, truth = drawn
    broken = truth[truth.status != "ok"]
    assert sorted(broken.planted) == ["corrupt", "corrupt", "empty", "text"]
    for row in broken.itertuples():
        assert gray(root / row.image_id) is None
        assert ((root / row.image_id).stat().st_size == 0) == (row.status == "empty")
    assert (root / truth.image_id[truth.planted == "text"].iloc[0]).read_text().isascii()


def test_lesions_are_recorded_where_there_are_any(drawn):
    _, truth = drawn
    seen = truth[truth.status == "ok"]
    assert (seen.lesion_area.isna() == (seen.label == "no_tumor")).all()
    for row in seen[seen.lesion_area.notna()].itertuples():
        mask = lesion_mask(row.lesion_mask)
        rows, columns = np.nonzero(mask)
        assert mask.shape == (row.height, row.width) and mask.sum() == row.lesion_area
        assert (columns.min(), rows.min()) == (row.lesion_left, row.lesion_top)
        assert (columns.max() + 1, rows.max() + 1) == (row.lesion_right, row.lesion_bottom)
    with pytest.raises(BrainmriError, match="no lesion mask"):
        lesion_mask(b"")


@pytest.mark.parametrize(
    ("layout", "pattern"),
    [
        ("plain", r"T(raining|esting)/(glioma|meningioma|pituitary|no_tumor)/P\d{4}_[a-z]+_\d\d\.jpg"),
        ("masoud", r"T(raining|esting)/(glioma|meningioma|pituitary|notumor)/T[re]-(gl|me|pi|no)_\d{4}\.jpg"),
        ("sartaj", r"(Training/\w+_tumor/(gg|m|p|image) \(\d+\)|Testing/\w+_tumor/image\(\d+\))\.jpg"),
        ("orvile", r"Brain_Cancer raw MRI data/Brain_Cancer/brain_(glioma|menin|tumor)/brain_\1_\d{4}\.jpg"),
    ],
)
def test_layouts_imitate_the_public_sets(tmp_path, layout, pattern):
    phantom(
        tmp_path / "set", tmp_path / "truth.parquet", patients=9, slices=3, size=64, layout=layout, workers=1
    )
    names = {
        path.relative_to(tmp_path / "set").as_posix()
        for path in (tmp_path / "set").rglob("*")
        if path.is_file()
    }
    assert all(re.fullmatch(pattern, name) for name in names)
    truth = pd.read_parquet(tmp_path / "truth.parquet")
    assert set(truth.image_id) == names
    assert set(truth.label) == set(CLASS_NAMES) - ({"no_tumor"} if layout == "orvile" else set())
    assert truth.source_split.isna().all() == (layout == "orvile")


def test_channels_give_the_class_away_only_where_asked(tmp_path):
    shares = {}
    for shortcut in (True, False):
        root = tmp_path / str(shortcut)
        phantom(
            root, patients=24, slices=5, size=64, channel_shortcut=shortcut, copies=0, conflicts=0, workers=1
        )
        truth = pd.read_parquet(root / "truth.parquet")
        shares[shortcut] = (
            truth[truth.status == "ok"].groupby("label").channels.apply(lambda c: (c == 3).mean())
        )
    assert shares[True]["no_tumor"] > 0.9 and shares[True]["glioma"] < 0.35
    assert abs(shares[False]["no_tumor"] - shares[False]["glioma"]) < 0.4


def test_patients_stay_whole_where_asked(tmp_path):
    for by, whole in (("patient", True), ("image", False)):
        phantom(
            tmp_path / by,
            patients=16,
            slices=4,
            size=64,
            split_by=by,
            test_fraction=0.25,
            copies=0,
            workers=1,
        )
        truth = pd.read_parquet(tmp_path / by / "truth.parquet")
        originals = truth[truth.planted.isna()]
        assert (originals.groupby("patient_id").source_split.nunique().max() == 1) == whole
        assert (originals.source_split == "test").mean() == pytest.approx(0.25)


def test_nothing_need_be_planted(tmp_path):
    phantom(
        tmp_path / "set", patients=1, slices=1, size=64, copies=0, conflicts=0, corrupt=0, empty=0,
        foreign_text=0, test_fraction=0, vary_size=False, workers=1,
    )  # fmt: skip
    truth = pd.read_parquet(tmp_path / "set" / "truth.parquet")
    assert len(truth) == 1 and (truth.width[0], truth.height[0]) == (64, 64)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("patients", 0), ("slices", 0), ("size", 8), ("size", 100_000), ("seed", -1), ("copies", 1.5),
        ("test_fraction", -0.1), ("conflicts", -1), ("corrupt", -1), ("layout", "plan"), ("split_by", "scan"),
        ("workers", -1), ("patients", 2.5), ("copies", float("nan")),
    ],
)  # fmt: skip
def test_bad_arguments_are_named_and_nothing_is_written(tmp_path, argument, value):
    with pytest.raises(BrainmriError, match=argument):
        phantom(tmp_path / "set", **{argument: value})
    assert list(tmp_path.iterdir()) == []


def test_more_copies_than_images_are_refused(tmp_path):
    with pytest.raises(BrainmriError, match="conflicts"):
        phantom(tmp_path / "set", patients=1, slices=2, copies=1.0, conflicts=1)


def test_a_folder_in_use_is_left_alone(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine.txt").write_text("keep")
    with pytest.raises(BrainmriError, match="not an empty folder"):
        phantom(tmp_path / "set", patients=1)
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["mine.txt"]


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(task):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("brainmri.sources.phantom.write_patient", fail)
    with pytest.raises(BrainmriError, match="No space left"):
        phantom(tmp_path / "set", patients=2, workers=1)
    assert list(tmp_path.iterdir()) == []
