"""The images that two data sets share: found across the sets, whatever was done to them."""

import cv2
import numpy as np
import pandas as pd
import pytest

from brainmri.artefacts import read_parquet, write_parquet
from brainmri.audit.overlap import exact_overlap, overlap
from brainmri.errors import BrainmriError
from brainmri.reporting.embedding import Artefacts
from brainmri.reporting.page_overlap import overlap_rows
from brainmri.sources.synthetic.slices import draw_slices
from brainmri.study import Study

SIZE = 256


@pytest.fixture(scope="module")
def two_sets(tmp_path_factory):
    """Set `north` holds three slices; `south` the first as it is, the second mirrored, another head."""
    data = tmp_path_factory.mktemp("data")
    heads = [next(draw_slices(5, patient, "glioma", 1, SIZE, False)).image for patient in range(4)]
    heads = [cv2.resize(head, (SIZE, SIZE)) for head in heads]
    sets = {"north": heads[:3], "south": [heads[0], np.ascontiguousarray(heads[1][:, ::-1]), heads[3]]}
    for name, images in sets.items():
        (data / name).mkdir()
        digests = [str(hash(image.tobytes())) for image in images]
        table = pd.DataFrame({"image_id": ["a.jpg", "b.jpg", "c.jpg"], "sha256": [name + d for d in digests]})
        table = table.assign(pixel_sha256=digests, width=SIZE, height=SIZE, status="ok")
        table[["label", "source_split", "patient_id"]] = None
        write_parquet(table, data / name / "inventory.parquet", config={})
        np.save(data / name / "whole.npy", np.stack(images))
    folders = [data / "north", data / "south"]
    overlap(
        [folder / "inventory.parquet" for folder in folders],
        [folder / "whole.npy" for folder in folders],
        data / "north" / "overlap" / "south.parquet",
        workers=1,
    )
    return data


def test_shared_images_are_found_with_the_first_set_on_the_left(two_sets):
    pairs = read_parquet(two_sets / "north" / "overlap" / "south.parquet")
    told = pairs[["image_id_a", "image_id_b", "kind"]].to_numpy().tolist()
    assert told == [["a.jpg", "a.jpg", "pixels"], ["b.jpg", "b.jpg", "mirrored"]]


def test_copies_within_one_of_the_sets_are_no_overlap():
    first = pd.DataFrame({"image_id": ["a", "b"], "sha256": ["s1", "s2"], "pixel_sha256": "p"})
    second = pd.DataFrame({"image_id": ["a", "c"], "sha256": ["s1", "s3"], "pixel_sha256": ["p", "q"]})
    pairs = exact_overlap(first, second)[["image_id_a", "image_id_b", "kind"]]
    assert pairs.to_numpy().tolist() == [["a", "a", "bytes"], ["b", "a", "pixels"]]


def test_the_page_counts_shared_images_both_ways(two_sets, tmp_path):
    study = Study("s", {"south": {}, "north": {}}, {}, {}, [0], [], data_dir=two_sets)
    rows = overlap_rows(study, Artefacts(tmp_path))
    told = [(row["name"], row["other"], row["images"], row["copies"], row["neighbours"]) for row in rows]
    assert told == [("north", "south", 3, 2, 0), ("south", "north", 3, 2, 0)]


def test_two_sets_are_wanted(two_sets, tmp_path):
    with pytest.raises(BrainmriError, match="two data sets"):
        overlap([two_sets / "north" / "inventory.parquet"], [], tmp_path / "o.parquet")
