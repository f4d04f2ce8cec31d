"""Checksums, and the lock that they are compared with."""

import hashlib
import os
import subprocess

import pandas as pd
import pytest

from brainmri.errors import BrainmriError
from brainmri.sources.checksum import checksum


@pytest.fixture
def raw(tmp_path):
    """A folder of fifty files."""
    folder = tmp_path / "raw"
    for number in range(50):
        path = folder / f"class {number % 3}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([number]) * number)
    return folder


def test_every_file_has_its_row_in_order_whatever_the_workers(tmp_path, raw):
    tables = []
    for workers in (1, 4):
        checksum("set", raw, tmp_path / "c.parquet", workers=workers)
        tables.append(pd.read_parquet(tmp_path / "c.parquet"))
    pd.testing.assert_frame_equal(*tables)
    paths = sorted(path.relative_to(raw).as_posix() for path in raw.rglob("*.jpg"))
    assert tables[0]["path"].tolist() == paths
    for row in tables[0].itertuples():
        data = (raw / row.path).read_bytes()
        assert (row.bytes, row.sha256) == (len(data), hashlib.sha256(data).hexdigest())


def test_lock_is_written_as_sha256sum_reads_it_and_then_holds(tmp_path, raw):
    lock = tmp_path / "locks" / "set.sha256"
    checksum("set", raw, tmp_path / "c.parquet", lock=lock, write_lock=True)
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", lock], cwd=raw, check=True)
    checksum("set", raw, tmp_path / "c.parquet", lock=lock)


def test_difference_from_the_lock_stops_and_names_the_files(tmp_path, raw):
    lock, table = tmp_path / "lock", tmp_path / "c.parquet"
    checksum("set", raw, tmp_path / "other.parquet", lock=lock, write_lock=True)
    for number in range(12):
        (raw / f"new{number:02}.jpg").write_bytes(b"new")
    (raw / "class 0" / "0.jpg").unlink()
    (raw / "class 1" / "1.jpg").write_bytes(b"changed")
    with pytest.raises(BrainmriError) as caught:
        checksum("set", raw, table, lock=lock)
    message = str(caught.value)
    assert "12 added: new00.jpg" in message
    assert "new09.jpg, ..." in message
    assert "new10.jpg" not in message
    assert "1 removed: class 0/0.jpg" in message
    assert "1 changed: class 1/1.jpg" in message
    assert not table.exists()


def test_lock_that_does_not_exist_is_not_compared(tmp_path, raw):
    checksum("set", raw, tmp_path / "c.parquet", lock=tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("text", ["rubbish\n", "ab  x.jpg\n", "0" * 64 + " x\n", ("0" * 64 + "  x\n") * 2])
def test_lock_that_cannot_be_read_names_the_line(tmp_path, raw, text):
    lock = tmp_path / "lock"
    lock.write_text(text)
    with pytest.raises(BrainmriError, match=r"line [12]"):
        checksum("set", raw, tmp_path / "c.parquet", lock=lock)


def test_comments_and_binary_marks_in_a_lock_are_read(tmp_path, raw):
    lock = tmp_path / "lock"
    checksum("set", raw, tmp_path / "c.parquet", lock=lock, write_lock=True)
    lock.write_text("# version 1\n\n" + lock.read_text().replace("  ", " *"))
    checksum("set", raw, tmp_path / "c.parquet", lock=lock)


def test_writing_no_lock_is_refused(tmp_path, raw):
    with pytest.raises(BrainmriError, match="--lock"):
        checksum("set", raw, tmp_path / "c.parquet", write_lock=True)


def test_missing_and_empty_folders_are_told(tmp_path):
    with pytest.raises(BrainmriError, match="no folder"):
        checksum("set", tmp_path / "raw", tmp_path / "c.parquet")
    (tmp_path / "raw").mkdir()
    with pytest.raises(BrainmriError, match="holds no file"):
        checksum("set", tmp_path / "raw", tmp_path / "c.parquet")


@pytest.mark.parametrize("name", [b"a\nb.jpg", b"\xff.jpg", b"\x1b[2J.jpg"])
def test_file_name_that_no_table_can_hold_is_told(tmp_path, raw, name):
    (raw / os.fsdecode(name)).touch()
    with pytest.raises(BrainmriError, match="rename it"):
        checksum("set", raw, tmp_path / "c.parquet")


def test_negative_workers_are_refused(tmp_path, raw):
    with pytest.raises(BrainmriError, match="workers"):
        checksum("set", raw, tmp_path / "c.parquet", workers=-1)
