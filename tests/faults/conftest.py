"""One tiny study, run once, for all tests that hurt it."""

import pytest
from small_study import stages_below


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Return the folder of a finished study; only to be read, or copied."""
    root = tmp_path_factory.mktemp("faults") / "study"
    for stage in stages_below(root).values():
        stage.run()
    return root
