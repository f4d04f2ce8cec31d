"""Checksums, and the lock that they are compared with."""

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from brainmri.errors import BrainmriError
from brainmri.sources.checksum import checksum
from brainmri.sources.fetch import fetch
from brainmri.sources.lock import read_lock
from brainmri.sources.settings import SourceSettings


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
    for workers in (0, 1, 4):
        checksum("set", raw, tmp_path / "c.parquet", workers=workers)
        tables.append(pd.read_parquet(tmp_path / "c.parquet"))
    for table in tables[1:]:
        pd.testing.assert_frame_equal(tables[0], table)
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


@pytest.mark.parametrize(
    "text",
    ["rubbish\n", "ab  x.jpg\n", "0" * 64 + " x\n", "# archive-sha256: ab\n", ("0" * 64 + "  x\n") * 2],
)
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


def test_a_lock_that_find_and_sha256sum_wrote_is_read(tmp_path, raw):
    lock = tmp_path / "lock"
    checksum("set", raw, tmp_path / "c.parquet", lock=lock, write_lock=True)
    lock.write_text(lock.read_text().replace("  ", "  ./"))
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


@pytest.fixture
def record(tmp_path, raw):
    """The record of a fetch from an archive."""
    from brainmri.sources.files import list_files
    from brainmri.sources.files_digest import digest_of_folder

    def write(archive, source="someone/brains", kind="kaggle"):
        document = {"kind": kind, "source": source, "archive_sha256": archive, "files": 50}
        document["files_sha256"] = digest_of_folder("set", raw, list_files(raw))
        (tmp_path / "fetch.json").write_text(json.dumps(document))
        return tmp_path / "fetch.json"

    return write


def test_lock_of_one_archive_holds_for_that_archive(tmp_path, raw, record, capfd):
    lock, table = tmp_path / "lock", tmp_path / "c.parquet"
    checksum("set", raw, table, lock=lock, record=record("a" * 64), write_lock=True, lock_archive=True)
    assert lock.read_text().startswith(f"# source: someone/brains\n# archive-sha256: {'a' * 64}\n")
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", lock], cwd=raw, check=True)
    checksum("set", raw, table, lock=lock, record=record("a" * 64))
    (raw / "class 1" / "1.jpg").write_bytes(b"changed")
    with pytest.raises(BrainmriError, match=r"1 changed: class 1/1\.jpg"):
        checksum("set", raw, table, lock=lock, record=record("a" * 64))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"archive": "b" * 64}, "holds for the archive with SHA-256 aaa.*from the one bbb"),
        ({"archive": None}, "from the one that is not known"),
        ({"archive": None, "kind": "phantom", "source": {"patients": 3}}, "someone/brains on Kaggle"),
        ({"archive": "a" * 64, "source": "another/brains"}, "holds for someone/brains on Kaggle"),
    ],
)
def test_lock_of_something_else_stops_nobody_and_is_told(tmp_path, raw, record, capfd, other, words):
    lock, table = tmp_path / "lock", tmp_path / "c.parquet"
    checksum("set", raw, table, lock=lock, record=record("a" * 64), write_lock=True, lock_archive=True)
    (raw / "class 1" / "1.jpg").write_bytes(b"original size")
    checksum("set", raw, table, lock=lock, record=record(**other))
    warning = capfd.readouterr().err
    assert "NOT compared with the lock" in warning
    assert re.search(words, warning)
    assert table.exists()
    with pytest.raises(BrainmriError, match="1 changed"):
        checksum("set", raw, table, lock=lock)


def test_lock_of_a_kaggle_set_holds_for_each_archive_of_it(tmp_path, raw, record):
    lock, table = tmp_path / "lock", tmp_path / "c.parquet"
    checksum("set", raw, table, lock=lock, record=record("a" * 64), write_lock=True)
    (raw / "class 1" / "1.jpg").unlink()
    with pytest.raises(BrainmriError, match="1 removed"):
        checksum("set", raw, table, lock=lock, record=record("b" * 64))


def test_the_lock_of_an_archive_of_ones_own_holds_wherever_it_lies(tmp_path, raw, record):
    lock, fetched = tmp_path / "lock", record("a" * 64, "/home/me/set.zip", "archive")
    checksum("set", raw, tmp_path / "c.parquet", lock, fetched, write_lock=True)
    assert read_lock(lock).source is None


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda raw: (raw / "class 0" / "0.jpg").unlink(), "49 files where .*fetch.json says 50"),
        (lambda raw: (raw / "class 0" / "0.jpg").write_bytes(b"x"), "their SHA-256 is not the one in"),
        (lambda raw: (raw / "class 0" / "0.jpg").rename(raw / "0.jpg"), "their SHA-256 is not the one in"),
    ],
)
def test_file_lost_or_changed_since_the_fetch_is_told(tmp_path, raw, record, spoil, words):
    fetched = record(None)
    checksum("set", raw, tmp_path / "c.parquet", record=fetched)
    spoil(raw)
    with pytest.raises(BrainmriError, match=words):
        checksum("set", raw, tmp_path / "d.parquet", record=fetched)
    with pytest.raises(BrainmriError, match=words):
        checksum("set", raw, tmp_path / "d.parquet", tmp_path / "lock", record=fetched, write_lock=True)
    assert not (tmp_path / "d.parquet").exists()
    assert not (tmp_path / "lock").exists()


def test_record_without_digests_is_taken(tmp_path, raw):
    (tmp_path / "fetch.json").write_text('{"files": 3}')
    checksum("set", raw, tmp_path / "c.parquet", record=tmp_path / "fetch.json")
    with pytest.raises(BrainmriError, match="--lock_archive needs"):
        checksum("set", raw, tmp_path / "c.parquet", tmp_path / "lock", write_lock=True, lock_archive=True)


LOCKS = sorted((Path(__file__).parents[2] / "config" / "checksums").glob("*.sha256"))


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_locks_of_the_project_are_sorted_and_read_by_sha256sum(path):
    lock = read_lock(path)
    assert list(lock.files) == sorted(lock.files)
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "--ignore-missing", path], capture_output=True, text=True
    )
    assert "improperly formatted" not in checked.stderr
    assert (len(lock.files), lock.source, lock.archive) == {
        "sartaj": (3264, "sartajbhuvaji/brain-tumor-classification-mri", None),
        "masoud": (
            7019,
            "masoudnickparvar/brain-tumor-mri-dataset",
            "9037e77d5db2d82ed759215875d0714bed5d9d1d40c5d8a9f3b7c24973770268",
        ),
    }[path.stem]


def test_the_lock_of_sartaj_is_the_published_archive(tmp_path):
    archives = Path(__file__).parents[3] / "shared" / "kaggle"
    handle = "sartajbhuvaji/brain-tumor-classification-mri"
    if not (archives / f"{handle}.zip").is_file():
        pytest.skip("the archive is not here")
    raw, record = tmp_path / "real", tmp_path / "real.json"
    fetch("sartaj", SourceSettings(kaggle=handle), raw, record, archives)
    lock = next(path for path in LOCKS if path.stem == "sartaj")
    checksum("sartaj", raw, tmp_path / "c.parquet", lock, record)
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", lock], cwd=raw, check=True)


@pytest.mark.parametrize("name", [b"a\nb.jpg", b"\xff.jpg", b"\x1b[2J.jpg"])
def test_file_name_that_no_table_can_hold_is_told(tmp_path, raw, name):
    (raw / os.fsdecode(name)).touch()
    with pytest.raises(BrainmriError, match="rename it"):
        checksum("set", raw, tmp_path / "c.parquet")


def test_negative_workers_are_refused(tmp_path, raw):
    with pytest.raises(BrainmriError, match="workers"):
        checksum("set", raw, tmp_path / "c.parquet", workers=-1)
