"""The S3 on this machine answers as one does: the right bytes, and no more than were asked for."""

import os
from time import process_time

from local_s3 import client_of, local_s3


def test_ranges_are_those_of_the_object_as_it_is_now():
    with local_s3("store") as address:
        client = client_of(address)

        def read(**asked) -> bytes:
            return client.get_object(Bucket="store", Key="array", **asked)["Body"].read()

        for content in (os.urandom(1000), os.urandom(2000)):
            client.put_object(Bucket="store", Key="array", Body=content)
            assert read() == content
            assert read(Range="bytes=10-19") == content[10:20]
            assert read(Range=f"bytes=900-{len(content) + 50}") == content[900:]
        # What a range costs does not grow with its object.
        cost = {}
        for size in (2**10, 2**26):
            client.put_object(Bucket="store", Key="array", Body=bytes(size))
            read(Range="bytes=0-9")
            started = process_time()
            for _ in range(10):
                read(Range="bytes=0-9")
            cost[size] = process_time() - started
        assert cost[2**26] < 4 * cost[2**10], cost
