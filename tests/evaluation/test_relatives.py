"""Relatives across two data sets: exactly those that hang together by groups and pairs."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainmri.artefacts import write_parquet
from brainmri.errors import BrainmriError
from brainmri.evaluation.relatives import pairs_between, relatives

SIZE = 8
PARTS = st.sampled_from(["train", "val", "test", "excluded"])
GROUPS = st.lists(st.integers(0, 4), min_size=SIZE, max_size=SIZE)
PAIRS = st.lists(st.tuples(st.integers(0, SIZE - 1), st.integers(0, SIZE - 1)), max_size=6)


def frames(own, parts, foreign, pairs):
    # Both sets use the same names of images and of groups.
    ids = [f"{index}.png" for index in range(SIZE)]
    manifest = pd.DataFrame({"image_id": ids, "split": parts, "group_id": [f"g{group}" for group in own]})
    groups = pd.DataFrame({"image_id": ids, "group_id": [f"g{group}" for group in foreign]})
    table = pd.DataFrame([(ids[a], ids[b]) for a, b in pairs], columns=["own", "foreign"], dtype=str)
    return manifest, groups, table


def reached(own, foreign, pairs, start):
    """Walk from an image of the foreign set to all images of the own one that hang together with it."""
    seen, waiting = {("foreign", start)}, [("foreign", start)]
    while waiting:
        side, index = waiting.pop()
        group = own if side == "own" else foreign
        near = {(side, other) for other in range(SIZE) if group[other] == group[index]}
        near |= {("own", a) for a, b in pairs if (side, index) == ("foreign", b)}
        near |= {("foreign", b) for a, b in pairs if (side, index) == ("own", a)}
        waiting += near - seen
        seen |= near
    return {index for side, index in seen if side == "own"}


@settings(deadline=None)
@given(own=GROUPS, parts=st.lists(PARTS, min_size=SIZE, max_size=SIZE), foreign=GROUPS, pairs=PAIRS)
def test_relatives_are_what_a_walk_over_groups_and_pairs_reaches(own, parts, foreign, pairs):
    found = relatives(*frames(own, parts, foreign, pairs))
    for index in range(SIZE):
        kin = reached(own, foreign, pairs, index)
        assert found["shared"].iloc[index] == bool(kin)
        assert found["learnt"].iloc[index] == any(parts[other] in ("train", "val") for other in kin)


def test_the_first_of_two_sets_is_the_one_before_in_the_alphabet(tmp_path):
    table = pd.DataFrame({"image_id_a": ["of north"], "image_id_b": ["of south"], "kind": ["near"]})
    write_parquet(table, tmp_path / "south.parquet", config={})
    for dataset, other in (("north", "south"), ("south", "north")):
        pairs = pairs_between(tmp_path / "south.parquet", dataset, other)
        assert pairs.iloc[0].to_dict() == {"own": f"of {dataset}", "foreign": f"of {other}"}


def test_a_pair_of_an_unknown_image_is_refused():
    manifest, groups, pairs = frames([0] * SIZE, ["train"] * SIZE, [0] * SIZE, [(0, 0)])
    with pytest.raises(BrainmriError, match=r"'0\.png', which is no usable image"):
        relatives(manifest[1:], groups, pairs)
