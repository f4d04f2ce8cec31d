"""Bringing data in: what is recorded, what is refused, and that a failure leaves the old files."""

import hashlib
import json
import os
import tarfile
import zipfile
from datetime import datetime
from pathlib import Path

import pytest

import brainmri
from brainmri.errors import BrainmriError
from brainmri.sources.directory import digest_of_source
from brainmri.sources.fetch import fetch
from brainmri.sources.settings import SourceSettings


@pytest.fixture
def archive(tmp_path):
    """A zip of two files at a Kaggle archive's place."""
    path = tmp_path / "archives" / "someone" / "brains.zip"
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("Training/glioma/a.jpg", b"first")
        packed.writestr("__MACOSX/._a.jpg", b"shadow")
    return path


def fetched(tmp_path, source, name="set"):
    """Fetch into a folder and return its files and the provenance."""
    folder = tmp_path / "data" / name
    fetch(name, source, folder / "raw", folder / "fetch.json", archives_dir=tmp_path / "archives")
    files = {
        path.relative_to(folder / "raw").as_posix(): path.read_bytes()
        for path in (folder / "raw").rglob("*")
        if path.is_file()
    }
    left = {path.name for path in folder.iterdir()} - {"raw", ".raw.fetched", "fetch.json", "truth.parquet"}
    assert not left, f"left behind: {left}"
    return files, json.loads((folder / "fetch.json").read_text())


def test_kaggle_archive_at_hand_is_unpacked_and_recorded(tmp_path, archive):
    source = SourceSettings(kaggle="someone/brains", version=2, licence="CC0")
    files, record = fetched(tmp_path, source)
    assert files == {"Training/glioma/a.jpg": b"first", "__MACOSX/._a.jpg": b"shadow"}
    time = datetime.fromisoformat(record.pop("time"))
    assert time.utcoffset().total_seconds() == 0
    assert len(record.pop("content_sha256")) == 64
    assert record == {
        "dataset": "set",
        "kind": "kaggle",
        "source": "someone/brains",
        "version": 2,
        "downloaded": False,
        "licence": "CC0",
        "licence_on_kaggle": None,
        "archive": "brains.zip",
        "archive_sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
        "archive_bytes": archive.stat().st_size,
        "files": 2,
        "bytes": 11,
        "files_sha256": record["files_sha256"],
        "listing_sha256": None,
        "skipped": [],
        "brainmri_version": brainmri.__version__,
    }


def test_tar_archive_source(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"1")
    path = tmp_path / "set.tar.xz"
    with tarfile.open(path, "w:xz") as packed:
        packed.add(tmp_path / "a.jpg", "glioma/a.jpg")
    files, record = fetched(tmp_path, SourceSettings(archive=path))
    assert files == {"glioma/a.jpg": b"1"}
    assert (record["kind"], record["source"]) == ("archive", str(path))


def test_a_second_fetch_replaces_the_files(tmp_path, archive):
    source = SourceSettings(archive=archive)
    fetched(tmp_path, source)
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("other.jpg", b"2")
    files, record = fetched(tmp_path, source)
    assert files == {"other.jpg": b"2"}
    assert record["files"] == 1


def test_a_fetch_that_fails_leaves_the_old_files_and_their_record(tmp_path, archive):
    source = SourceSettings(archive=archive)
    files, record = fetched(tmp_path, source)
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("a.jpg", b"2")
        packed.writestr("../evil", b"3")
    folder = tmp_path / "data" / "set"
    with pytest.raises(BrainmriError, match="outside"):
        fetch("set", source, folder / "raw", folder / "fetch.json")
    assert sorted(path.name for path in folder.iterdir()) == [".raw.fetched", "fetch.json", "raw"]
    assert (folder / "raw/Training/glioma/a.jpg").read_bytes() == files["Training/glioma/a.jpg"]
    assert json.loads((folder / "fetch.json").read_text()) == record


def foreign_folder(raw):
    (raw / "thesis").mkdir(parents=True)
    (raw / "thesis" / "chapter.txt").write_text("mine")


def foreign_file(raw):
    raw.parent.mkdir(parents=True)
    raw.write_text("mine")


def link_to_foreign_folder(raw):
    raw.parent.mkdir(parents=True)
    foreign_folder(raw.parents[2] / "elsewhere")
    raw.symlink_to(raw.parents[2] / "elsewhere")


@pytest.mark.parametrize("lies_there", [foreign_folder, foreign_file, link_to_foreign_folder])
def test_what_no_fetch_brought_is_not_replaced(tmp_path, archive, lies_there):
    raw = tmp_path / "data/set/raw"
    lies_there(raw)
    before = {path: path.is_file() and path.read_text() for path in [raw, *raw.rglob("*")]}
    with pytest.raises(BrainmriError, match="is not replaced: move"):
        fetched(tmp_path, SourceSettings(archive=archive))
    assert {path: path.is_file() and path.read_text() for path in [raw, *raw.rglob("*")]} == before
    assert not (tmp_path / "data/set/fetch.json").exists()


def test_the_folder_at_hand_is_not_replaced_either(tmp_path, archive, monkeypatch):
    foreign_folder(tmp_path / "mine")
    monkeypatch.chdir(tmp_path / "mine")
    for raw in (".", "..", "thesis/.."):
        with pytest.raises(BrainmriError, match="is not replaced"):
            fetch("set", SourceSettings(archive=archive), Path(raw), tmp_path / "fetch.json")
    assert (tmp_path / "mine/thesis/chapter.txt").is_file()


def test_another_record_does_not_give_a_foreign_folder_away(tmp_path, archive):
    fetched(tmp_path, SourceSettings(archive=archive))
    foreign_folder(tmp_path / "mine/raw")
    with pytest.raises(BrainmriError, match="is not replaced"):
        fetch("set", SourceSettings(archive=archive), tmp_path / "mine/raw", tmp_path / "data/set/fetch.json")


@pytest.mark.parametrize("is_marked", [True, False], ids=["marked", "from before there was a mark"])
@pytest.mark.parametrize("record", ["there", "deleted"])
@pytest.mark.parametrize("changed", ["nothing", "lost", "altered", "added"])
def test_what_a_fetch_brought_is_replaced_whatever_became_of_it(
    tmp_path, archive, is_marked, record, changed
):
    source, folder = SourceSettings(archive=archive), tmp_path / "data/set"
    files, _ = fetched(tmp_path, source)
    if changed == "lost":
        (folder / "raw/Training/glioma/a.jpg").unlink()
    elif changed != "nothing":
        name = "a.jpg" if changed == "altered" else "b.jpg"
        (folder / "raw/Training/glioma" / name).write_bytes(b"by hand")
    if record == "deleted":
        (folder / "fetch.json").unlink()
    if not is_marked:
        (folder / ".raw.fetched").unlink()
    if record == "deleted" and not is_marked and changed in ("altered", "added"):
        with pytest.raises(BrainmriError, match="is not replaced"):
            fetched(tmp_path, source)
        return
    assert fetched(tmp_path, source)[0] == files


def test_a_fetch_killed_before_the_new_files_lie_there_is_made_good(tmp_path, archive, monkeypatch):
    source = SourceSettings(archive=archive)
    fetched(tmp_path, source)
    (tmp_path / "data/set/.raw.fetched").unlink()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("other.jpg", b"2")

    class Killed(BaseException):
        pass

    def kill(*_):
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("brainmri.sources.fetch.replace_folder", kill)
        fetched(tmp_path, source)
    assert not (tmp_path / "data/set/fetch.json").exists()
    assert fetched(tmp_path, source)[0] == {"other.jpg": b"2"}


@pytest.mark.parametrize("leads_to", ["a folder", "nothing"])
def test_a_link_stays_and_the_files_lie_where_it_leads(tmp_path, leads_to):
    raw, scratch = tmp_path / "data/set/raw", tmp_path / "scratch/raw"
    raw.parent.mkdir(parents=True)
    scratch.parent.mkdir()
    if leads_to == "a folder":
        scratch.mkdir()
    raw.symlink_to(scratch)
    source = SourceSettings(phantom={"patients": 4, "slices": 1, "size": 64, "workers": 1})
    for _ in range(2):
        assert fetched(tmp_path, source)[0]
        assert raw.is_symlink() and any(scratch.iterdir())
    assert (tmp_path / "data/set/truth.parquet").is_file()
    assert sorted(path.name for path in scratch.parent.iterdir()) == [".raw.fetched", "raw"]


def test_what_a_killed_fetch_left_is_removed(tmp_path, archive):
    import socket

    folder = tmp_path / "data" / "set"
    # No process has the highest number.
    (folder / f".raw.{socket.gethostname()}.4194304.fetch" / "files").mkdir(parents=True)
    fetched(tmp_path, SourceSettings(archive=archive))


def test_folder_is_copied_and_links_out_of_it_are_told(tmp_path):
    folder = tmp_path / "mine"
    (folder / "glioma").mkdir(parents=True)
    (folder / "glioma" / "a.jpg").write_bytes(b"1")
    (tmp_path / "secret").write_bytes(b"secret")
    (folder / "out.jpg").symlink_to(tmp_path / "secret")
    (folder / "broken.jpg").symlink_to(folder / "nothing")
    (folder / "inside.jpg").symlink_to(folder / "glioma" / "a.jpg")
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe")
    folder.chmod(0o700)
    files, record = fetched(tmp_path, SourceSettings(directory=folder))
    assert files == {"glioma/a.jpg": b"1", "inside.jpg": b"1"}
    assert (tmp_path / "data/set/raw").stat().st_mode & 0o777 == 0o700
    assert [skipped["path"] for skipped in record["skipped"]] == ["broken.jpg", "loop", "out.jpg", "pipe"]
    copy = tmp_path / "data/set/raw/inside.jpg"
    assert not copy.is_symlink()
    copy.write_bytes(b"changed")
    assert (folder / "glioma" / "a.jpg").read_bytes() == b"1"


def test_a_folder_has_another_digest_once_a_file_is_new_or_changed_and_not_once_it_is_touched(tmp_path):
    folder, record = tmp_path / "mine", tmp_path / "data/set/fetch.json"
    first = folder / "glioma" / "a.jpg"
    first.parent.mkdir(parents=True)
    first.write_bytes(b"1")
    first.with_name("out.jpg").symlink_to(record)
    digest = fetched(tmp_path, SourceSettings(directory=folder))[1]["files_sha256"]

    def found() -> str:
        return digest_of_source("set", folder, record)

    assert found() == digest
    os.utime(first, (0, 0))
    assert found() == digest
    first.write_bytes(b"2")
    assert found() != digest
    first.write_bytes(b"1")
    first.with_name("b.jpg").write_bytes(b"")
    assert found() != digest
    folder.rename(tmp_path / "elsewhere")
    assert found() == digest
    record.unlink()
    with pytest.raises(BrainmriError, match="mine is no folder"):
        found()


@pytest.mark.parametrize("directory", [".", "data", "data/set/raw", "data/set/raw/below"])
def test_folder_and_target_in_one_another_are_refused(tmp_path, directory):
    (tmp_path / directory).mkdir(parents=True, exist_ok=True)
    with pytest.raises(BrainmriError, match="lie in one another"):
        fetched(tmp_path, SourceSettings(directory=tmp_path / directory))


@pytest.mark.parametrize("kind", ["archive", "directory"])
def test_missing_path_is_told(tmp_path, kind):
    with pytest.raises(BrainmriError, match=f"source.{kind}"):
        fetched(tmp_path, SourceSettings(**{kind: tmp_path / "none"}))


def test_folder_without_files_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BrainmriError, match="holds no file"):
        fetched(tmp_path, SourceSettings(directory=tmp_path / "empty"))


def test_phantom_is_drawn_with_its_truth_beside_the_files(tmp_path):
    options = {"patients": 4, "slices": 1, "size": 64, "workers": 1}
    files, record = fetched(tmp_path, SourceSettings(phantom=options))
    assert files
    assert record["source"] == options
    assert (tmp_path / "data/set/truth.parquet").is_file()
    assert fetched(tmp_path, SourceSettings(phantom=options), name="again")[0] == files


@pytest.mark.parametrize("key", ["patient", "output", "truth"])
def test_phantom_option_that_does_not_exist_is_told(tmp_path, key):
    with pytest.raises(BrainmriError, match=f"no option '{key}'"):
        fetched(tmp_path, SourceSettings(phantom={key: 4}))


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"kaggle": "a/b", "archive": Path("x.zip")},
        {"kaggle": "owner"},
        {"kaggle": "owner/name/versions/1"},
        {"kaggle": "../name"},
        {"kaggle": "owner/.."},
        {"kaggle": "https://www.kaggle.com/datasets/a/b"},
        {"kaggle": "a/b", "version": 0},
        {"archive": Path("x.zip"), "version": 1},
    ],
)
def test_source_settings_that_make_no_sense_are_refused(keys):
    with pytest.raises(BrainmriError, match="source"):
        SourceSettings(**keys)


def test_kinds_of_source():
    assert SourceSettings(phantom={}).kind == "phantom"
    assert SourceSettings(kaggle="masoudnickparvar/brain-tumor-mri-dataset").kind == "kaggle"
