"""Which source files a stage depends on."""

import pytest

from brainmri.cli import COMMANDS
from brainmri.code import PACKAGE, code_of


def names(module):
    return [str(path.resolve().relative_to(PACKAGE)) for path in code_of(module)]


def test_a_stage_depends_on_itself_and_all_that_it_imports():
    files = names("brainmri.splits.split")
    assert files[0] == "splits/split.py"
    assert {
        "splits/assignment.py",
        "splits/settings.py",
        "images/store.py",
        "artefacts.py",
        "errors.py",
    } <= set(files)


def test_a_stage_does_not_depend_on_later_stages():
    files = names("brainmri.audit.audit")
    assert not any(
        file.startswith(("training/", "models/", "evaluation/", "reporting/", "cli")) for file in files
    )


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "status"])
def test_the_command_line_and_the_records_of_jobs_make_nothing_run_again(command):
    assert not {"cli.py", "events.py", "status.py", "standing.py"} & set(names(COMMANDS[command][0]))


def test_imports_inside_functions_and_data_files_count():
    files = names("brainmri.reporting.report")
    assert any(file.startswith("reporting/templates/") for file in files)
    assert "sources/phantom.py" in names("brainmri.sources.fetch")


@pytest.mark.parametrize(
    "command", [name for name in COMMANDS if name.startswith(("draw_", "train", "lr-find"))]
)
def test_a_changed_template_of_the_page_trains_and_draws_nothing_again(command):
    files = names(COMMANDS[command][0])
    assert not any(file.startswith(("reporting/templates/", "reporting/checklists/")) for file in files)


def test_the_list_of_architectures_is_code_of_a_training():
    assert "models/architectures.txt" in names("brainmri.training.train")


def test_paths_below_the_working_directory_are_relative(monkeypatch):
    monkeypatch.chdir(PACKAGE.parent.parent)
    assert all(str(path).startswith("src/brainmri/") for path in code_of("brainmri.audit.audit"))


def test_an_unknown_module_is_refused():
    with pytest.raises(ValueError, match=r"brainmri\.nothing"):
        code_of("brainmri.nothing")
