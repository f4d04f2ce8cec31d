"""Hundreds of damaged files of every format, from the inventory to the packed array."""

import io

import cv2
import numpy as np
import pandas as pd
import pytest
from dicom_files import dicom
from PIL import Image
from pydicom import dcmread
from pydicom.pixels import compress
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

from brainmri.images.crop import crop
from brainmri.images.inventory import inventory
from brainmri.images.store import open_images
from brainmri.sources.checksum import checksum

EACH = 36
STATUSES = {"ok", "corrupt", "unsupported", "oversized", "empty"}


def seeds_of_damage() -> dict[str, bytes]:
    """Return one good small file of each kind."""
    rng = np.random.default_rng(0)
    gray = cv2.GaussianBlur(rng.integers(0, 256, (48, 56), np.uint8), (5, 5), 0)
    colour = np.dstack([gray, 255 - gray, gray // 2])
    alpha = np.dstack([colour, gray])
    deep = gray.astype(np.uint16) * 16

    def encoded(pixels, ending, mode=None, **options):
        buffer = io.BytesIO()
        picture = Image.fromarray(pixels) if mode is None else Image.fromarray(pixels, mode)
        picture.save(buffer, ending, **options)
        return buffer.getvalue()

    more = {"save_all": True, "append_images": [Image.fromarray(255 - gray)], "duration": 9}
    rle, file = dcmread(io.BytesIO(dicom(deep))), io.BytesIO()
    compress(rle, RLELossless, encoding_plugin="pydicom")
    rle.save_as(file)
    return {
        "jpg": encoded(gray, "jpeg"),
        "progressive.jpg": encoded(colour, "jpeg", progressive=True, exif=Image.Exif()),
        "cmyk.jpg": encoded(alpha, "jpeg", "CMYK"),
        "png": encoded(alpha, "png"),
        "animated.png": encoded(gray, "png", **more),
        "bmp": encoded(colour, "bmp"),
        "tif": encoded(colour, "tiff", compression="tiff_lzw"),
        "pages.tiff": encoded(gray, "tiff", **more),
        "webp": encoded(alpha, "webp", lossless=True),
        "animated.webp": encoded(colour, "webp", **more | {"append_images": [Image.fromarray(255 - colour)]}),
        "dcm": dicom(deep, WindowCenter=2000, WindowWidth=3000, RescaleSlope=1, RescaleIntercept=0),
        "rle.dcm": file.getvalue(),
        "jpeg.dcm": dicom(gray, JPEGBaseline8Bit, [encoded(gray, "jpeg")]),
        "jp2.dcm": dicom(deep, JPEG2000Lossless, [encoded(deep, "jpeg2000", no_jp2=True)]),
    }


def damaged(good: dict[str, bytes], kind: str, rng: np.random.Generator) -> bytes:
    """Return a file with flipped bits, cut off, spliced with another, or with sizes that lie."""
    data = bytearray(good[kind])
    # Most of what an attacker can say stands in the first bytes.
    place = int(rng.integers(len(data) if rng.random() < 0.5 else min(len(data), 600)))
    way = rng.integers(6)
    if way == 0:
        for at in rng.integers(len(data), size=int(rng.integers(1, 9))):
            data[at] ^= 1 << int(rng.integers(8))
    elif way == 1:
        del data[place:]
    elif way == 2:
        other = good[str(rng.choice(list(good)))]
        data[place:] = other[int(rng.integers(len(other))) :]
    elif way == 3:
        data[place : place + 4] = rng.choice(
            [b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f"]
        )
    elif way == 4:
        data[place:place] = rng.bytes(int(rng.integers(1, 200)))
    else:
        length = int(rng.integers(1, 100))
        data[place : place + length] = bytes(length)
    return bytes(data)


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
    """A raw folder of damaged files, with its inventory."""
    folder = tmp_path_factory.mktemp("hostile")
    good, rng = seeds_of_damage(), np.random.default_rng(1)
    (folder / "raw" / "glioma").mkdir(parents=True)
    for kind, data in good.items():
        (folder / "raw" / "glioma" / f"good.{kind}").write_bytes(data)
        for number in range(EACH):
            (folder / "raw" / "glioma" / f"{number:02}.{kind}").write_bytes(damaged(good, kind, rng))
    checksum("hostile", folder / "raw", folder / "checksums.parquet")
    inventory(folder / "raw", folder / "checksums.parquet", folder / "inventory.parquet")
    return folder


def test_every_damaged_file_is_a_row_with_a_reason(listed):
    table = pd.read_parquet(listed / "inventory.parquet").set_index("image_id")
    assert len(table) == len(seeds_of_damage()) * (EACH + 1)
    assert set(table["status"]) <= STATUSES
    rejected = table[table["status"] != "ok"]
    assert rejected["reason"].str.len().gt(5).all()
    assert rejected["pixel_sha256"].isna().all()
    assert rejected["reason"].str.len().max() < 250
    good = table[table.index.str.contains("good")]
    assert (good["status"] == "ok").all()
    # Neither may all damage be refused nor all pass, or the test would show nothing.
    assert 0.2 < len(rejected) / len(table) < 0.95


def test_all_that_is_called_usable_is_packed(listed, tmp_path):
    crop(listed / "raw", listed / "inventory.parquet", tmp_path / "i.npy", tmp_path / "c.parquet", size=32)
    table = pd.read_parquet(listed / "inventory.parquet")
    assert len(open_images(tmp_path / "i.npy")) == (table["status"] == "ok").sum()
