"""Copies that are not equal: found under every turn and mirror, and never taken for a neighbouring slice."""

import json

import cv2
import numpy as np
import pandas as pd
import pytest

from brainmri.artefacts import read_parquet
from brainmri.audit import similar
from brainmri.audit.audit import audit
from brainmri.audit.descriptors import coarse_descriptors
from brainmri.audit.groups import group_ids, weakest_links
from brainmri.audit.search import expanded, search_copies
from brainmri.audit.turns import TURNS, turned
from brainmri.errors import BrainmriError
from brainmri.images.box import CropSettings
from brainmri.images.crop import crop
from brainmri.images.inventory import inventory
from brainmri.sources.checksum import checksum
from brainmri.sources.phantom import phantom

SIZE = 64


def pictures(count, seed=0):
    """Smooth random pictures on a common dark border, as heads share their outline."""
    generator = np.random.default_rng(seed)
    disc = cv2.circle(np.zeros((SIZE, SIZE), np.float32), (32, 30), 26, 1.0, -1)
    noise = [cv2.GaussianBlur(generator.normal(0, 1, (SIZE, SIZE)), (0, 0), 2) for _ in range(count)]
    return np.stack([np.clip(disc * (110 + 200 * one), 0, 255).astype(np.uint8) for one in noise])


def search(images, names=None):
    names = np.array(names or [f"{number:03}.png" for number in range(len(images))], object)
    digests = [image.tobytes().hex() for image in images]
    table = pd.DataFrame({"image_id": names, "pixel_sha256": digests, "width": SIZE, "height": SIZE})
    return search_copies(images, table)[0]


@pytest.mark.parametrize("transform", TURNS)
@pytest.mark.parametrize("order", [1, -1])
def test_a_copy_is_found_with_the_transform_that_turns_a_into_b(transform, order):
    images = pictures(12)
    copy = np.clip(turned(images[3], transform) * 0.7 + 20, 0, 255).astype(np.uint8)
    pair = np.stack([images[3], copy])[::order]
    found = search(np.concatenate([images[:3], pair, images[4:]]))
    assert len(found) == 1
    row = found.iloc[0]
    assert (row.image_id_a, row.image_id_b) == ("003.png", "004.png")
    assert row.similarity > 0.99
    assert row.kind == {"identity": "near", "mirror": "mirrored"}.get(transform, "rotated")
    expected = turned(pair[0], row["transform"]).astype(float)
    assert np.corrcoef(expected.ravel(), pair[1].ravel())[0, 1] > 0.99


@pytest.mark.parametrize("workers", [1, 2])
def test_candidates_are_all_pairs_that_correlate_under_a_turn(monkeypatch, workers):
    monkeypatch.setattr(similar, "BLOCK_ROWS", 5)
    monkeypatch.setattr(similar, "BLOCK_COLUMNS", 9)
    monkeypatch.setattr(similar, "CANDIDATE_CORRELATION", 0.1)
    coarse = coarse_descriptors(pictures(23))
    a, b, turn = similar.candidates(coarse, workers)
    expected = set()
    for number, transform in enumerate(TURNS):
        table = np.einsum("aij,bij->ab", turned(coarse, transform), coarse)
        expected |= {(x, y, number) for x, y in np.argwhere(np.triu(table >= 0.1, k=1))}
    assert len(expected) > 100
    assert len(a) == len(expected)
    assert set(zip(a, b, turn, strict=True)) == expected


def test_a_picture_like_its_mirror_is_near_and_is_told_once():
    half = pictures(1)[0][:, :32]
    image = np.hstack([half, half[:, ::-1]])
    found = search(np.stack([image, np.clip(image * 0.8, 0, 255).astype(np.uint8)]))
    assert found["transform"].tolist() == ["identity"]


def test_blank_images_are_copies_of_nothing():
    generator = np.random.default_rng(0)
    black = np.zeros((4, SIZE, SIZE), np.uint8)
    noise = generator.integers(0, 3, (4, SIZE, SIZE)).astype(np.uint8)
    assert search(np.concatenate([black, noise, pictures(2)])).empty
    assert search(pictures(2)[:0]).empty


def test_a_pair_counts_for_every_equal_copy_of_both():
    first, second = np.array([0, 1]), np.array([1, 2])
    pairs = expanded(pd.DataFrame({"a": first, "b": second, "kind": ["x", "y"]}), np.array([0, 1, 0, 2]))
    assert sorted(pairs.itertuples(index=False, name=None)) == [(0, 1, "x"), (1, 3, "y"), (2, 1, "x")]


def test_very_many_equal_copies_give_stars_that_link_them_all():
    pairs = expanded(pd.DataFrame({"a": [0], "b": [1]}), np.repeat([0, 1], 300))
    a, b = pairs["a"], pairs["b"]
    assert len(a) == 599
    assert set(a) == set(range(300)) and set(b) == set(range(300, 600))


def test_blocks_do_not_change_what_is_found(monkeypatch):
    images = pictures(30)
    copies = np.stack([turned(image, name) for image, name in zip(images, TURNS, strict=False)])
    whole = search(np.concatenate([images, copies]))
    for name in ("BLOCK_ROWS", "BLOCK_COLUMNS", "PAIRS_AT_A_TIME"):
        monkeypatch.setattr(f"brainmri.audit.similar.{name}", 7)
    pd.testing.assert_frame_equal(whole, search(np.concatenate([images, copies])), rtol=1e-5)


@pytest.fixture(scope="module")
def phantom_audit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantom")
    files, images = folder / "inventory.parquet", folder / "whole.npy"
    phantom(folder / "raw", folder / "truth.parquet", patients=30, copies=0.3, conflicts=4, layout="sartaj")
    checksum("phantom", folder / "raw", folder / "checksums.parquet")
    inventory(folder / "raw", folder / "checksums.parquet", files)
    crop(folder / "raw", files, images, folder / "boxes.parquet", 256, CropSettings(method="none"))
    outputs = [folder / name for name in ("duplicates.parquet", "groups.parquet", "audit.json")]
    audit(files, *outputs, images=images)
    truth = read_parquet(folder / "truth.parquet")
    return folder, truth, *map(read_parquet, outputs[:2]), json.loads(outputs[2].read_text())


def test_every_planted_copy_is_found_and_no_neighbouring_slice(phantom_audit):
    _, truth, pairs, _, _ = phantom_audit
    planted = truth[truth["copy_of"].notna()].set_index("image_id")
    expected = {}
    for copy, row in planted.iterrows():
        transform = json.loads(row["transform"])
        kind = "rotated" if transform["turn"] else "mirrored" if transform["mirror"] else "near"
        kind = "affine" if transform["angle"] else kind
        expected[frozenset((copy, row["copy_of"]))] = "bytes" if row["planted"] == "bytes" else kind
    copies = pairs[pairs["kind"] != "neighbour"]
    found = {
        frozenset((a, b)): kind
        for a, b, kind in copies[["image_id_a", "image_id_b", "kind"]].itertuples(index=False)
    }
    # A re-encoded copy may be equal by pixels.
    assert {pair: "near" if kind == "pixels" else kind for pair, kind in found.items()} == expected
    assert {"bytes", "near", "mirrored", "rotated", "affine"} == set(expected.values())


def test_leaks_and_conflicts_are_counted_over_all_kinds(phantom_audit):
    _, truth, _, groups, document = phantom_audit
    split = truth.set_index("image_id")["source_split"]
    planted = truth[truth["copy_of"].notna()]
    crossing = planted[planted["source_split"] != planted["copy_of"].map(split)]
    leak = document["test_images_with_train_copy"]
    assert leak["all_copies"]["all"]["count"] == len(crossing)
    counts = [leak[name]["all"]["count"] for name in leak]
    assert list(leak) == ["without_mirrors", "with_mirrors", "with_mirrors_and_turns", "all_copies"]
    assert counts == sorted(set(counts))
    assert document["label_conflicts"]["images"] == 2 * 4
    assert document["kinds_searched"] == [
        "bytes",
        "pixels",
        "near",
        "mirrored",
        "rotated",
        "affine",
        "neighbour",
    ]
    assert groups["group_size"].max() == document["largest_group"]
    weakest = document["weakest_groups"][0]["weakest_link"]
    assert weakest["similarity"] == pytest.approx(groups["weakest_link"].min()) and weakest["kind"] != "bytes"


def test_the_largest_groups_come_first_and_neighbours_across_the_split_are_counted_apart(phantom_audit):
    _, truth, pairs, _, document = phantom_audit
    sizes = [group["images"] for group in document["largest_groups"]]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] == document["largest_group"]
    split = truth.set_index("image_id")["source_split"]
    ends = pairs.loc[pairs["kind"] == "neighbour", ["image_id_a", "image_id_b"]].to_numpy()
    both_ways = np.concatenate([ends, ends[:, ::-1]])
    leaked = {own for own, other in both_ways if (split[own], split[other]) == ("test", "train")}
    assert document["test_images_with_train_neighbour"]["all"]["count"] == len(leaked) > 0


def test_an_array_of_another_inventory_is_refused(phantom_audit, tmp_path):
    folder = phantom_audit[0]
    np.save(tmp_path / "other.npy", pictures(3))
    outputs = [tmp_path / name for name in ("d.parquet", "g.parquet", "a.json")]
    with pytest.raises(BrainmriError, match=r"holds 3 images"):
        audit(folder / "inventory.parquet", *outputs, images=tmp_path / "other.npy")
    assert not any(path.exists() for path in outputs)


def test_the_weakest_link_is_that_without_which_the_group_falls_apart():
    """A strong chain a-b-c makes the weak pair a-c no weakest link."""
    links = pd.DataFrame({"a": [0, 1, 2, 3], "b": [1, 2, 0, 4], "similarity": [1.0, 0.99, 0.98, 0.985]})
    group = group_ids(pd.Series(list("abcdef")), [(links["a"].to_numpy(), links["b"].to_numpy())])
    weakest = weakest_links(links, group)
    assert weakest["link"].to_dict() == {"a": 1, "d": 3}
    assert weakest["similarity"].to_dict() == {"a": 0.99, "d": 0.985}
    assert weakest_links(links[:0], np.array(["a"], object)).empty


def test_of_two_links_of_a_pair_the_stronger_holds_it():
    """As where two images of one patient are copies as well."""
    links = pd.DataFrame({"a": [0, 1, 1], "b": [1, 0, 2], "similarity": [0.98, 1.0, 0.99]})
    weakest = weakest_links(links, np.array(["a"] * 3, object))
    assert weakest["link"].to_dict() == {"a": 2}
