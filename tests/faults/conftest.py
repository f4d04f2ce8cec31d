"""One tiny study, run once, for all tests that hurt it."""

import pytest
from small_study import OTHER, all_stages, data_stages, study_below


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Return the folder of a finished study; only to be read, or copied."""
    root = tmp_path_factory.mktemp("faults") / "study"
    for stage in [*data_stages(study_below(root), "other", OTHER), *all_stages(root).values()]:
        stage.run()
    return root
