"""Downloads by the real client from a local server, with every fault of the line that was seen or feared."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from kaggle_server import ARCHIVE, FILES, MIB, SECRET, cut, other, put, stall, status

from brainmri.errors import BrainmriError
from brainmri.sources.kaggle import Patience
from brainmri.sources.stall import Stalled, stall_watch


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
