"""Decoding hostile, damaged and unusual images."""

import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest
from helpers import encoded
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from brainmri.images.decode import DecodeError, checked_header, decode_gray
from brainmri.images.header import HeaderError, read_header

GRAY = (np.add.outer(np.arange(40), np.arange(60)) * 2).astype(np.uint8)


def status_of(data):
    """Return the status and the reason with which bytes are refused."""
    with pytest.raises(DecodeError) as caught:
        decode_gray(data)
    return caught.value.status, caught.value.reason


COLOUR = np.dstack([GRAY, GRAY // 2, 255 - GRAY])
ALPHA = np.dstack([COLOUR, GRAY])


@pytest.mark.parametrize(
    ("array", "ending", "options", "channels"),
    [
        (GRAY, "jpeg", {}, 1),
        (GRAY, "jpeg", {"progressive": True}, 1),
        (COLOUR, "jpeg", {}, 3),
        (GRAY, "png", {}, 1),
        (GRAY > 50, "png", {}, 1),
        (COLOUR, "png", {}, 3),
        (ALPHA, "png", {}, 4),
        (GRAY, "bmp", {}, 1),
        (COLOUR, "bmp", {}, 3),
        (GRAY, "tiff", {}, 1),
        (COLOUR, "tiff", {"compression": "tiff_lzw"}, 3),
        (COLOUR, "webp", {}, 3),
        (COLOUR, "webp", {"lossless": True}, 3),
        (ALPHA, "webp", {}, 4),
        (ALPHA, "webp", {"lossless": True}, 4),
    ],
)
def test_every_format_is_told_by_its_header_and_decoded(array, ending, options, channels):
    data = encoded(array, ending, **options)
    header = read_header(data)
    assert (header.format, header.width, header.height) == (ending, 60, 40)
    assert header.channels == channels
    gray = decode_gray(data)
    assert gray.shape == (40, 60)
    assert gray.dtype == np.uint8
    if array is GRAY:
        assert abs(gray.astype(int) - GRAY).max() <= 6


def test_bytes_behind_a_jpeg_do_no_harm():
    data = encoded(GRAY, "jpeg")
    assert (decode_gray(data + bytes(100)) == decode_gray(data)).all()


def test_orientation_is_not_applied():
    exif = Image.Exif()
    exif[0x0112] = 6
    assert (decode_gray(encoded(GRAY, "jpeg", exif=exif)) == decode_gray(encoded(GRAY, "jpeg"))).all()


@pytest.mark.parametrize("ending", [".png", ".tiff"])
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (GRAY.astype(np.uint16), GRAY),
        (GRAY.astype(np.uint16) * 16, GRAY),
        (GRAY.astype(np.uint16) * 256, GRAY),
    ],
)
def test_sixteen_bits_are_scaled_whatever_their_depth(ending, values, expected):
    data = cv2.imencode(ending, values)[1].tobytes()
    assert (decode_gray(data) == expected).all()


def test_floating_point_is_scaled_to_its_largest_value():
    values = GRAY.astype(np.float32) / 1000
    values[0, :3] = np.nan, np.inf, -5
    gray = decode_gray(cv2.imencode(".tiff", values)[1].tobytes())
    assert gray.max() == 255
    assert (gray[0, :3] == 0).all()


@pytest.mark.parametrize("ending", ["jpeg", "png", "bmp", "tiff", "webp"])
@pytest.mark.parametrize("part", [0.02, 0.1, 0.3, 0.6, 0.9, 0.98])
def test_an_image_that_is_cut_off_is_corrupt(ending, part):
    options = {"compression": "tiff_lzw"} if ending == "tiff" else {}
    data = encoded(np.random.default_rng(0).integers(0, 256, (90, 70), np.uint8), ending, **options)
    status, reason = status_of(data[: int(part * len(data))])
    assert status == "corrupt"
    assert reason


def test_a_thumbnails_end_mark_is_not_the_images():
    exif = Image.Exif()
    exif[0x927C] = encoded(GRAY, "jpeg")
    data = encoded(GRAY, "jpeg", exif=exif.tobytes())
    assert data.count(b"\xff\xd9") == 2
    assert status_of(data[:-200])[0] == "corrupt"


def test_png_with_a_damaged_chunk_is_corrupt():
    data = bytearray(encoded(np.random.default_rng(0).integers(0, 256, (90, 70), np.uint8), "png"))
    data[len(data) // 2] ^= 0xFF
    assert status_of(bytes(data))[0] == "corrupt"


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        (b"", "empty", "no bytes"),
        (b"this is a text\n" * 50, "corrupt", "no image"),
        (bytes(1000), "corrupt", "no image"),
        (b"\xff\xd8\xff", "corrupt", "jpeg"),
        (b"\xff\xd8\xff\xd9", "corrupt", "jpeg"),
        (b"\xff\xd8\xff\xe0\x00\x00" * 9, "corrupt", "jpeg"),
        (b"\x89PNG\r\n\x1a\n", "corrupt", "png"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "corrupt", "png"),
        (b"II*\0\xff\xff\xff\xff", "corrupt", "tiff"),
        (b"II*\0\x08\0\0\0\xff\xff" + bytes(30), "corrupt", "tiff"),
        (b"RIFF\x10\0\0\0WEBPXXXX" + bytes(30), "corrupt", "webp"),
        (b"BM" + bytes(60), "corrupt", "bmp"),
        (b"GIF89a" + bytes(50), "unsupported", "GIF"),
        (bytes(128) + b"DICM" + bytes(50), "corrupt", "DICOM"),
        (b"\x08\x00\x05\x00\x0a\0\0\0ISO_IR 100" + bytes(50), "unsupported", "PS3.10"),
        (bytes(344) + b"n+1\0" + bytes(50), "unsupported", "NIfTI"),
        (b"\0\0\0\x1cftypheic" + bytes(50), "unsupported", "HEIC"),
    ],
)
def test_what_is_no_usable_image_says_why(data, status, words):
    assert status_of(data)[0] == status
    assert words in status_of(data)[1]


def huge_png(width, height):
    """Return a PNG whose header claims a size, with hardly any data."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(b""))]
    data = b"\x89PNG\r\n\x1a\n"
    for name, body in [*chunks, (b"IEND", b"")]:
        data += struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    return data


@pytest.mark.parametrize("size", [(25_001, 1_000), (2**31 - 1, 2**31 - 1), (1, 25_000_001)])
def test_a_claim_of_too_many_pixels_is_refused_before_decoding(monkeypatch, size):
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    status, reason = status_of(huge_png(*size))
    assert status == "oversized"
    assert f"{size[0]} x {size[1]}" in reason


def test_the_largest_claim_that_is_allowed_is_no_more_than_the_limit():
    assert checked_header(huge_png(5_000, 5_000)).width == 5_000
    with pytest.raises(DecodeError):
        checked_header(huge_png(10, 10), maximum_pixels=99)


def test_a_jpeg_header_that_claims_too_much_is_oversized():
    data = bytearray(encoded(GRAY, "jpeg"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", 65000, 65000)
    assert status_of(bytes(data))[0] == "oversized"


def test_a_jpeg_segment_that_the_decoder_walks_into_hides_nothing():
    data = encoded(GRAY, "jpeg")
    at = data.index(b"\xff\xc0")
    hidden = b"\xff\xc0" + struct.pack(">HBHHB", 11, 8, 4000, 4000, 1) + b"\x01\x11\x00"
    data = data[:at] + b"\xff\x00" + struct.pack(">H", len(hidden) + 2) + hidden + data[at:]
    assert status_of(data) == ("corrupt", "the jpeg header is damaged: a marker is missing")


@pytest.mark.parametrize("kind", [4, 9])  # LONG, and SLONG, which libtiff takes for one.
def test_a_tiff_with_two_widths_is_corrupt(monkeypatch, kind):
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    width, height = ((tag, 4, 1, 40) for tag in (256, 257))
    entries = [(256, kind, 1, 20_000), width, height]
    data = b"II*\0\x08\0\0\0" + struct.pack("<H", 3) + b"".join(struct.pack("<HHII", *one) for one in entries)
    assert status_of(data + bytes(100))[0] == "corrupt"


def test_the_decoder_has_the_limit_too():
    code = (
        "import brainmri, cv2, numpy;"
        "cv2.imdecode(cv2.imencode('.jpg', numpy.zeros((5000, 5001), 'uint8'))[1], cv2.IMREAD_GRAYSCALE)"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert "CV_IO_MAX_IMAGE_PIXELS" in ended.stderr


STARTS = [b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"BM", b"RIFF", b"\x89PNG\r\n\x1a\n"]


@settings(max_examples=200, deadline=None)
@given(
    data=st.binary(max_size=60), start=st.sampled_from([b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"BM", b"RIFF"])
)
def test_no_header_crashes_the_reader(data, start):
    try:
        read_header(start + data)
    except HeaderError as error:
        assert str(error)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), ending=st.sampled_from(["jpeg", "png", "bmp", "tiff", "webp"]))
def test_damaged_images_decode_or_are_refused(data, ending):
    content = bytearray(encoded(GRAY, ending))
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=8)):
        content[at] = data.draw(st.integers(0, 255))
    try:
        gray = decode_gray(bytes(content), maximum_pixels=1_000_000)
    except DecodeError as error:
        assert error.status in ("corrupt", "unsupported", "oversized")
    else:
        assert gray.dtype == np.uint8
        assert gray.ndim == 2
