"""The figure of odd files: what is shown of them, and what stands for those with nothing to show."""

import re

import cv2
import numpy as np
import pytest
from helpers import encoded

from brainmri.artefacts import read_parquet, write_parquet
from brainmri.errors import BrainmriError
from brainmri.images.inventory import inventory
from brainmri.images.salvage import salvaged
from brainmri.reporting.draw_quality import draw_quality, quality_figure, tiles_of
from brainmri.reporting.odd_files import odd_files
from brainmri.reporting.style import figure_style
from brainmri.sources.checksum import checksum

PIXELS = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (90, 120), np.uint8), (9, 9), 0) * 2


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """A data set with files of many kinds, with its inventory."""
    folder = tmp_path_factory.mktemp("odd")
    files = {
        "glioma/plain.jpg": encoded(PIXELS, "jpeg"),
        "glioma/torn.jpg": encoded(PIXELS, "jpeg")[:1500],
        "glioma/$^$.png": encoded(PIXELS, "png")[:4000],  # No formula.
        "glioma/empty.jpg": b"",
        "glioma/text.jpg": b"text",
        "glioma/moving.gif": encoded(PIXELS, "gif"),
        "glioma/named.jpg": encoded(PIXELS, "png"),
        "glioma/alpha.png": encoded(np.dstack([PIXELS] * 4), "png"),
        ".hidden/hidden.png": encoded(PIXELS, "png"),
        "labels.csv": b"a,b",
    }
    files |= {f"glioma/small{number}.png": encoded(PIXELS[:20, :20], "png") for number in range(9)}
    for path, data in files.items():
        (folder / "raw" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "raw" / path).write_bytes(data)
    checksum("odd", folder / "raw", folder / "c.parquet")
    inventory(folder / "raw", folder / "c.parquet", folder / "inventory.parquet")
    return folder


def shown(odd):
    """Return the tiles of each kind by the file's name."""
    kinds = odd_files(read_parquet(odd / "inventory.parquet"))
    tiles = {kind: tiles_of(kind, files, odd / "raw") for kind, files in kinds.items()}
    names = {kind: [row["path"].rsplit("/", 1)[-1] for row, _ in found] for kind, found in tiles.items()}
    return {
        kind: dict(zip(names[kind], [picture for _, picture in found], strict=True))
        for kind, found in tiles.items()
    }


def test_of_torn_images_what_is_left_is_shown(odd):
    corrupt = shown(odd)["corrupt"]
    assert set(corrupt) == {"torn.jpg", "$^$.png", "text.jpg"}
    assert corrupt["text.jpg"] is None
    for name in ("torn.jpg", "$^$.png"):
        assert corrupt[name].shape == PIXELS.shape
        assert abs(corrupt[name][:8].astype(int) - PIXELS[:8]).mean() < 12


def test_every_kind_has_a_few_tiles(odd):
    tiles = shown(odd)
    assert tiles["empty"] == {"empty.jpg": None}
    assert tiles["unsupported"]["moving.gif"].shape == PIXELS.shape
    assert len(tiles["tiny"]) == 4
    assert set(tiles["wrong_extension"]) == {"named.jpg"}
    # Of foreign files only pictures are shown.
    assert set(tiles["foreign"]) == {"hidden.png"}


def test_a_picture_with_text_burnt_into_it_is_not_shown(odd):
    table = read_parquet(odd / "inventory.parquet")
    files = table[table["path"].str.endswith("alpha.png")].assign(remarks="alpha;burned_in")
    assert [picture for _, picture in tiles_of("alpha", files, odd / "raw")] == [None]


def test_the_figure_names_each_file_with_status_and_size(odd, tmp_path):
    draw_quality("odd", odd / "raw", odd / "inventory.parquet", tmp_path / "quality.png")
    table = read_parquet(odd / "inventory.parquet")
    tiles = [tile for kind, files in odd_files(table).items() for tile in tiles_of(kind, files, odd / "raw")]
    with figure_style():
        figure = quality_figure("odd", tiles, len(table))
    told = [(axes.get_title("left"), axes.get_xlabel()) for axes in figure.axes]
    assert ("corrupt", "torn.jpg\n120×90 px") in told
    assert ("empty", "empty.jpg\n0 bytes") in told
    assert ("wrong extension", "named.jpg\n120×90 px") in told
    first = (tmp_path / "quality.png").read_bytes()
    draw_quality("odd", odd / "raw", odd / "inventory.parquet", tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == first


def test_a_set_without_odd_files_says_so():
    with figure_style():
        figure = quality_figure("neat", [], 12)
    assert figure.get_suptitle() == "neat: no odd files to show among 12"


def test_a_set_without_a_usable_file_is_drawn(odd, tmp_path):
    table = read_parquet(odd / "inventory.parquet")
    write_parquet(table[table["status"] != "ok"], tmp_path / "inventory.parquet", config={})
    draw_quality("odd", odd / "raw", tmp_path / "inventory.parquet", tmp_path / "quality.png")
    write_parquet(table[:0], tmp_path / "inventory.parquet", config={})
    draw_quality("odd", odd / "raw", tmp_path / "inventory.parquet", tmp_path / "none.png")
    assert (tmp_path / "quality.png").is_file() and (tmp_path / "none.png").is_file()


def test_a_missing_original_is_named(odd, tmp_path):
    with pytest.raises(BrainmriError, match=re.escape("Cannot read")):
        draw_quality("odd", tmp_path, odd / "inventory.parquet", tmp_path / "quality.png")


def test_what_is_too_large_for_a_thumbnail_is_not_decoded():
    data = bytearray(encoded(PIXELS, "png"))
    data[16:24] = (9000).to_bytes(4, "big") * 2
    assert salvaged(bytes(data)) is None
