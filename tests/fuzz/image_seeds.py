"""One good small file of each kind of image, to be damaged."""

import io

import cv2
import numpy as np
from dicom_files import dicom
from PIL import Image
from pydicom import dcmread
from pydicom.pixels import compress
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, RLELossless


def good_images() -> dict[str, bytes]:
    """Return one good small file of each kind, by the ending of its name."""
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
