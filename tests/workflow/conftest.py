"""The small study, in an empty folder or run to its end once."""

import pytest
from phantom_study import SMALL_STUDY, Workflow


@pytest.fixture
def workflow(tmp_path):
    """Return a function that makes a workflow in an empty folder."""
    return lambda config: Workflow(tmp_path / "study", config)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Return the small study, run to its end once."""
    study = Workflow(tmp_path_factory.mktemp("finished") / "Köpfe und Schnitte" / "数据", SMALL_STUDY)
    done = study.run()
    assert done.returncode == 0, done.stdout + done.stderr
    return study
