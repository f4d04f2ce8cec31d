"""A server that speaks as Kaggle does, and the client that speaks with it."""

import json
import os

import pytest
from kaggle_server import ARCHIVE, HANDLE, KaggleServer

from brainmri.sources import kaggle
from brainmri.sources.fetch import fetch
from brainmri.sources.settings import SourceSettings


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
