"""The environment: one set of packages in four files, and a house that is clean."""

import re
import subprocess
import tomllib
from importlib.metadata import requires, version
from itertools import chain

import pytest
import yaml
from helpers import BIN, ROOT
from packaging.requirements import Requirement

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

# Where conda calls a package otherwise than the Python index does.
CONDA_NAMES = {
    "docstring-parser": "docstring_parser",
    "matplotlib": "matplotlib-base",
    "opencv-python-headless": "py-opencv",
    "playwright": "playwright-python",
    "snakemake": "snakemake-minimal",
}
# Both variants take everything else from the same list.
CONDA_FILES = {"environment.yml": "pytorch-cpu", "environment-gpu.yml": "pytorch-gpu"}


def wanted() -> dict[str, Requirement]:
    """Return all requirements of the project, its extras included, by name."""
    lines = [*PROJECT["dependencies"], *chain.from_iterable(PROJECT["optional-dependencies"].values())]
    return {Requirement(line).name: Requirement(line) for line in lines}


def locked() -> dict[str, str]:
    """Return the pinned version of each package."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return dict(line.removesuffix(" \\").split("==") for line in lines if "==" in line)


def test_the_lock_is_plain_pins_with_hashes():
    text = (ROOT / "requirements.lock").read_text()
    assert re.fullmatch(r"(?:[A-Za-z0-9._-]+==\S+(?: \\\n    --hash=sha256:[0-9a-f]{64})+\n)+", text)


def test_the_lock_satisfies_the_project():
    pins = locked()
    for name, requirement in wanted().items():
        assert requirement.specifier.contains(pins[name]), name


def test_the_lock_is_complete():
    pins = {name.lower().replace("_", "-").replace(".", "-") for name in locked()}
    for name in pins:
        for line in requires(name) or []:
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                assert needed.name.lower().replace("_", "-").replace(".", "-") in pins, (
                    f"{name} needs {needed}"
                )


def test_what_is_installed_is_what_is_locked():
    for name, pinned in locked().items():
        assert version(name) == pinned, name


@pytest.mark.parametrize(("file", "torch"), CONDA_FILES.items())
def test_conda_has_the_same_packages_in_the_same_ranges(file, torch):
    environment = yaml.safe_load((ROOT / file).read_text())
    assert environment["channels"] == ["conda-forge", "bioconda", "nodefaults"]
    listed = environment["dependencies"]
    conda = dict(re.fullmatch(r"([\w-]+)(.*)", line).groups() for line in listed if line != "pip")
    assert conda.pop("python") == PROJECT["requires-python"]
    names = CONDA_NAMES | {"torch": torch}
    expected = {names.get(name, name): requirement.specifier for name, requirement in wanted().items()}
    assert set(conda) == set(expected)
    for name, specifier in expected.items():
        assert set(conda[name].split(",")) == set(str(specifier).split(",")), name


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["snakefmt", "--check", "Snakefile", "workflow"],
        ["snakemake", "--lint"],
    ],
    ids=" ".join,
)
def test_the_house_is_clean(command):
    done = subprocess.run([BIN / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_orchestrator_is_imported_by_the_package():
    pattern = re.compile(r"^\s*(?:from|import) (?:snakemake|dvc)\b", re.M)
    for path in (ROOT / "src").rglob("*.py"):
        assert not pattern.search(path.read_text()), path
