"""What is fetched from Kaggle and recorded, and with whose login: by the real client, from a local server."""

import base64
import hashlib
import json
import subprocess
import sys

import pytest
from kaggle_server import (
    ARCHIVE,
    FILES,
    HANDLE,
    MIB,
    SECRET,
    cut,
    put,
    status,
    zip_of,
)

from brainmri.cli import main
from brainmri.errors import BrainmriError
from brainmri.sources import kaggle_client


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


def test_zip_put_there_by_hand_wins_over_the_network(bring, server, tmp_path):
    put(tmp_path / "archives" / f"{HANDLE}.zip", zip_of({"b.jpg": b"b"}))
    files, record = bring()
    assert files == {"b.jpg": b"b"}
    assert (record["downloaded"], server.asked) == (False, [])


def test_licence_that_is_not_told_is_no_failure(bring, server):
    server.faults["describe"] = [status(503)]
    files, record = bring()
    assert (files, record["licence"]) == (FILES, None)


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


def test_client_is_imported_for_a_download_alone():
    code = "import sys, brainmri.sources.fetch; sys.exit(bool({'kagglehub', 'requests'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
