"""Downloads by the real kagglehub client from a local server, with every fault that was seen or feared."""

import base64
import hashlib
import io
import json
import os
import random
import subprocess
import sys
import threading
import zipfile
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from kaggle_server import KaggleServer, cut, other, stall, status

from brainmri.cli import main
from brainmri.errors import BrainmriError
from brainmri.sources import kaggle, kaggle_client
from brainmri.sources.fetch import fetch
from brainmri.sources.kaggle import Patience
from brainmri.sources.settings import SourceSettings
from brainmri.sources.stall import Stalled, stall_watch

MIB = 1 << 20
HANDLE = "someone/brains"
SECRET = "KGAT_0123456789abcdef"


def zip_of(files: dict[str, bytes]) -> bytes:
    """Return a zip, stored, of the same bytes each time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name, data in files.items():
            packed.writestr(zipfile.ZipInfo(name), data)
    return buffer.getvalue()


FILES = {f"Training/glioma/{n}.jpg": random.Random(n).randbytes(MIB) for n in range(3)} | {"a.jpg": b"a"}
ARCHIVE = zip_of(FILES)


@pytest.fixture
def server():
    """A server with the archive of four files."""
    with KaggleServer(ARCHIVE) as running:
        yield running


@pytest.fixture
def client(server, tmp_path, monkeypatch):
    """Let the client speak with the server, without login, with a cache of its own."""
    from kagglesdk import kaggle_env

    for name in os.environ:
        if name.upper().startswith("KAGGLE") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "no-login"))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.LOCAL, server.address)


@pytest.fixture
def waits(monkeypatch):
    """The waits that were made, in seconds; none takes time."""
    made = []
    monkeypatch.setattr(kaggle.time, "sleep", made.append)
    return made


@pytest.fixture
def bring(client, waits, tmp_path):
    """A function that fetches, and returns the files and the record."""

    def run(version: int | None = 1, **options):
        folder = tmp_path / "data"
        source = SourceSettings(kaggle=HANDLE, version=version, licence=options.pop("licence", None))
        fetch("set", source, folder / "raw", folder / "fetch.json", tmp_path / "archives", **options)
        paths = [path for path in (folder / "raw").rglob("*") if path.is_file()]
        files = {path.relative_to(folder / "raw").as_posix(): path.read_bytes() for path in paths}
        return files, json.loads((folder / "fetch.json").read_text())

    return run


@pytest.fixture
def cached(tmp_path):
    """The archive of version 1 in the cache."""
    return tmp_path / "cache" / "datasets" / "someone" / "brains" / "1.archive"


def put(path: Path, data: bytes) -> None:
    """Write a file into the cache."""
    path.parent.mkdir(parents=True)
    path.write_bytes(data)


def test_pinned_version_is_downloaded_and_recorded(bring, server):
    files, record = bring()
    assert files == FILES
    assert server.versions == [1]
    assert server.authorizations == [None, None]
    assert record["source"] == HANDLE
    assert record["version"] == 1
    assert record["downloaded"] is True
    assert record["licence"] == record["licence_on_kaggle"] == "CC0: Public Domain"
    assert record["archive_sha256"] == hashlib.sha256(ARCHIVE).hexdigest()
    assert record["archive_bytes"] == len(ARCHIVE)


def test_newest_version_is_asked_for_and_recorded(bring, server):
    files, record = bring(version=None, licence="as the authors say")
    assert files == FILES
    assert server.asked == ["describe", "download", "archive"]
    assert (server.versions, record["version"]) == ([3], 3)
    assert (record["licence"], record["licence_on_kaggle"]) == ("as the authors say", "CC0: Public Domain")


def test_what_is_in_the_cache_is_not_asked_for_again(bring, server):
    first, record = bring()
    server.asked.clear()
    second, again = bring()
    assert (first, server.asked) == (second, [])
    assert {**record, "time": None} == {**again, "time": None}


def test_zip_put_there_by_hand_wins_over_the_network(bring, server, tmp_path):
    put(tmp_path / "archives" / f"{HANDLE}.zip", zip_of({"b.jpg": b"b"}))
    files, record = bring()
    assert files == {"b.jpg": b"b"}
    assert (record["downloaded"], server.asked) == (False, [])


def test_licence_that_is_not_told_is_no_failure(bring, server):
    server.faults["describe"] = [status(503)]
    files, record = bring()
    assert (files, record["licence"]) == (FILES, None)


@pytest.mark.parametrize(
    ("kind", "number"), [("describe", 500), ("download", 429), ("download", 408), ("archive", 503)]
)
def test_busy_server_is_asked_again(bring, server, waits, kind, number):
    server.faults[kind] = [status(number), status(number)]
    files, _ = bring(version=None)
    assert files == FILES
    assert waits == [1, 2]


def test_retry_after_is_honoured_in_seconds_and_as_a_date(bring, server, waits):
    moment = datetime.now(UTC) + timedelta(seconds=100)
    server.faults["download"] = [
        status(429, "17"),
        status(503, format_datetime(moment, usegmt=True)),
        status(429, "0"),
        status(429, "soon"),
    ]
    assert bring()[0] == FILES
    assert waits[0] == 17
    assert 80 < waits[1] <= 100
    assert waits[2:] == [4, 8]


def test_server_that_asks_for_too_long_a_wait_ends_it(bring, server, waits):
    server.faults["download"] = [status(429, "86400")]
    with pytest.raises(BrainmriError, match=r"someone/brains.*429.*wait 86400 seconds.*by hand"):
        bring()
    assert waits == []


def test_patience_ends(bring, server, waits):
    server.faults["download"] = [status(503)] * 99
    with pytest.raises(BrainmriError, match=r"someone/brains \(version 1\) could not.*503.*later") as caught:
        bring()
    assert waits == [1, 2, 4, 8, 16]
    assert "https://www.kaggle.com/datasets/someone/brains and put it at" in str(caught.value)
    assert "archives/someone/brains.zip" in str(caught.value)


def test_cut_connection_is_resumed(bring, server):
    server.faults["archive"] = [cut(MIB + 1000)]
    server.faults["resume"] = [lambda handler: handler.serve(start=MIB, stop=2 * MIB + 5)]
    files, record = bring()
    assert files == FILES
    assert record["archive_sha256"] == hashlib.sha256(ARCHIVE).hexdigest()
    assert server.asked.count("resume") == 2


def test_cuts_that_each_bring_something_do_not_count(bring, server):
    server.faults["archive"] = [cut(MIB + 1)]
    server.faults["resume"] = [lambda handler: handler.serve(start=MIB, stop=2 * MIB + 1)]
    assert bring(attempts=2)[0] == FILES


def test_cuts_that_bring_nothing_end(bring, server, waits):
    server.faults["archive"] = [cut(0)]
    server.faults["resume"] = [cut(0)] * 99
    with pytest.raises(BrainmriError, match="the connection was cut"):
        bring()
    assert len(waits) == 5


@pytest.mark.parametrize("number", [403, 503])
@pytest.mark.parametrize("md5", [True, False])
def test_resume_answered_with_an_error_page_starts_over(bring, server, number, md5):
    server.md5 = md5
    server.faults["archive"] = [cut(MIB + 1000)]
    server.faults["resume"] = [status(number, body=b"<Error>expired</Error>")]
    assert bring()[0] == FILES
    assert server.asked[:6] == ["download", "archive", "download", "archive", "resume", "download"]


def test_resume_answered_with_a_page_of_the_missing_length_starts_over(bring, server):
    server.md5 = False
    server.faults["archive"] = [cut(MIB + 1000)]
    server.faults["resume"] = [status(403, body=b"!" * (len(ARCHIVE) - MIB))]
    assert bring()[0] == FILES


def test_server_that_ignores_the_range_starts_over(bring, server, cached):
    put(cached, ARCHIVE[:MIB])
    server.faults["resume"] = [lambda handler: handler.serve()]
    assert bring()[0] == FILES


def test_wrong_md5_is_downloaded_again_and_then_told(bring, server, cached):
    damaged = ARCHIVE[:-1] + b"?"
    server.faults["archive"] = [other(damaged)]
    assert bring()[0] == FILES
    server.faults["archive"] = [other(damaged)] * 99
    cached.unlink()
    with pytest.raises(BrainmriError, match=r"someone/brains.*damaged.*MD5"):
        bring()


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


@pytest.mark.parametrize(
    ("kind", "after"), [("describe", None), ("download", None), ("archive", None), ("archive", MIB + 1000)]
)
def test_stall_is_broken_off_and_tried_again(bring, server, kind, after):
    server.faults[kind] = [stall(after)]
    # Long enough that a busy machine's slowest honest answer is not taken for a stall.
    assert bring(version=None, stall_seconds=3)[0] == FILES


def test_stall_for_ever_names_the_set(bring, server, waits):
    server.faults["download"] = [stall()] * 9
    with pytest.raises(BrainmriError, match=r"someone/brains \(version 1\) .*nothing came for 0.3 seconds"):
        bring(stall_seconds=0.3)
    assert waits == [1]


@pytest.mark.parametrize(
    ("kind", "number", "login", "words"),
    [
        ("describe", 401, False, "wants a login.*make a token at https://www.kaggle.com/settings/api"),
        ("download", 401, True, "does not accept the login.*public sets need none"),
        ("archive", 403, False, "check the handle, accept the set's rules.*make a token"),
        ("download", 403, True, "check the handle, accept the set's rules.*the account of your login"),
        ("describe", 404, False, "no such set or version.*check source.kaggle and source.version"),
        ("download", 400, False, r"refuses.*\(status 400\).*check source.kaggle"),
    ],
)
def test_refusals_are_final_and_say_what_to_do(bring, server, waits, monkeypatch, kind, number, login, words):
    if login:
        monkeypatch.setenv("KAGGLE_API_TOKEN", SECRET)
    server.faults[kind] = [status(number, body=SECRET.encode())]
    with pytest.raises(BrainmriError, match=words) as caught:
        bring(version=None)
    assert "put it at" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert waits == []


def test_refusal_in_the_body_of_a_good_answer_is_final(bring, server, waits):
    def refuse(handler):
        body = json.dumps({"code": 403, "message": "denied"}).encode()
        handler.say(200, body, {"Content-Type": "application/json"})

    server.faults["describe"] = [refuse]
    with pytest.raises(BrainmriError, match="403"):
        bring(version=None)
    assert waits == []


@pytest.mark.parametrize(
    "body", [b"<html>sign in to the hotel</html>", b"{}", b"[]", b'{"currentVersionNumber": "x"}']
)
def test_answer_that_is_not_kaggles_is_told(bring, server, body):
    server.faults["describe"] = [status(200, body=body)] * 9
    with pytest.raises(BrainmriError, match="none of Kaggle's"):
        bring(version=None)


def test_no_network_says_what_to_do(bring, server, waits, tmp_path):
    server.shutdown()
    server.server_close()
    with pytest.raises(BrainmriError, match="no connection to Kaggle") as caught:
        bring()
    assert len(waits) == 2
    assert "https://www.kaggle.com/datasets/someone/brains" in str(caught.value)
    assert str(tmp_path / "archives" / "someone" / "brains.zip") in str(caught.value)
    assert not list((tmp_path / "data").iterdir())
    server.shutdown = lambda: None


def test_login_is_sent_to_kaggle_and_told_to_nobody(bring, server, monkeypatch, capfd, tmp_path):
    monkeypatch.setenv("KAGGLE_API_TOKEN", SECRET)
    server.faults["archive"] = [status(503, body=SECRET.encode()), cut(MIB + 5)]
    bring()
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    monkeypatch.setenv("KAGGLE_USERNAME", "me")
    monkeypatch.setenv("KAGGLE_KEY", SECRET)
    bring(version=2)
    assert server.authorizations[0] == f"Bearer {SECRET}"
    assert server.authorizations[-1].startswith("Basic ")
    told = "".join(capfd.readouterr())
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*.json"))
    for secret in (SECRET, "SIGNED"):
        assert secret not in told
        assert secret.encode() not in written


def test_no_secret_gets_into_any_file_that_a_fetch_writes(
    client, waits, server, monkeypatch, capfd, tmp_path
):
    keys = {"AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI", "HF_TOKEN": "hf_0123456789", "KAGGLE_KEY": SECRET}
    for name, secret in {**keys, "KAGGLE_USERNAME": "me", "KAGGLE_API_TOKEN": SECRET}.items():
        monkeypatch.setenv(name, secret)
    monkeypatch.setenv("BRAINMRI_EVENTS", str(tmp_path / "logs" / "fetch.jsonl"))
    source = json.dumps({"kaggle": HANDLE})
    command = ["fetch", "--dataset", "set", "--source", source, "--archives_dir", str(tmp_path / "archives")]
    command += ["--raw", str(tmp_path / "raw"), "--output", str(tmp_path / "fetch.json")]
    server.faults["archive"] = [status(503, body=SECRET.encode()), cut(MIB + 5)]
    assert main(command) == 0
    server.faults["describe"] = [status(403, body=SECRET.encode())]
    assert main(command) == 1
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    events = (tmp_path / "logs" / "fetch.jsonl").read_text()
    assert '"event": "end"' in events and '"event": "failure"' in events
    assert tmp_path / "fetch.json" in files and len(files) > len(FILES)
    told = "".join(capfd.readouterr()).encode()
    basic = base64.b64encode(f"me:{SECRET}".encode()).decode()
    for secret in (*keys.values(), "SIGNED", basic):
        assert secret.encode() not in told
        assert [path for path in files if secret.encode() in path.read_bytes()] == []


@pytest.mark.parametrize("token", ["line\nbreak", "ключ", "x" * 5000])
def test_login_that_cannot_be_sent_is_told_without_it(bring, monkeypatch, token):
    monkeypatch.setenv("KAGGLE_API_TOKEN", token)
    with pytest.raises(BrainmriError, match="login") as caught:
        bring()
    assert token not in str(caught.value)


def test_broken_login_file_is_told(bring, monkeypatch, tmp_path):
    put(tmp_path / "login" / "kaggle.json", b"{broken")
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "login"))
    with pytest.raises(BrainmriError, match="login cannot be read"):
        bring()


def test_verbose_client_prints_no_login(monkeypatch, capfd, client, waits):
    # In this environment the client prints all headers.
    from kagglesdk import kaggle_env

    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "TEST")
    address = kaggle_env._env_to_endpoint[kaggle_env.KaggleEnv.LOCAL]
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.TEST, address)
    monkeypatch.setenv("KAGGLE_API_TOKEN", SECRET)
    assert kaggle_client.describe(HANDLE).version == 3
    assert SECRET not in "".join(capfd.readouterr())


@pytest.mark.parametrize("terminal", [True, False])
def test_bar_is_shown_at_a_terminal_and_not_in_a_log(bring, monkeypatch, capsys, terminal):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    bring()
    assert ("100%|" in capsys.readouterr().err) == terminal


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


def test_stall_watch_leaves_a_growing_file_alone_and_restores_the_timer(tmp_path):
    import signal
    import time

    former = signal.getsignal(signal.SIGALRM)
    with stall_watch(tmp_path / "file", 0.3):
        for size in range(5):
            time.sleep(0.12)
            (tmp_path / "file").write_bytes(b"x" * size)
    with pytest.raises(Stalled), stall_watch(tmp_path / "file", 0.1):
        time.sleep(5)
    assert signal.getsignal(signal.SIGALRM) is former
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.mark.parametrize("keys", [{"attempts": 0}, {"stall_seconds": 0.0}, {"stall_seconds": float("nan")}])
def test_patience_that_makes_no_sense_is_refused(keys):
    with pytest.raises(BrainmriError, match=next(iter(keys))):
        Patience(**keys)


def test_client_is_imported_for_a_download_alone():
    code = "import sys, brainmri.sources.fetch; sys.exit(bool({'kagglehub', 'requests'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
