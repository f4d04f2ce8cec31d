"""An S3 on this machine, for DVC's tests and benchmark."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from time import sleep
from unittest.mock import patch

import boto3
from moto.s3.models import FakeKey
from moto.server import ThreadedMotoServer

# The secret is looked for afterwards, wherever a tool may have written it.
KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIAPHANTOMPHANTOM00",
    "AWS_SECRET_ACCESS_KEY": "a-secret-that-shows-up-nowhere",
}


def read_once() -> property:
    """Return an object's bytes as moto does, but read once.

    For each range that is asked for, moto reads and copies the whole object first, which no S3 does: of a
    large one that costs more than all the rest of its way.
    """
    plain, reading = FakeKey.value, Lock()

    def value(key: FakeKey) -> bytes:
        with reading:
            if "bytes_read" not in key.__dict__:
                key.bytes_read = plain.fget(key)
            return key.bytes_read

    def replace(key: FakeKey, new: bytes) -> None:
        key.__dict__.pop("bytes_read", None)
        plain.fset(key, new)

    return property(value, replace)


@contextmanager
def local_s3(bucket: str, latency: float = 0.0) -> Iterator[str]:
    """Serve an empty bucket on a free port, each answer so many seconds late; yield the server's address."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # or it tells every request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    once = patch.object(FakeKey, "value", read_once())
    once.start()
    server.start()
    at_once = server._server.app

    def late(environ, start_response):
        sleep(latency)
        return at_once(environ, start_response)

    server._server.app = late
    try:
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        client_of(address).create_bucket(Bucket=bucket)
        yield address
    finally:
        server.stop()
        once.stop()


def client_of(address: str):
    """Return a client of the S3 at an address."""
    return boto3.client(
        "s3",
        endpoint_url=address,
        region_name="us-east-1",
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
    )
