"""Artefacts: whole or not at all, readable errors, provenance."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from brainmri.artefacts import read_json, read_parquet, write_json, write_parquet, written_atomically
from brainmri.digests import digest_of, inputs_digest
from brainmri.errors import BrainmriError, nearest


def test_a_failure_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "a.json"
    write_json({"old": 1}, path)
    with pytest.raises(RuntimeError), written_atomically(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert read_json(path) == {"old": 1}
    assert [child.name for child in tmp_path.iterdir()] == ["a.json"]


def test_a_name_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(BrainmriError, match="Cannot write"):
        write_json({}, tmp_path / "taken")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_a_full_disk_is_one_sentence(tmp_path):
    with pytest.raises(BrainmriError, match="No space left"), written_atomically(tmp_path / "a") as temporary:
        temporary.symlink_to("/dev/full")
        temporary.write_text("x")


def test_json_refuses_what_is_no_json(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json({"a": float("nan")}, tmp_path / "a.json")
    assert not (tmp_path / "a.json").exists()


def test_parquet_round_trip_with_provenance(tmp_path):
    path, source = tmp_path / "t.parquet", tmp_path / "in.txt"
    source.write_text("x")
    schema = pa.schema([("a", pa.int64()), ("b", pa.string())])
    frame = pd.DataFrame({"a": [1, 2], "b": [None, None]})
    write_parquet(frame, path, config={"k": 1}, inputs=[source], schema=schema)
    metadata = pq.read_schema(path).metadata
    assert metadata[b"brainmri.config"].decode() == digest_of({"k": 1})
    assert metadata[b"brainmri.inputs"].decode() == inputs_digest([source])
    assert pq.read_schema(path).field("b").type == pa.string()
    assert read_parquet(path, ["a"])["a"].tolist() == [1, 2]


@pytest.mark.parametrize("content", [None, b"", b"PAR1 half a file", b"\x00" * 100])
def test_an_unreadable_table_is_one_sentence(tmp_path, content):
    path = tmp_path / "t.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BrainmriError, match=r"t\.parquet"):
        read_parquet(path)


def test_a_missing_column_is_one_sentence(tmp_path):
    write_parquet(pd.DataFrame({"a": [1]}), tmp_path / "t.parquet", config={})
    with pytest.raises(BrainmriError, match="nosuch"):
        read_parquet(tmp_path / "t.parquet", ["nosuch"])


@pytest.mark.parametrize("content", [None, "", "{", "\ud800".encode("utf-8", "surrogatepass")])
def test_an_unreadable_document_is_one_sentence(tmp_path, content):
    path = tmp_path / "d.json"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BrainmriError, match=r"d\.json"):
        read_json(path)


def test_digests_follow_content_not_order(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    paths = [tmp_path / "a", tmp_path / "b"]
    assert inputs_digest(paths) == inputs_digest(paths[::-1])
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
    before = inputs_digest(paths)
    (tmp_path / "b").write_text("c")
    assert inputs_digest(paths) != before


def test_nearest_names_the_closest_or_all():
    assert nearest("adamm", ["adam", "sgd"]) == "Did you mean 'adam'?"
    assert nearest("zzz", ["b", "a"]) == "Known: a, b."
    assert nearest("zzz", []) == ""


def test_a_flipped_bit_anywhere_in_a_table_is_noticed(tmp_path):
    path = tmp_path / "t.parquet"
    write_parquet(pd.DataFrame({"image_id": ["a", "b"], "row": [0, 1]}), path, config={})
    whole = path.read_bytes()
    key = whole.rfind(b"brainmri.whole")
    for place in range(0, len(whole), 7):
        if key <= place < key + 16:
            continue  # without its name there is no digest, and all else is whole
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(BrainmriError, match=r"t\.parquet is no readable .* delete it and run the same"):
            read_parquet(path)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"image_id": [1, 2]}, "where text is wanted"),
        ({"row": ["a", "b"]}, "where a whole number is wanted"),
        ({"row": [0.5, 1.0]}, "where a whole number is wanted"),
        ({"fallback": [0, 1]}, "where true or false is wanted"),
        ({"image_id": ["a", None]}, "a row without 'image_id'"),
        ({"image_id": ["a", "a"]}, "lists 'a' twice"),
    ],
)
def test_a_column_that_holds_something_else_is_refused(tmp_path, columns, words):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"image_id": ["a", "b"], **columns}).to_parquet(path)
    with pytest.raises(BrainmriError, match=words):
        read_parquet(path, unique="image_id")
