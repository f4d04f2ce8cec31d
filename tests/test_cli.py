"""The command line: a light start, one sub-command a stage, help from the docstrings."""

import subprocess
import sys
from inspect import getdoc, signature
from pathlib import Path

import pytest

from brainmri import cli
from brainmri.cli import COMMANDS, function_of, main

BRAINMRI = Path(sys.executable).with_name("brainmri")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_function_whose_options_are_described(name, capsys):
    stage = function_of(name)
    described = getdoc(stage).partition("Parameters\n")[2]
    for parameter in signature(stage).parameters:
        assert parameter in described, parameter
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    assert f"usage: brainmri {name}" in shown
    assert all(key in shown for key in signature(stage).parameters)
    # Marks of docstrings and of Python's types are no words for people at a terminal.
    assert "``" not in shown and "<class" not in shown


def test_help_lists_every_command_without_importing_anything_heavy():
    code = (
        "import sys; from brainmri.cli import main; main(['--help']); "
        "heavy = {'torch', 'pandas', 'numpy', 'cv2', 'timm', 'sklearn', 'matplotlib', 'jsonargparse'}; "
        "sys.exit(' '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0
    assert all(name in done.stdout for name in COMMANDS)


WITHOUT_NETWORKS = ("split", "inventory", "crop", "audit", "checksum", "fetch", "compare", "report")


@pytest.mark.parametrize(
    ("command", "library"), [*((name, "torch") for name in WITHOUT_NETWORKS), ("report", "matplotlib")]
)
def test_stages_import_no_heavy_library_that_they_do_not_use(command, library):
    code = f"import sys; from brainmri.cli import main; main(['{command}', '--help'])"
    check = (
        f"import atexit; atexit.register(lambda: print('HEAVY' if '{library}' in sys.modules else 'LIGHT'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {check}; {code}"], capture_output=True, text=True
    )
    assert done.stdout.endswith("LIGHT\n"), done.stderr


def test_version_and_unknown_commands(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("brainmri 0.")
    assert main(["inventry"]) == 2
    assert "Did you mean 'inventory'?" in capsys.readouterr().err
    # Of many commands none is like this one.
    assert main(["zzzz"]) == 2
    assert "The nearest of" in capsys.readouterr().err
    assert main([]) == 2


def test_the_process_ends_with_its_status_when_all_is_said():
    code = (
        "import atexit, brainmri.cli as cli; atexit.register(lambda: print('asked at the end')); "
        "cli.main = lambda: print('said') or 75; cli.program()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (75, "said\nasked at the end\n")


def test_a_mistake_ends_with_status_1_and_one_line(tmp_path):
    command = [BRAINMRI, "audit", "--inventory", tmp_path / "none.parquet"]
    command += ["--duplicates", "d", "--groups", "g", "--output", "o"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert (
        done.stderr
        == f"brainmri audit: {tmp_path / 'none.parquet'} does not exist: run the stage that makes it first.\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_the_older_jsonargparse_of_conda_will_do(monkeypatch, tmp_path):
    class Older:
        def __init__(self, parser):
            self.parse_args, self.instantiate_classes = parser.parse_args, parser.instantiate

    monkeypatch.setattr(cli, "parser_of", lambda *given, newer=cli.parser_of: Older(newer(*given)))
    assert main(["phantom", "--output", str(tmp_path / "set"), "--patients", "8", "--size", "64"]) == 0
    assert list((tmp_path / "set").rglob("*.png")) or list((tmp_path / "set").rglob("*.jpg"))


@pytest.mark.parametrize("same", ["o.npy", "./o.npy", "sub/../o.npy"])
def test_one_file_under_two_options_is_refused(same, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command = ["crop", "--raw", "raw", "--inventory", "i.parquet", "--size", "32"]
    assert main([*command, "--images", "o.npy", "--crops", same]) == 1
    assert "images and crops are both" in capsys.readouterr().err
    # Devices hold nothing.
    assert main([*command, "--images", "/dev/null", "--crops", "/dev/null"]) == 1
    assert "i.parquet does not exist" in capsys.readouterr().err


def test_an_input_is_not_overwritten_where_it_is_named_as_output(tmp_path, capsys):
    (tmp_path / "metrics.json").write_text("{}")
    metrics = str(tmp_path / "metrics.json")
    assert main(["compare", "--metrics", metrics, "--output", metrics]) == 1
    assert "name two files" in capsys.readouterr().err
    assert (tmp_path / "metrics.json").read_text() == "{}"


def test_a_misspelt_option_is_named(capsys):
    with pytest.raises(SystemExit) as end:
        main(["audit", "--inventori", "x"])
    assert end.value.code == 2
    assert "inventori" in capsys.readouterr().err
