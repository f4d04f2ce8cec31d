"""The audit of exact copies: what it finds, groups and counts."""

import json

import numpy as np
import pandas as pd
import pytest

from brainmri.artefacts import read_parquet, write_parquet
from brainmri.audit.audit import audit, group_table

COLUMNS = ["image_id", "label", "source_split", "sha256", "pixel_sha256", "patient_id", "status"]
SIZE = {"width": 256, "height": 256}


@pytest.fixture
def audited(tmp_path):
    """Write an inventory of the given rows, audit it, and return the three artefacts."""

    def run(rows):
        table = pd.DataFrame(rows, columns=COLUMNS).assign(**SIZE)
        write_parquet(table, tmp_path / "inventory.parquet", config={})
        paths = [tmp_path / name for name in ("duplicates.parquet", "groups.parquet", "audit.json")]
        audit(tmp_path / "inventory.parquet", *paths)
        return read_parquet(paths[0]), read_parquet(paths[1]), json.loads(paths[2].read_text())

    return run


ROWS = [
    ("Training/a.jpg", "glioma", "train", "s1", "p1", None, "ok"),
    ("Testing/a.jpg", "glioma", "test", "s1", "p1", None, "ok"),
    ("Testing/b.jpg", "glioma", "test", "s2", "p1", None, "ok"),
    ("Testing/c.jpg", "meningioma", "test", "s3", "p3", None, "ok"),
    ("Training/d.jpg", "meningioma", "train", "s4", "p4", None, "ok"),
    ("Training/e.jpg", "glioma", "train", "s4", "p4", None, "ok"),
    ("Training/broken.jpg", "glioma", "train", "s5", None, None, "corrupt"),
]


def test_copies_are_found_with_their_kind(audited):
    pairs, _, _ = audited(ROWS)
    found = {
        (a, b): kind for a, b, kind in pairs[["image_id_a", "image_id_b", "kind"]].itertuples(index=False)
    }
    assert found == {
        ("Testing/a.jpg", "Training/a.jpg"): "bytes",
        ("Testing/a.jpg", "Testing/b.jpg"): "pixels",
        ("Testing/b.jpg", "Training/a.jpg"): "pixels",
        ("Training/d.jpg", "Training/e.jpg"): "bytes",
    }


def test_copies_share_a_group_and_conflicts_are_marked(audited):
    _, groups, _ = audited(ROWS)
    groups = groups.set_index("image_id")
    assert groups["group_id"].nunique() == 3
    assert groups.loc["Training/a.jpg", "group_id"] == groups.loc["Testing/b.jpg", "group_id"]
    assert groups.loc["Testing/a.jpg", "group_size"] == 3
    assert set(groups.index[groups["label_conflict"]]) == {"Training/d.jpg", "Training/e.jpg"}
    assert "Training/broken.jpg" not in groups.index


def test_leaks_are_counted_for_the_test_part_and_each_class(audited):
    _, _, document = audited(ROWS)
    leak = document["test_images_with_train_copy"]["without_mirrors"]
    assert leak["all"] == {"count": 2, "of": 3, "share": pytest.approx(2 / 3)}
    assert leak["glioma"]["count"] == 2
    assert leak["meningioma"] == {"count": 0, "of": 1, "share": 0.0}
    assert document["pairs"] == {"bytes": {"within": 1, "across": 1}, "pixels": {"within": 1, "across": 1}}
    assert document["label_conflicts"]["images"] == 2


def test_a_pair_is_across_the_split_only_where_the_source_puts_both_in_a_part(audited):
    rows = [(f"{part}.jpg", "glioma", part, "s", "p", None, "ok") for part in ("test", "train", None)]
    rows += [(f"more{index}.jpg", "glioma", None, "t", "q", None, "ok") for index in range(2)]
    _, _, document = audited(rows)
    assert document["pairs"]["bytes"] == {"within": 3, "across": 1}


def test_images_of_one_patient_share_a_group_and_unknown_patients_do_not(audited):
    rows = [(f"{i}.jpg", "glioma", None, f"s{i}", f"p{i}", patient, "ok") for i, patient in enumerate("AAB")]
    rows += [(f"x{i}.jpg", "glioma", None, f"t{i}", f"q{i}", None, "ok") for i in range(2)]
    _, groups, document = audited(rows)
    assert groups["group_id"].nunique() == 4
    assert groups.set_index("image_id").loc["0.jpg", "group_size"] == 2
    assert document["test_images_with_train_copy"]["without_mirrors"] is None


def test_groups_chain_patients_through_copies(audited):
    rows = [
        ("a1.jpg", "glioma", None, "s1", "p1", "A", "ok"),
        ("a2.jpg", "glioma", None, "s2", "p2", "A", "ok"),
        ("b1.jpg", "glioma", None, "s3", "p2", "B", "ok"),
        ("b2.jpg", "glioma", None, "s4", "p4", "B", "ok"),
    ]
    _, groups, _ = audited(rows)
    assert groups["group_size"].tolist() == [4, 4, 4, 4]
    assert len(set(groups["group_id"])) == 1


def test_no_readable_image_gives_empty_tables(audited):
    pairs, groups, document = audited([("a.jpg", "glioma", "train", "s", None, None, "corrupt")])
    assert len(pairs) == 0 and len(groups) == 0 and document["images"] == 0


def test_a_value_shared_by_very_many_images_gives_a_star_not_all_pairs(audited):
    rows = [(f"{i:04}.jpg", "glioma", None, "s", "p", None, "ok") for i in range(500)]
    pairs, groups, _ = audited(rows)
    assert len(pairs) == 499
    assert groups["group_size"].eq(500).all()


@pytest.mark.parametrize(
    ("patients", "datasets", "groups"),
    [
        ((None, None), None, 1),  # No names: the neighbours are all there is to go by.
        (("A", None), None, 1),
        (("A", "B"), None, 2),  # The source knows better.
        (("A", "B"), ("north", "north"), 2),
        (("north/A", "south/B"), ("north", "south"), 1),  # Two sources may name one patient differently.
    ],
)
def test_neighbours_link_where_no_source_names_both_patients(patients, datasets, groups):
    images = pd.DataFrame({"image_id": ["a", "b"], "label": "glioma", "patient_id": patients})
    images = images if datasets is None else images.assign(dataset=datasets)
    pair = {"image_id_a": "a", "image_id_b": "b", "similarity": 0.97}
    for kind, expected in (("neighbour", groups), ("near", 1)):
        table, _ = group_table(images, pd.DataFrame([{**pair, "kind": kind}]))
        assert table["group_id"].nunique() == expected
    table, _ = group_table(images, pd.DataFrame([{**pair, "kind": "near"}]), unlinked=["near"])
    assert table["group_id"].nunique() == 2


def test_neighbours_and_copies_without_a_label_make_no_conflict():
    labels = ["glioma", "meningioma", "glioma", None]
    images = pd.DataFrame({"image_id": list("abcd"), "label": labels, "patient_id": None})
    pairs = [("a", "b", "neighbour", 0.9), ("c", "d", "near", 0.99)]
    names = ["image_id_a", "image_id_b", "kind", "similarity"]
    table, _ = group_table(images, pd.DataFrame(pairs, columns=names))
    assert table["group_id"].tolist() == ["a", "a", "c", "c"]
    assert not table["label_conflict"].any()


def test_neighbours_can_be_left_unlinked(tmp_path, monkeypatch):
    rows = [(name, "glioma", None, name, name, None, "ok") for name in ("a.jpg", "b.jpg")]
    table = pd.DataFrame(rows, columns=COLUMNS).assign(**SIZE)
    write_parquet(table, tmp_path / "inventory.parquet", config={})
    np.save(tmp_path / "whole.npy", np.zeros((2, 256, 256), np.uint8))
    pair = {"image_id_a": "a.jpg", "image_id_b": "b.jpg", "kind": "neighbour", "transform": "identity"}
    found = pd.DataFrame([pair]).assign(similarity=0.97, grain=np.nan, matrix=None)
    monkeypatch.setattr("brainmri.audit.audit.search_copies", lambda *_, **__: (found, found[:0]))
    paths = [tmp_path / name for name in ("inventory.parquet", "d.parquet", "groups.parquet", "a.json")]
    for neighbours, groups in ((True, 1), (False, 2)):
        audit(*paths, images=tmp_path / "whole.npy", neighbours=neighbours)
        assert read_parquet(paths[2])["group_id"].nunique() == groups
