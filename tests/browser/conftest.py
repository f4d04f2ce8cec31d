"""A browser without network, and a page to open in it."""

import shutil
import sys
from pathlib import Path

import pytest

# The tests' folders are no packages; the synthetic study lies beside the tests of the report.
sys.path.insert(0, str(Path(__file__).parent.parent / "reporting"))

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def browser():
    """Debian's Chromium; the tests are skipped where it is absent."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is absent")
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("the browser chromium is absent")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def address(tmp_path_factory) -> str:
    """The page of a study with long names, two seeds and no patient ids."""
    from explained_study import write_explained
    from synthetic_study import write_study

    from brainmri.reporting.report import report

    root = tmp_path_factory.mktemp("browser")
    study = write_study(root, "a-data-set-with-a-rather-long-name_2024", seeds=[0, 1], with_patients=False)
    study = write_explained(study)
    output = study.folder / "report" / "index.html"
    report(study, output)
    return output.as_uri()
