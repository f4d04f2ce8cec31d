"""Every file has a row, and whatever is no usable image has a reason."""

import io
import shutil
import struct
import sys
import zlib

import cv2
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image

from brainmri.errors import BrainmriError
from brainmri.images.crop import crop
from brainmri.images.inventory import SCHEMA, inventory
from brainmri.images.layout import LayoutSettings
from brainmri.sources.checksum import checksum


def jpeg(seed=0, shape=(50, 70), **options):
    """Return a JPEG of noise, made by Pillow."""
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "jpeg", **options)
    return buffer.getvalue()


def png(seed=0):
    """Return a PNG of noise."""
    return cv2.imencode(".png", cv2.imdecode(np.frombuffer(jpeg(seed), np.uint8), 0))[1].tobytes()


def taken(tmp_path, files, **arguments):
    """Write files, take their inventory, and return it by path."""
    raw, table = tmp_path / "raw", tmp_path / "inventory.parquet"
    shutil.rmtree(raw, ignore_errors=True)
    for path, data in files.items():
        (raw / path).parent.mkdir(parents=True, exist_ok=True)
        (raw / path).write_bytes(data)
    checksum("set", raw, tmp_path / "c.parquet")
    inventory(raw, tmp_path / "c.parquet", table, **arguments)
    return pd.read_parquet(table).set_index("path")


GOOD = {"Training/glioma/1.jpg": jpeg(1), "Testing/no_tumor/2.jpg": jpeg(2, (30, 20, 3))}


def test_images_have_all_that_is_known_of_them(tmp_path):
    table = taken(tmp_path, GOOD)
    assert pq.read_schema(tmp_path / "inventory.parquet").remove_metadata() == SCHEMA
    first, second = table.loc["Training/glioma/1.jpg"], table.loc["Testing/no_tumor/2.jpg"]
    assert (first.width, first.height, first.channels, first.format) == (70, 50, 1, "jpeg")
    assert (second.width, second.height, second.channels) == (20, 30, 3)
    assert (first.label, first.source_split) == ("glioma", "train")
    assert (second.label, second.source_split) == ("no_tumor", "test")
    assert first.bytes == len(GOOD["Training/glioma/1.jpg"])
    assert table["status"].tolist() == ["ok", "ok"]
    assert table["reason"].isna().all()
    assert table["patient_id"].isna().all()
    assert table["image_id"].is_monotonic_increasing


def test_pixel_digest_is_of_the_pixels_not_the_file(tmp_path):
    gray = cv2.imdecode(np.frombuffer(jpeg(1), np.uint8), 0)
    files = {
        "glioma/1.jpg": jpeg(1),
        "glioma/copy.jpg": jpeg(1)[:-2] + b"\xff\xfe\x00\x04hi\xff\xd9",
        "glioma/copy.png": cv2.imencode(".png", gray)[1].tobytes(),
        "glioma/reshaped.png": cv2.imencode(".png", gray.reshape(25, 140))[1].tobytes(),
        "glioma/other.jpg": jpeg(2),
    }
    digests = taken(tmp_path, files)["pixel_sha256"]
    assert digests["glioma/1.jpg"] == digests["glioma/copy.jpg"] == digests["glioma/copy.png"]
    assert digests.nunique() == 3


CASES = {
    "glioma/empty.jpg": (b"", "empty", "no bytes"),
    "glioma/text.jpg": (b"not an image at all\n" * 20, "corrupt", "no image"),
    "glioma/cut.jpg": (jpeg(3)[:900], "corrupt", "cut off"),
    "glioma/cut.png": (png(3)[:900], "corrupt", "cut off"),
    "glioma/head.jpg": (jpeg(3)[:20], "corrupt", "jpeg header"),
    "glioma/scan.gif": (b"GIF89a" + bytes(20), "unsupported", "GIF"),
    "glioma/gif.jpg": (b"GIF89a" + bytes(20), "unsupported", "GIF"),
    "glioma/slice.dcm": (bytes(128) + b"DICM" + bytes(200), "corrupt", "DICOM"),
    "glioma/slice": (bytes(128) + b"DICM" + bytes(200), "corrupt", "DICOM"),
    "glioma/volume.nii.gz": (b"\x1f\x8b\x08" + bytes(20), "unsupported", ".gz"),
    "glioma/notes.txt": (b"notes", "foreign", "no image"),
    "labels.csv": (b"a,b\n1,2\n", "foreign", "no image"),
    "README": (b"read me", "foreign", "no image"),
    "glioma/Thumbs.db": (b"\xd0\xcf\x11\xe0" + bytes(50), "foreign", "no image"),
    "glioma/bm.txt": (b"BM" + bytes(40), "foreign", "no image"),
    ".DS_Store": (b"\0\0\0\1Bud1", "foreign", "hidden"),
    "glioma/.ipynb_checkpoints/1.jpg": (jpeg(1), "foreign", "hidden"),
    "__MACOSX/glioma/._1.jpg": (jpeg(1), "foreign", "hidden"),
    "glioma/._1.jpg": (b"\0\5\26\7" + bytes(50), "foreign", "hidden"),
}


def test_every_unusable_file_is_listed_with_its_reason(tmp_path):
    table = taken(tmp_path, {"glioma/1.jpg": jpeg(1), **{path: case[0] for path, case in CASES.items()}})
    assert len(table) == len(CASES) + 1
    assert table.loc["glioma/1.jpg", "status"] == "ok"
    for path, (_, status, words) in CASES.items():
        assert table.loc[path, "status"] == status, path
        assert words in table.loc[path, "reason"], path
        assert pd.isna(table.loc[path, "pixel_sha256"]), path
    assert table.loc[table["status"] == "foreign", "label"].isna().all()
    assert (table.loc[["glioma/cut.jpg", "glioma/empty.jpg"], "label"] == "glioma").all()


def test_jpegs_that_the_decoder_mends_in_silence_are_corrupt(tmp_path):
    good = jpeg(5, (120, 120))
    middle = len(good) // 2
    files = {f"glioma/{number:02}.jpg": jpeg(number) for number in range(70)}
    files["glioma/half.jpg"] = good[:middle] + b"\xff\xd9"
    files["glioma/hole.jpg"] = good[:middle] + bytes(400) + good[middle + 400 :]
    table = taken(tmp_path, files, workers=2)
    corrupt = table[table["status"] == "corrupt"]
    assert "glioma/half.jpg" in corrupt.index
    assert set(corrupt.index) <= {"glioma/half.jpg", "glioma/hole.jpg"}
    assert "premature end" in corrupt.loc["glioma/half.jpg", "reason"]


def test_tiffs_whose_strips_are_damaged_are_corrupt(tmp_path):
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80), np.uint8)
    Image.fromarray(pixels).save(buffer, "tiff", compression="tiff_lzw")
    good = buffer.getvalue()
    damaged = good[:2000] + bytes(300) + good[2300:]
    table = taken(tmp_path, {"glioma/good.tif": good, "glioma/torn.tif": damaged})
    assert table["status"].to_dict() == {"glioma/good.tif": "ok", "glioma/torn.tif": "corrupt"}
    assert "LZW" in table.loc["glioma/torn.tif", "reason"] or "code" in table.loc["glioma/torn.tif", "reason"]
    assert "ERROR" not in table.loc["glioma/torn.tif", "reason"]


def test_standard_error_is_as_before_after_an_inventory(tmp_path, capfd):
    good = jpeg(5, (120, 120))
    taken(tmp_path, {"glioma/1.jpg": jpeg(1), "glioma/2.jpg": good[: len(good) // 2] + b"\xff\xd9"})
    assert "premature" not in capfd.readouterr().err
    print("still here", file=sys.stderr)
    assert "still here" in capfd.readouterr().err


def test_what_a_decoder_quotes_of_a_file_does_not_command_the_terminal(tmp_path, capfd):
    good = cv2.imencode(".png", np.random.default_rng(0).integers(0, 256, (60, 80), np.uint8))[1].tobytes()
    body = b"iCCP\x1b[2J\0\0" + zlib.compress(bytes(4) + np.random.default_rng(0).bytes(300))
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    taken(tmp_path, {"glioma/1.png": good[:33] + chunk + good[33:]})
    written = [capfd.readouterr().err]
    crop(tmp_path / "raw", tmp_path / "inventory.parquet", tmp_path / "i.npy", tmp_path / "crops.parquet", 50)
    written.append(capfd.readouterr().err)
    assert all("iCCP: profile" in one and "\x1b" not in one for one in written)


def test_image_under_a_wrong_name_is_used_and_told(tmp_path):
    table = taken(tmp_path, {"glioma/1.jpg": png(1), "glioma/2.dat": jpeg(2), "glioma/3.JPG": jpeg(3)})
    assert (table["status"] == "ok").all()
    assert table.loc["glioma/1.jpg", "reason"] == "the name says jpeg, the content is png"
    assert table.loc["glioma/2.dat", "reason"] == "the name says no image, the content is jpeg"
    assert pd.isna(table.loc["glioma/3.JPG", "reason"])
    assert (table.loc[["glioma/1.jpg", "glioma/2.dat"], "remarks"] == "wrong_extension").all()
    assert pd.isna(table.loc["glioma/3.JPG", "remarks"])


def test_oversized_image_is_not_decoded_and_its_claim_is_told(tmp_path):
    data = bytearray(jpeg(1))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = b"\xff\xff\xff\xff"
    row = taken(tmp_path, {"glioma/1.jpg": jpeg(1), "glioma/huge.jpg": bytes(data)}).loc["glioma/huge.jpg"]
    assert (row.status, row.width, row.height) == ("oversized", 65535, 65535)


def test_what_a_rejected_image_says_of_itself_is_told(tmp_path):
    cut = jpeg(3, quality=60)[:-100]
    row = taken(tmp_path, {"glioma/1.jpg": jpeg(1), "glioma/cut.jpg": cut}).loc["glioma/cut.jpg"]
    assert (row.status, row.width, row.height, row.jpeg_quality) == ("corrupt", 70, 50, 60)


def test_the_table_does_not_depend_on_the_workers(tmp_path):
    files = {f"Training/glioma/{number}.jpg": jpeg(number) for number in range(80)}
    one = taken(tmp_path, files, workers=1)
    pd.testing.assert_frame_equal(one, taken(tmp_path, files, workers=3))


def test_layout_classes_and_patients_are_passed_on(tmp_path):
    files = {f"wrap/in/brain_tumor/P{number}_1.jpg": jpeg(number) for number in range(3)}
    files["notes.md"] = b"notes"
    table = taken(
        tmp_path,
        files,
        layout=LayoutSettings(patient_pattern=r"(P\d)_"),
        classes={"pituitary": ["brain_tumor"]},
    )
    row = table.loc["wrap/in/brain_tumor/P2_1.jpg"]
    assert (row.image_id, row.label, row.patient_id) == ("brain_tumor/P2_1.jpg", "pituitary", "P2")
    assert table.loc["notes.md", "image_id"] == "../../notes.md"
    assert table["image_id"].is_unique


def test_images_that_the_pattern_names_no_patient_of_are_told(tmp_path, capsys):
    files = {f"glioma/{name}.jpg": jpeg(seed) for seed, name in enumerate(("P1_1", "P1_2", "3", "p4"))}
    taken(tmp_path, files, layout=LayoutSettings(patient_pattern=r"(P\d)_"))
    assert "the patient of 2 of 4 images is not known" in capsys.readouterr().out


def test_images_outside_the_layout_are_foreign(tmp_path):
    table = taken(tmp_path, {**GOOD, "pred/1.jpg": jpeg(9)}, layout=LayoutSettings("", "Training", "Testing"))
    assert table.loc["pred/1.jpg", "status"] == "foreign"
    assert "outside" in table.loc["pred/1.jpg", "reason"]


def test_images_without_a_class_are_told(tmp_path, capsys):
    table = taken(tmp_path, {**GOOD, "brain_tumor/1.jpg": jpeg(9)})
    assert pd.isna(table.loc["brain_tumor/1.jpg", "label"])
    assert "1 images in 'brain_tumor'" in capsys.readouterr().out


def test_no_usable_image_is_an_error_with_a_reason(tmp_path):
    with pytest.raises(BrainmriError, match=r"glioma/1.jpg: the content is no image"):
        taken(tmp_path, {"glioma/1.jpg": b"text", "a.txt": b"text"})
    assert not (tmp_path / "inventory.parquet").exists()


@pytest.mark.parametrize("change", ["added", "removed", "changed", "changed_in_place"])
def test_files_that_changed_since_the_checksum_are_told(tmp_path, change):
    taken(tmp_path, GOOD)
    path = tmp_path / "raw" / "Training" / "glioma" / "1.jpg"
    if change == "added":
        path.with_name("new.jpg").write_bytes(jpeg(3))
    elif change == "removed":
        path.unlink()
    elif change == "changed":
        path.write_bytes(jpeg(3, (99, 99)))
    else:
        path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(BrainmriError, match="run the stage checksum again"):
        inventory(tmp_path / "raw", tmp_path / "c.parquet", tmp_path / "i.parquet")
