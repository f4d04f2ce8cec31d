"""The packed array: right rows, right boxes, the same bytes whatever the workers."""

import shutil

import cv2
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from helpers import Trap

from brainmri.artefacts import write_parquet
from brainmri.errors import BrainmriError
from brainmri.images.box import CropSettings
from brainmri.images.crop import SCHEMA, crop
from brainmri.images.decode import decode_gray
from brainmri.images.inventory import inventory
from brainmri.images.prepare import prepare_image
from brainmri.images.store import open_images, stored_rows
from brainmri.sources.checksum import checksum


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
    """A raw folder of 75 images and two files that are none, with its inventory."""
    folder = tmp_path_factory.mktemp("set")
    raw = folder / "raw"
    (raw / "glioma").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(75):
        image = np.zeros(rng.integers(60, 200, 2), np.uint8)
        height, width = image.shape
        cv2.ellipse(image, (width // 2, height // 2), (width // 3, height // 3), 0, 0, 360, 150, -1)
        image[:5, :5] = number
        cv2.imwrite(str(raw / "glioma" / f"{number}.png"), image)
    (raw / "glioma" / "0a.jpg").write_bytes(b"text")
    (raw / "black.png").write_bytes(cv2.imencode(".png", np.zeros((40, 50), np.uint8))[1].tobytes())
    checksum("set", raw, folder / "c.parquet")
    inventory(raw, folder / "c.parquet", folder / "inventory.parquet")
    return folder


def packed(listed, tmp_path, **arguments):
    """Run the stage and return the array and the table."""
    images, crops = tmp_path / "images.npy", tmp_path / "crops.parquet"
    crop(listed / "raw", listed / "inventory.parquet", images, crops, **{"size": 32, **arguments})
    return open_images(images), pd.read_parquet(crops)


def test_rows_are_the_usable_images_in_the_inventorys_order(listed, tmp_path):
    images, crops = packed(listed, tmp_path)
    table = pd.read_parquet(listed / "inventory.parquet")
    assert images.shape == (76, 32, 32)
    assert pq.read_schema(tmp_path / "crops.parquet").remove_metadata() == SCHEMA
    pd.testing.assert_frame_equal(crops[["image_id", "row"]], stored_rows(table))
    for row in crops.itertuples():
        gray = decode_gray((listed / "raw" / row.image_id).read_bytes())
        expected, box, fallback = prepare_image(gray, 32, CropSettings())
        assert (images[row.row] == expected).all()
        assert (row.left, row.top, row.right, row.bottom) == (box.left, box.top, box.right, box.bottom)
        assert row.area_fraction == box.area / gray.size
        assert row.fallback == fallback


def test_rejected_crops_are_recorded(listed, tmp_path):
    crops = packed(listed, tmp_path)[1].set_index("image_id")
    assert crops["fallback"].sum() == 1
    black = crops.loc["black.png"]
    assert (black.left, black.top, black.right, black.bottom, black.area_fraction) == (0, 0, 50, 40, 1.0)
    assert (crops["area_fraction"].drop("black.png") < 0.6).all()


def test_the_bytes_do_not_depend_on_the_workers(listed, tmp_path):
    for workers in (1, 2, 5):
        packed(listed, tmp_path / str(workers), workers=workers)
    contents = {(tmp_path / str(workers) / "images.npy").read_bytes() for workers in (1, 2, 5)}
    assert len(contents) == 1


def test_the_file_is_a_plain_numpy_array_of_version_1(listed, tmp_path):
    images, _ = packed(listed, tmp_path)
    assert isinstance(images, np.memmap)
    assert not images.flags.writeable
    with (tmp_path / "images.npy").open("rb") as file:
        assert np.lib.format.read_magic(file) == (1, 0)
        assert np.lib.format.read_array_header_1_0(file) == ((76, 32, 32), False, np.dtype(np.uint8))
    assert (np.load(tmp_path / "images.npy") == images).all()


def test_no_crop_keeps_the_whole(listed, tmp_path):
    crops = packed(listed, tmp_path, settings=CropSettings(method="none"))[1]
    assert (crops["area_fraction"] == 1).all()
    assert not crops["fallback"].any()


def test_an_image_that_went_away_stops_the_stage_and_leaves_nothing(listed, tmp_path):
    table = pd.read_parquet(listed / "inventory.parquet")
    table.loc[table.index[-1], "path"] = "gone.png"
    table.loc[table.index[-1], "status"] = "ok"
    table.to_parquet(tmp_path / "inventory.parquet")
    with pytest.raises(BrainmriError, match=r"gone\.png"):
        crop(listed / "raw", tmp_path / "inventory.parquet", tmp_path / "i.npy", tmp_path / "c.parquet", 32)
    assert [path.name for path in tmp_path.iterdir()] == ["inventory.parquet"]


def test_an_image_that_changed_since_the_inventory_stops_the_stage(listed, tmp_path):
    raw = tmp_path / "raw"
    shutil.copytree(listed / "raw", raw)
    file = raw / "glioma" / "7.png"
    # As long as before, and an image still.
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(BrainmriError, match=r"7\.png changed .* run the stage checksum again"):
        crop(raw, listed / "inventory.parquet", tmp_path / "i.npy", tmp_path / "c.parquet", 32)
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


@pytest.mark.parametrize("size", [0, -1, 5000])
def test_sizes_that_make_no_sense_are_refused(listed, tmp_path, size):
    with pytest.raises(BrainmriError, match="size"):
        packed(listed, tmp_path, size=size)


def test_an_inventory_without_usable_images_is_refused(listed, tmp_path):
    table = pd.read_parquet(listed / "inventory.parquet").assign(status="corrupt")
    table.to_parquet(tmp_path / "inventory.parquet")
    with pytest.raises(BrainmriError, match="no usable image"):
        crop(listed / "raw", tmp_path / "inventory.parquet", tmp_path / "i.npy", tmp_path / "c.parquet", 32)


def broken_files(folder):
    """Yield files that are no packed array of square images."""
    good = np.zeros((3, 8, 8), np.uint8)
    arrays = {"float": good.astype(np.float32), "flat": good[0], "oblong": good[:, :4], "objects": None}
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", np.array([{}], object) if array is None else array)
        yield folder / f"{name}.npy"
    np.save(folder / "good.npy", good)
    whole = (folder / "good.npy").read_bytes()
    for keep in (0, 5, 60, 130, len(whole) - 1):
        (folder / f"cut{keep}.npy").write_bytes(whole[:keep])
        yield folder / f"cut{keep}.npy"
    np.savez(folder / "archive.npz", good=good)
    yield folder / "archive.npz"
    (folder / "text.npy").write_text("no array")
    yield folder / "text.npy"
    yield folder / "none.npy"
    yield folder


def test_a_store_that_is_broken_is_one_sentence(tmp_path):
    for path in broken_files(tmp_path):
        with pytest.raises(BrainmriError) as caught:
            open_images(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_pickle_in_a_packed_array_is_not_run(tmp_path):
    np.save(tmp_path / "images.npy", np.array([Trap(tmp_path / "sprung")], dtype=object), allow_pickle=True)
    with pytest.raises(BrainmriError, match="no whole NumPy array"):
        open_images(tmp_path / "images.npy")
    assert not (tmp_path / "sprung").exists()


def test_a_changed_pixel_in_the_packed_array_is_noticed(tmp_path):
    packed, boxes = tmp_path / "images_4.npy", tmp_path / "crops_4.parquet"
    np.save(packed, np.arange(48, dtype=np.uint8).reshape(3, 4, 4))
    write_parquet(pd.DataFrame({"row": [0, 1, 2]}), boxes, config={}, inputs=[packed])
    assert open_images(packed).shape == (3, 4, 4)
    whole = packed.read_bytes()
    for damaged in (whole[:-1] + b"\0", whole[:-1], whole + b"\0"):
        packed.write_bytes(damaged)
        with pytest.raises(BrainmriError, match=r"images_4\.npy .* run the same command again"):
            open_images(packed)
