"""A server on this machine that speaks Kaggle's protocol, with faults on demand."""

import base64
import hashlib
import io
import json
import random
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

API = "/api/v1/datasets.DatasetApiService/"

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


def put(path: Path, data: bytes) -> None:
    """Write a file into the cache."""
    path.parent.mkdir(parents=True)
    path.write_bytes(data)


class KaggleServer(ThreadingHTTPServer):
    """Serves one archive under any handle.

    Attributes
    ----------
    faults
        One for each coming request of a kind (``describe``, ``download``, ``archive``, ``resume``), used up
        in order; an empty list, or None in it, is no fault. A fault is a function of the handler.
    asked
        The kinds of the requests that came.
    authorizations
        The Authorization headers that came.
    """

    daemon_threads = True

    def __init__(self, archive: bytes):
        super().__init__(("127.0.0.1", 0), Handler)
        self.archive, self.newest, self.licence = archive, 3, "CC0: Public Domain"
        self.faults = {"describe": [], "download": [], "archive": [], "resume": []}
        self.asked, self.authorizations, self.versions = [], [], []
        self.md5, self.over = True, threading.Event()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        """Say nothing: clients that hang up are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    def log_message(self, *_):
        """Say nothing."""

    def do_POST(self):
        """Describe the set, or redirect to the archive."""
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.authorizations.append(self.headers["Authorization"])
        if self.path == API + "GetDataset":
            if self.fault("describe"):
                return
            answer = {"currentVersionNumber": self.server.newest, "licenseName": self.server.licence}
            self.say(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})
        elif self.path == API + "DownloadDataset":
            if self.fault("download"):
                return
            self.server.versions.append(question["datasetVersionNumber"])
            self.say(302, b"", {"Location": f"{self.server.address}/archive.zip?X-Goog-Signature=SIGNED"})
        else:
            self.say(404, b"")

    def do_GET(self):
        """Serve the archive, or the rest of it."""
        start = self.headers["Range"]
        if self.fault("resume" if start else "archive"):
            return
        self.serve(int(start.removeprefix("bytes=").removesuffix("-")) if start else 0)

    def serve(self, start=0, stop=None, archive=None):
        """Serve the archive from `start`, and hang up at `stop`."""
        data = archive or self.server.archive
        headers = {"Accept-Ranges": "bytes", "Content-Length": str(len(data) - start)}
        if self.server.md5:
            md5 = base64.b64encode(hashlib.md5(self.server.archive).digest()).decode()
            headers["x-goog-hash"] = f"crc32c=AAAAAA==,md5={md5}"
        self.say(206 if start else 200, data[start:stop], headers)

    def say(self, status, body, headers=None):
        """Answer."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def fault(self, kind) -> bool:
        """Note the request; return whether a fault has answered it."""
        self.server.asked.append(kind)
        waiting = self.server.faults[kind]
        fault = waiting.pop(0) if waiting else None
        if fault is None:
            return False
        fault(self)
        return True


def status(number, retry_after=None, body=b"no"):
    """Return a fault: a status, with Retry-After where given."""
    return lambda handler: handler.say(number, body, {"Retry-After": retry_after} if retry_after else {})


def cut(after):
    """Return a fault: hang up after so many bytes of the archive."""
    return lambda handler: handler.serve(stop=after)


def stall(after=None):
    """Return a fault: say nothing more, after so many bytes of the archive or even before the headers."""

    def hang(handler):
        if after is not None:
            handler.serve(stop=after)
            handler.wfile.flush()
        handler.server.over.wait()

    return hang


def other(archive):
    """Return a fault: another archive under the same MD5."""
    return lambda handler: handler.serve(archive=archive)
