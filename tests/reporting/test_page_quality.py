"""What the page says of odd files."""

import pandas as pd

from brainmri.images.remarks import REMARKS
from brainmri.reporting.page_quality import quality_context

INVENTORY = pd.DataFrame(
    [
        ("1", "ok", None, None),
        ("2", "ok", None, "alpha;palette"),
        ("3", "ok", "the name says jpeg, the content is png", "wrong_extension;alpha"),
        ("4", "corrupt", "5 bytes are missing", None),
        ("5", "corrupt", "77 bytes are missing", "tiny"),
        ("6", "corrupt", "the content is no image", None),
        ("7", "foreign", None, None),
    ],
    columns=["image_id", "status", "reason", "remarks"],
)


def test_every_odd_file_is_counted_under_its_status_or_under_each_remark():
    rows = quality_context(INVENTORY, {})["rows"]
    assert [(row["kind"], row["used"], row["reason"], row["count"], row["example"]) for row in rows] == [
        # A hundred files, each torn at another byte, are one line.
        ("corrupt", False, "the content is no image", 1, "6"),
        ("corrupt", False, "… bytes are missing", 2, "4"),
        ("foreign", False, "", 1, "7"),
        ("wrong extension", True, REMARKS["wrong_extension"], 1, "3"),
        ("alpha", True, REMARKS["alpha"], 2, "2"),
        ("palette", True, REMARKS["palette"], 1, "2"),
    ]


def test_plain_images_need_no_table():
    assert quality_context(INVENTORY[:1], {})["rows"] == []


def test_the_page_tells_odd_files_with_their_reason(page):
    assert "Files that are not used, and usable images with a remark" in page
    assert "cannot be decoded" in page
    assert REMARKS["tiny"] in page
