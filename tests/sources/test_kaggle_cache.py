"""What lies in the cache of kagglehub: taken where it is whole, else brought anew."""

import threading
from pathlib import Path

import pytest
from kaggle_server import ARCHIVE, FILES, HANDLE, put, zip_of

from brainmri.errors import BrainmriError
from brainmri.sources.fetch import fetch
from brainmri.sources.settings import SourceSettings


def test_what_is_in_the_cache_is_not_asked_for_again(bring, server):
    first, record = bring()
    server.asked.clear()
    second, again = bring()
    assert (first, server.asked) == (second, [])
    assert {**record, "time": None} == {**again, "time": None}


@pytest.mark.parametrize("md5", [True, False])
@pytest.mark.parametrize(("filling", "rest"), [(b"\0", 0), (b"x", 0), (b"x", 100)])
def test_bad_archive_in_the_cache_is_downloaded_anew(bring, server, cached, md5, filling, rest):
    server.md5 = md5
    put(cached, filling * (len(ARCHIVE) + rest))
    unpacked = cached.parent / "versions" / "1"
    unpacked.mkdir(parents=True)
    assert bring()[0] == FILES
    # With an MD5 the archive was removed before anyone could unpack it.
    assert unpacked.exists() == (md5 or rest > 0)


def test_good_archive_without_a_record_is_checked_and_taken(bring, server, cached):
    put(cached, ARCHIVE)
    assert bring()[0] == FILES
    assert "resume" not in server.asked


@pytest.mark.parametrize("spoil", [lambda path: path.write_bytes(b"x" * len(ARCHIVE)), Path.unlink])
def test_archive_lost_or_changed_in_the_cache_is_noticed(bring, server, cached, spoil):
    bring()
    spoil(cached)
    server.asked.clear()
    assert bring()[0] == FILES
    assert "archive" in server.asked


def test_files_that_kagglehub_unpacked_are_not_trusted(bring, cached):
    (cached.parent / "versions" / "1").mkdir(parents=True)
    (cached.parent / "1.complete").touch()
    assert bring()[0] == FILES


def test_file_lost_after_the_fetch_comes_back(bring, tmp_path):
    bring()
    (tmp_path / "data" / "raw" / "a.jpg").unlink()
    assert bring()[0] == FILES


@pytest.mark.parametrize("md5", [True, False])
def test_hostile_archive_is_refused_and_nothing_written(bring, server, tmp_path, md5):
    server.archive, server.md5 = zip_of({"../../evil": b"evil"}), md5
    with pytest.raises(BrainmriError, match="outside"):
        bring()
    assert not list(tmp_path.rglob("evil"))
    assert not (tmp_path / "data" / "raw").exists()
    server.archive = ARCHIVE
    assert bring()[0] == FILES


def test_cache_that_cannot_be_written_is_told(bring, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "file"))
    with pytest.raises(BrainmriError, match="KAGGLEHUB_CACHE"):
        bring()


def test_two_downloads_of_one_archive_do_not_mix(client, server, tmp_path):
    server.faults["archive"] = [lambda handler: (handler.server.over.wait(0.3), handler.serve())]
    failures = []

    def run(name):
        folder = tmp_path / name
        try:
            fetch("set", SourceSettings(kaggle=HANDLE, version=1), folder / "raw", folder / "fetch.json")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert server.asked.count("archive") == 1
    assert (tmp_path / "b" / "raw" / "a.jpg").read_bytes() == b"a"
