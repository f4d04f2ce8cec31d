"""The words for usable images that are odd, and what is done about each."""

from collections.abc import Sequence

REMARKS = {
    "wrong_extension": "the name promises another format; the content decides",
    "cmyk": "printing inks, converted to gray by way of RGB",
    "sixteen_bit": "more than 8 bits a value, scaled to 8",
    "alpha": "transparency, laid over black",
    "palette": "colours from a table, converted to gray",
    "exif_rotated": "an orientation is noted in the file; the pixels are used as stored",
    "animated": "several frames or pages; the first is used",
    "burned_in": "the header says that text is burnt into the picture: look before you share it",
    "tiny": "a side of under 32 pixels",
}
SEPARATOR = ";"


def joined_remarks(remarks: Sequence[str]) -> str | None:
    """Return remarks as the inventory's column holds them, in the order of `REMARKS`; None for none."""
    return SEPARATOR.join(word for word in REMARKS if word in remarks) or None
