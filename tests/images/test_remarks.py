"""Usable images that are odd: what is remarked, and that their gray is right all the same."""

import io
import struct

import cv2
import numpy as np
import pytest
from helpers import encoded
from PIL import Image

from brainmri.images.decode import DecodeError, decode_gray
from brainmri.images.header import read_header
from brainmri.images.remarks import REMARKS, joined_remarks

GRAY = (np.add.outer(np.arange(40), np.arange(60)) * 2).astype(np.uint8)
PICTURE = Image.fromarray(GRAY)
ALPHA = np.full_like(GRAY, 255)
ALPHA[:, :20] = 0
ALPHA[:, 20:30] = 128


def turned():
    """Return EXIF data that tell a turned image."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def with_alpha(mode="RGBA"):
    """Return a picture with hidden, half hidden and plain parts; white lies under what is hidden."""
    gray = np.where(ALPHA == 0, 255, GRAY).astype(np.uint8)
    layers = [gray, ALPHA] if mode == "LA" else [gray, gray, gray, ALPHA]
    return Image.fromarray(np.dstack(layers), mode)


INKS = np.random.default_rng(0).integers(0, 256, (5, 8, 4), np.uint8).repeat(8, 0).repeat(8, 1)
MORE = {"save_all": True, "append_images": [Image.fromarray(255 - GRAY)], "duration": 9}
DEEP = cv2.imencode(".png", GRAY.astype(np.uint16) * 256)[1].tobytes()
CASES = {
    "plain jpeg": (encoded(PICTURE, "jpeg"), ""),
    "plain png": (encoded(PICTURE, "png"), ""),
    "plain tiff": (encoded(PICTURE, "tiff"), ""),
    "plain bmp": (encoded(PICTURE, "bmp"), ""),
    "colour tiff": (encoded(PICTURE.convert("RGB"), "tiff"), ""),
    "plain webp": (encoded(PICTURE, "webp"), ""),
    "cmyk jpeg": (encoded(Image.fromarray(INKS, "CMYK"), "jpeg"), "cmyk"),
    "cmyk tiff": (encoded(Image.fromarray(INKS, "CMYK"), "tiff"), "cmyk"),
    "deep png": (DEEP, "sixteen_bit"),
    "deep tiff": (cv2.imencode(".tiff", GRAY.astype(np.uint16) * 256)[1].tobytes(), "sixteen_bit"),
    "deep colour tiff": (
        cv2.imencode(".tiff", np.dstack([GRAY.astype(np.uint16)] * 3))[1].tobytes(),
        "sixteen_bit",
    ),
    "alpha png": (encoded(with_alpha(), "png"), "alpha"),
    "gray alpha png": (encoded(with_alpha("LA"), "png"), "alpha"),
    "alpha webp": (encoded(with_alpha(), "webp", lossless=True, exact=True), "alpha"),
    "alpha tiff": (encoded(with_alpha(), "tiff"), "alpha"),
    "palette png": (encoded(PICTURE.convert("P"), "png"), "palette"),
    "transparent palette": (encoded(PICTURE.convert("P"), "png", transparency=0), "alpha;palette"),
    "palette tiff": (encoded(PICTURE.convert("P"), "tiff"), "palette"),
    "turned jpeg": (encoded(PICTURE, "jpeg", exif=turned()), "exif_rotated"),
    "turned png": (encoded(PICTURE, "png", exif=turned()), "exif_rotated"),
    "turned webp": (encoded(PICTURE, "webp", exif=turned().tobytes()), "exif_rotated"),
    "turned tiff": (encoded(PICTURE, "tiff", tiffinfo={274: 6}), "exif_rotated"),
    "animated png": (encoded(PICTURE, "png", **MORE), "animated"),
    "animated webp": (encoded(PICTURE, "webp", lossless=True, **MORE), "animated"),
    "pages": (encoded(PICTURE, "tiff", **MORE), "animated"),
    "tiny png": (encoded(PICTURE.crop((0, 0, 40, 31)), "png"), "tiny"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_odd_is_remarked_and_decoded(case):
    data, words = CASES[case]
    assert (joined_remarks(read_header(data).remarks) or "") == words
    assert decode_gray(data).dtype == np.uint8


@pytest.mark.parametrize("case", ["cmyk jpeg", "cmyk tiff"])
@pytest.mark.parametrize("transform", [0, 2])
def test_printing_inks_give_the_gray_that_other_programs_show(case, transform):
    data = bytearray(encoded(Image.fromarray(INKS, "CMYK"), "jpeg", quality=100, subsampling=0))
    data[data.index(b"Adobe") + 11] = transform  # 0: CMYK; 2: YCCK.
    data = CASES[case][0] if case == "cmyk tiff" else bytes(data)
    shown = np.asarray(Image.open(io.BytesIO(data)).convert("RGB").convert("L"))
    assert abs(decode_gray(data).astype(int) - shown).max() <= 3


def test_black_ink_is_dark():
    inks = np.zeros((*GRAY.shape, 4), np.uint8)
    inks[..., 3] = 255 - GRAY
    data = encoded(Image.fromarray(inks, "CMYK"), "jpeg", quality=95)
    assert abs(decode_gray(data).astype(int) - GRAY).max() <= 4


@pytest.mark.parametrize("case", ["alpha png", "gray alpha png", "alpha webp", "alpha tiff"])
def test_what_is_transparent_is_black_whatever_lies_under_it(case):
    expected = np.rint(np.where(ALPHA == 0, 0, GRAY * (ALPHA / 255)))
    assert abs(decode_gray(CASES[case][0]) - expected).max() <= 1


@pytest.mark.parametrize("value", [0, 255])
def test_an_alpha_that_parts_nothing_changes_nothing(value):
    layers = [GRAY, GRAY, GRAY, np.full_like(GRAY, value)]
    assert (decode_gray(encoded(Image.fromarray(np.dstack(layers)), "png")) == GRAY).all()


@pytest.mark.parametrize("case", ["animated png", "animated webp", "pages"])
def test_the_first_frame_is_used(case):
    assert abs(decode_gray(CASES[case][0]).astype(int) - GRAY).max() <= 2


def test_what_is_too_small_to_classify_is_refused():
    with pytest.raises(DecodeError) as caught:
        decode_gray(encoded(PICTURE.crop((0, 0, 40, 15)), "png"))
    assert caught.value.status == "unsupported"
    assert "40 x 15 pixels" in caught.value.reason


@pytest.mark.parametrize("quality", [1, 5, 10, 25, 49, 50, 51, 75, 90, 92, 95, 99, 100])
@pytest.mark.parametrize("colour", [False, True])
def test_the_quality_of_a_jpeg_is_read_from_its_table(quality, colour):
    picture = PICTURE.convert("RGB") if colour else PICTURE
    assert read_header(encoded(picture, "jpeg", quality=quality)).jpeg_quality == quality


def test_formats_without_tables_have_no_quality():
    assert read_header(encoded(PICTURE, "png")).jpeg_quality is None


def test_a_jpeg_of_endless_scans_is_refused():
    data = encoded(PICTURE, "jpeg", progressive=True)
    at = data.rindex(b"\xff\xda")
    scan = data[at:-2]
    with pytest.raises(DecodeError, match="scans"):
        decode_gray(data[:-2] + scan * 200 + b"\xff\xd9")


def test_a_sequential_jpeg_has_one_scan_whatever_follows_it():
    data = encoded(PICTURE, "jpeg")
    scan = data[data.index(b"\xff\xda") : -2]
    assert (decode_gray(data[:-2] + scan * 200 + b"\xff\xd9") == decode_gray(data)).all()


def test_a_tiff_of_giant_tiles_is_refused():
    entries = [(256, 4, 60), (257, 4, 40), (258, 3, 8), (259, 3, 1), (262, 3, 1), (277, 3, 1)]
    entries += [(322, 4, 1 << 23), (323, 4, 1 << 23), (324, 4, 8), (325, 4, 100)]
    data = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries))
    data += b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    with pytest.raises(DecodeError, match="tiles"):
        decode_gray(data + bytes(4))


def test_remarks_stand_in_one_order():
    assert joined_remarks(["tiny", "cmyk"]) == "cmyk;tiny"
    assert joined_remarks([]) is None
    assert all(";" not in word for word in REMARKS)
