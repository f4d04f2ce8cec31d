"""One finished study for the tests of the report."""

import pytest
from synthetic_study import write_study

from brainmri.reporting.report import report
from brainmri.study import Study


@pytest.fixture(scope="session")
def study(tmp_path_factory) -> Study:
    """A finished study with patient ids, and its page."""
    study = write_study(tmp_path_factory.mktemp("study"))
    report(study, study.folder / "report" / "index.html")
    return study


@pytest.fixture(scope="session")
def page(study) -> str:
    """The page of the finished study."""
    return (study.folder / "report" / "index.html").read_text(encoding="utf-8")
