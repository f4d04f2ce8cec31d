"""DICOM slices: gray as a viewer shows them, a reason wherever there is none, and nobody's name."""

import io
import shutil
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pandas as pd
import pytest
from dicom_files import PATIENT, dicom
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.pixels import compress
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    RLELossless,
)

from brainmri.audit.audit import audit
from brainmri.images.box import CropSettings
from brainmri.images.crop import crop
from brainmri.images.decode import DecodeError, decode_gray
from brainmri.images.decoder_messages import decoder_messages
from brainmri.images.header import read_header
from brainmri.images.inventory import inventory
from brainmri.images.prepare import prepare_image
from brainmri.predict import read_image
from brainmri.sources.checksum import checksum

RAMP = (np.add.outer(np.arange(40), np.arange(60)) * 16).astype(np.uint16)
GRAY = (np.add.outer(np.arange(40), np.arange(60)) * 2).astype(np.uint8)


def refusal(data):
    """Return the status and the reason with which bytes are refused."""
    with pytest.raises(DecodeError) as caught:
        decode_gray(data)
    return caught.value.status, caught.value.reason


def table_of(first, bits, values):
    """Return a lookup table's item."""
    item = Dataset()
    item.LUTDescriptor = [len(values), first, bits]
    item.LUTData = np.asarray(values, "<u2").tobytes()
    return item


def test_without_a_window_the_slice_is_spread_over_all_grays():
    gray = decode_gray(dicom(RAMP))
    assert gray.dtype == np.uint8
    assert (gray == np.rint(RAMP * np.float32(255 / RAMP.max()))).all()


@pytest.mark.parametrize(
    ("function", "value", "expected"),
    [
        # PS3.3 C.11.2.1.2.1: center 2048, width 4096 is the identity of 12 bits.
        (None, 0, 0),
        (None, 4095, 255),
        ("LINEAR", 2048, 255 * 2048 / 4095),
        ("LINEAR_EXACT", 2048, 127.5),
        ("LINEAR_EXACT", 3072, 255 * 0.75),
        ("SIGMOID", 2048, 127.5),
        ("SIGMOID", 3072, 255 / (1 + np.exp(-1))),
    ],
)
def test_the_first_window_is_applied_as_the_standard_says(function, value, expected):
    pixels = np.full((40, 60), value, np.uint16)
    pixels[0, :2] = 0, 4095
    elements = {"WindowCenter": [2048, 40], "WindowWidth": [4096, 80]}
    elements |= {} if function is None else {"VOILUTFunction": function}
    assert abs(float(decode_gray(dicom(pixels, **elements))[20, 30]) - expected) <= 0.5


def test_values_are_rescaled_before_the_window():
    data = dicom(
        RAMP.astype(np.int16) - 500,
        RescaleSlope="0.5",
        RescaleIntercept="250",
        WindowCenter=128,
        WindowWidth=256,
    )
    expected = (RAMP / 2).clip(0, 255)
    assert abs(decode_gray(data) - expected).max() <= 0.5 + 1e-3


def test_a_window_that_hides_everything_is_not_used():
    assert (decode_gray(dicom(RAMP, WindowCenter=60000, WindowWidth=10)) == decode_gray(dicom(RAMP))).all()
    assert (decode_gray(dicom(RAMP, WindowCenter=500, WindowWidth=0)) == decode_gray(dicom(RAMP))).all()


def test_lookup_tables_are_applied():
    inverse = table_of(0, 16, np.arange(2048)[::-1] * 32)
    gray = decode_gray(dicom(RAMP, VOILUTSequence=[inverse]))
    assert gray[0, 0] == 255
    assert gray[0, 0] > gray[-1, -1]
    squared = table_of(0, 16, (np.arange(2048) ** 2 // 64))
    expected = (RAMP.astype(int) ** 2 // 64) * (255 / (RAMP.max().astype(int) ** 2 // 64))
    assert abs(decode_gray(dicom(RAMP, ModalityLUTSequence=[squared])) - expected).max() <= 1


def test_monochrome1_is_inverted():
    one = decode_gray(dicom(RAMP, PhotometricInterpretation="MONOCHROME1"))
    assert (one == 255 - decode_gray(dicom(RAMP))).all()


def test_padding_beside_the_picture_does_not_darken_it():
    pixels = RAMP.astype(np.int16)
    pixels[:, :5] = -2000
    gray = decode_gray(dicom(pixels, PixelPaddingValue=-2000))
    assert (gray[:, :5] == 0).all()
    assert gray[:, 5:].max() - int(gray[:, 5:].min()) > 250


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, RLELossless, JPEG2000Lossless])
def test_lossless_transfer_syntaxes_give_the_same_gray(syntax):
    if syntax == ImplicitVRLittleEndian:
        data = dicom(RAMP, syntax)
    elif syntax == JPEG2000Lossless:
        buffer = io.BytesIO()
        Image.fromarray(RAMP).save(buffer, "jpeg2000", no_jp2=True)
        data = dicom(RAMP, syntax, [buffer.getvalue()])
    else:
        file, dataset = io.BytesIO(), dcmread(io.BytesIO(dicom(RAMP)))
        compress(dataset, syntax, encoding_plugin="pydicom")
        dataset.save_as(file)
        data = file.getvalue()
    assert (decode_gray(data) == decode_gray(dicom(RAMP))).all()


def test_jpeg_baseline_is_decoded():
    frame = cv2.imencode(".jpg", GRAY, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    data = dicom(GRAY, JPEGBaseline8Bit, [frame], WindowCenter=128, WindowWidth=256)
    assert abs(decode_gray(data).astype(int) - GRAY).max() <= 4


def test_colours_are_converted_to_gray():
    colour = np.dstack([GRAY, GRAY // 2, 255 - GRAY])
    expected = cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY)
    assert (decode_gray(dicom(colour)) == expected).all()
    ycc = cv2.cvtColor(colour, cv2.COLOR_RGB2YCrCb)[..., [0, 2, 1]]
    gray = decode_gray(dicom(np.ascontiguousarray(ycc), PhotometricInterpretation="YBR_FULL"))
    assert abs(gray.astype(int) - expected).max() <= 3
    lut = {}
    for name, values in {"Red": 255 - np.arange(256), "Green": np.arange(256), "Blue": np.zeros(256)}.items():
        lut[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        lut[f"{name}PaletteColorLookupTableData"] = (values * 257).astype("<u2").tobytes()
    data = dicom(GRAY, PhotometricInterpretation="PALETTE COLOR", **lut)
    wanted = cv2.cvtColor(np.dstack([255 - GRAY, GRAY, 0 * GRAY]), cv2.COLOR_RGB2GRAY)
    assert abs(decode_gray(data).astype(int) - wanted).max() <= 1
    assert read_header(data).remarks == ("palette",)


WHOLE = dicom(RAMP)
JPEG = cv2.imencode(".jpg", np.zeros((80, 60), np.uint8))[1].tobytes()
REFUSED = {
    "frames": (dicom(RAMP, NumberOfFrames=3), "unsupported", "NumberOfFrames > 1"),
    "syntax": (dicom(GRAY, JPEGLosslessSV1, [b"\xff\xd8\xff\xd9"]), "unsupported", "JPEG Lossless, Non-Hier"),
    "huge": (dicom(RAMP, Rows=60000, Columns=60000), "oversized", "60000 x 60000"),
    "no pixels": (dicom(RAMP, without=["PixelData"]), "corrupt", "cut off"),
    "no image": (dicom(RAMP, without=["PixelData", "Rows"]), "corrupt", "MR Image Storage"),
    "cut in its pixels": (WHOLE[:-1000], "corrupt", "less than expected"),
    "cut in its header": (WHOLE[:400], "corrupt", "DICOM"),
    "more rows": (dicom(RAMP, Rows=80), "corrupt", "less than expected"),
    "no rows": (dicom(RAMP, Rows=0), "corrupt", "60 x 0"),
    "no interpretation": (dicom(RAMP, without=["PhotometricInterpretation"]), "corrupt", "interpretation"),
    "odd interpretation": (dicom(RAMP, PhotometricInterpretation="HSV"), "unsupported", "HSV"),
    "no bits": (dicom(RAMP, without=["BitsStored"]), "corrupt", "(0028,0101)"),
    "torn jpeg": (dicom(GRAY, JPEGBaseline8Bit, [JPEG[:-40]]), "corrupt", "cut off"),
    "other jpeg": (dicom(GRAY, JPEGBaseline8Bit, [JPEG]), "corrupt", "the data 60 x 80"),
    "text as rle": (dicom(GRAY, RLELossless, [b"text" * 40]), "corrupt", "DICOM"),
    "rle bomb": (dicom(GRAY, RLELossless, [bytes(20000)]), "oversized", "RLE"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_slice_says_why(case):
    data, status, words = REFUSED[case]
    found, reason = refusal(data)
    assert found == status
    assert words in reason


def test_big_endian_is_decoded():
    swapped = dicom(RAMP.byteswap(), ExplicitVRBigEndian)
    assert (decode_gray(swapped) == decode_gray(dicom(RAMP))).all()


def test_a_deflated_file_is_refused_before_it_is_inflated():
    meta = dicom(RAMP, DeflatedExplicitVRLittleEndian)
    bomb = zlib.compressobj(wbits=-15)
    data = meta[:300] + bomb.compress(bytes(10_000_000)) + bomb.flush()
    status, reason = refusal(data)
    assert status == "unsupported"
    assert "Deflated" in reason


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
    """A data set of slices of two patients and one unknown, with its inventory."""
    folder = tmp_path_factory.mktemp("set")
    raw = folder / "raw" / "glioma"
    raw.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(6):
        identity = ["MRN-4711", "MRN-0815", "ANONYMOUS"][number % 3]
        pixels = rng.integers(0, 900, (50, 50), np.uint16)
        study = f"1.2.3.{number}"
        data = dicom(pixels, PatientID=identity, StudyInstanceUID=study)
        # On DICOM media, names have no ending.
        (raw / (f"IM{number}" if number % 2 else f"{number}.dcm")).write_bytes(data)
    (raw / "7.png").write_bytes(dicom(RAMP, PatientID="MRN-4711", BurnedInAnnotation="YES"))
    (raw / "multi").write_bytes(dicom(RAMP, NumberOfFrames=9))
    checksum("set", folder / "raw", folder / "c.parquet")
    inventory(folder / "raw", folder / "c.parquet", folder / "inventory.parquet")
    return folder


def test_slices_have_rows_like_other_images(listed):
    table = pd.read_parquet(listed / "inventory.parquet").set_index("path")
    row = table.loc["glioma/IM1"]
    assert (row.status, row.format, row.width, row.height, row.channels) == ("ok", "dicom", 50, 50, 1)
    assert pd.isna(row.remarks)
    assert table.loc["glioma/7.png", "remarks"] == "wrong_extension;burned_in"
    assert table.loc["glioma/multi", "status"] == "unsupported"
    assert "9 frames" in table.loc["glioma/multi", "reason"]


def test_slices_of_one_patient_share_a_group_and_nobody_is_named(listed):
    table = pd.read_parquet(listed / "inventory.parquet").set_index("path")
    patients = table["patient_id"]
    assert patients["glioma/0.dcm"] == patients["glioma/IM3"] == patients["glioma/7.png"]
    assert patients["glioma/0.dcm"] != patients["glioma/IM1"]
    # A placeholder for an id says nothing: the study does.
    assert patients["glioma/2.dcm"] != patients["glioma/IM5"]
    outputs = [listed / name for name in ("duplicates.parquet", "groups.parquet", "audit.json")]
    audit(listed / "inventory.parquet", *outputs)
    groups = pd.read_parquet(listed / "groups.parquet").set_index("image_id")["group_id"]
    images = table.reset_index().set_index("path")["image_id"]
    assert groups[images["glioma/0.dcm"]] == groups[images["glioma/IM3"]]
    written = b"".join(file.read_bytes() for file in [listed / "inventory.parquet", *outputs])
    assert not any(name.encode() in written for name in (*PATIENT, "MRN-0815"))


def test_slices_are_packed_as_they_are_decoded(listed, tmp_path):
    shutil.copy(listed / "inventory.parquet", tmp_path)
    crop(listed / "raw", listed / "inventory.parquet", tmp_path / "i.npy", tmp_path / "c.parquet", size=50)
    crops = pd.read_parquet(tmp_path / "c.parquet")
    assert len(crops) == 7
    index = crops["image_id"].str.endswith("IM1").to_numpy().argmax()
    gray = decode_gray((listed / "raw" / "glioma" / "IM1").read_bytes())
    row = crops.loc[index]
    if row.fallback:
        assert (np.load(tmp_path / "i.npy")[row.row] == gray).all()


def test_predict_sees_a_slice_as_crop_does(tmp_path):
    (tmp_path / "IM1").write_bytes(dicom(RAMP))
    with decoder_messages() as messages:
        image = read_image(tmp_path / "IM1", 32, CropSettings(), messages)
    assert (image == prepare_image(decode_gray(dicom(RAMP)), 32, CropSettings())[0]).all()


def test_no_reason_quotes_the_file():
    # The length of an element before them is made longer, so that it swallows name and id.
    for keyword in ("SOPClassUID", "SOPInstanceUID"):
        tag = {"SOPClassUID": b"\x08\0\x16\0UI", "SOPInstanceUID": b"\x08\0\x18\0UI"}[keyword]
        data = bytearray(WHOLE)
        at = data.index(tag) + 6
        for length in range(2, 600, 2):
            data[at : at + 2] = length.to_bytes(2, "little")
            try:
                decode_gray(bytes(data))
            except DecodeError as error:
                assert not any(word in error.reason for word in ("Doe", "Jane", "MRN", "4711"))


def test_pydicom_is_imported_only_where_a_slice_is_met():
    code = (
        "import sys, cv2, numpy; from brainmri.images.decode import decode_gray;"
        "decode_gray(cv2.imencode('.png', numpy.zeros((40, 40), 'uint8'))[1].tobytes());"
        "sys.exit('pydicom' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
