"""How large a figure is: as it is drawn, and on the page."""

import re
import struct
from pathlib import Path

from brainmri.errors import BrainmriError

# A figure this wide (inches) keeps 10-point letters above 10 pixels on a screen of 390 pixels.
WIDTH = 4.8
DOTS_PER_INCH = 160
CSS_PIXELS_PER_INCH, POINTS_PER_INCH = 96, 72
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
SVG_SIZE = re.compile(
    rb'<svg[^>]*?\swidth="([\d.]+)pt"[^>]*?\sheight="([\d.]+)pt"|<svg[^>]*?\sheight="([\d.]+)pt"[^>]*?\swidth="([\d.]+)pt"'
)


def image_size(content: bytes, path: Path) -> tuple[int, int, str]:
    """Return width and height in CSS pixels, and the media type, of an SVG or PNG file's bytes."""
    if content.startswith(PNG_SIGNATURE) and len(content) >= 24:
        pixels = struct.unpack(">II", content[16:24])
        width, height = (round(length * CSS_PIXELS_PER_INCH / DOTS_PER_INCH) for length in pixels)
        return width, height, "image/png"
    found = SVG_SIZE.search(content[:4000])
    if not found:
        raise BrainmriError(f"{path} is no figure of brainmri: delete it and run again.")
    lengths = [float(length) for length in found.groups() if length]
    if found.group(1) is None:
        lengths.reverse()
    width, height = (round(length * CSS_PIXELS_PER_INCH / POINTS_PER_INCH) for length in lengths)
    return width, height, "image/svg+xml"
