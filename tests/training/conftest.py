"""A tiny data set on which a network can be trained in a second."""

import pytest
from blob_images import write_blobs


@pytest.fixture
def blob_files(tmp_path):
    """Return the paths of a manifest and its packed images."""
    return write_blobs(tmp_path / "data")
