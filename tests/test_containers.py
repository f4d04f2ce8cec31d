"""The container recipes: from the lock, for everybody but root, with what the README asks for."""

import getpass
import os
import pwd
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DOCKER, APPTAINER = "Dockerfile", "apptainer.def"
RECIPES = [DOCKER, APPTAINER]
# Keeps what it was asked for, and runs the command as it is.
STAND_IN = """#!/bin/sh
[ "$1" = --version ] && echo "apptainer version 1.3.0" && exit
echo "$@" >> "$TOLD"
while [ "$2" != -c ]; do shift; done
exec "$@"
"""


def text_of(recipe: str) -> str:
    """Return a recipe without its comments, its continued lines joined."""
    text = (ROOT / recipe).read_text(encoding="utf-8")
    return re.sub(r"\\\n\s*", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile, in order."""
    lines = [line for line in text_of(DOCKER).splitlines() if line.strip()]
    assert all(re.match(r"[A-Z]+ \S", line) for line in lines), lines
    return [tuple(line.split(maxsplit=1)) for line in lines]


def sections() -> dict[str, str]:
    """Return the sections of the definition; the header under an empty name."""
    head, *parts = re.split(r"^%", text_of(APPTAINER), flags=re.MULTILINE)
    named = [part.partition("\n") for part in parts]
    return {"": head} | {name.strip(): body for name, _, body in named}


def copied(recipe: str) -> set[str]:
    """Return what of the project goes into the image."""
    if recipe == APPTAINER:
        return {line.split()[0] for line in sections()["files"].splitlines() if line.strip()}
    sources = [
        words.split()[:-1] for name, words in instructions() if name == "COPY" and "--from" not in words
    ]
    return {source for words in sources for source in words}


@pytest.mark.parametrize("recipe", RECIPES)
def test_everything_is_installed_from_the_lock(recipe):
    installs = re.findall(r"pip install ([^&\n]*)", text_of(recipe))
    locked, own = [line.split() for line in installs]
    assert {"--require-hashes", "--no-deps", "-r", "requirements.lock"} <= set(locked)
    # brainmri itself, with the back end that the lock brings: nothing else is asked of an index.
    assert {"--no-deps", "--no-build-isolation"} <= set(own) and own[-1] == "."
    assert copied(recipe) == {"requirements.lock", "pyproject.toml", "README.md", "LICENSE", "src"}
    assert all((ROOT / name).exists() for name in copied(recipe))
    assert not re.search(r"\b(?:conda|curl|wget|ADD)\b|https?:", text_of(recipe))


@pytest.mark.parametrize("recipe", RECIPES)
def test_it_has_the_python_and_the_tools_that_are_asked_for(recipe):
    bases = re.findall(r"^(?:FROM |From: )(\S+)", text_of(recipe), re.MULTILINE)
    assert len(set(bases)) == 1
    version = re.fullmatch(r"python:(\d+\.\d+)-slim-\w+", bases[0])[1]
    assert SpecifierSet(PROJECT["requires-python"]).contains(version)
    # The lock is compiled for this one.
    assert f"--python-version {version}" in (ROOT / "Makefile").read_text()
    packages = re.search(r"apt-get install -y --no-install-recommends ([^&\n]+)", text_of(recipe))[1].split()
    assert set(packages) == {"g++", "git"}
    assert "/opt/brainmri/bin:$PATH" in text_of(recipe)


def test_the_image_runs_as_a_user_without_rights():
    last = [index for index, (name, _) in enumerate(instructions()) if name == "FROM"][-1]
    final = instructions()[last + 1 :]
    users = [words for name, words in final if name == "USER"]
    assert users and users[-1] not in ("root", "0")
    made = f"useradd --create-home --uid 1000 {users[-1]}"
    assert any(made in words for name, words in final if name == "RUN")
    # What comes after the user was set needs no rights.
    after = final[[name for name, _ in final].index("USER") + 1 :]
    assert {name for name, _ in after} <= {"CMD", "ENTRYPOINT", "WORKDIR", "ENV"}
    # Apptainer runs as its caller: there is nothing to set, and nothing is done on the host.
    assert "setup" not in sections()


def test_a_user_whom_the_image_does_not_know_has_a_name_and_a_home(monkeypatch):
    def unknown(number):
        raise KeyError(f"getpwuid(): uid not found: {number}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    final = text_of(DOCKER).rpartition("\nFROM ")[2]
    for words in re.findall(r"^ENV (.*)", final, flags=re.MULTILINE):
        for name, value in re.findall(r"(\w+)=(\S+)", words):
            monkeypatch.setenv(name, value)
    # Each run of Snakemake asks so, and falls where there is none.
    assert getpass.getuser() == "brainmri"
    # Caches are written there, also where the image is read-only.
    docs = (ROOT / "docs" / "containers.md").read_text()
    assert f"--read-only --tmpfs {Path.home()}:exec " in docs


def test_nothing_but_the_sources_can_get_into_the_image():
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == copied(DOCKER)


def test_recipes_workflow_and_project_agree_on_the_version():
    version = PROJECT["version"]
    for recipe in RECIPES:
        told = re.search(r"org\.opencontainers\.image\.version[= ]\"?([\d.]+)", (ROOT / recipe).read_text())
        assert told[1] == version
    snakefile = (ROOT / "Snakefile").read_text()
    assert (
        re.search(r"^container: .*\"docker://\S+/brainmri:([\d.]+)\"$", snakefile, re.MULTILINE)[1] == version
    )
    # In an image, its own command comes before that of the machine outside.
    assert "export PATH=/opt/brainmri/bin:{quote(os.path.dirname(sys.executable))}:" in snakefile
    # So it does before a `.venv` that lies in a mounted folder, whose Python is outside.
    stages = (ROOT / "dvc.yaml").read_text()
    assert set(re.findall("PATH=.*?/bin:", stages)) == {'PATH="/opt/brainmri/bin:'}


@pytest.mark.slow
def test_each_job_runs_in_the_image_that_the_command_names(tmp_path):
    (tmp_path / "bin").mkdir()
    for name in ("apptainer", "singularity"):
        (tmp_path / "bin" / name).write_text(STAND_IN)
        (tmp_path / "bin" / name).chmod(0o755)
    image, told = tmp_path / "brainmri.sif", tmp_path / "told"
    image.touch()
    phantom = "{phantom: {source: {phantom: {patients: 24, slices: 1, size: 64}}}}"
    command = [Path(sys.executable).parent / "snakemake", "--directory", tmp_path, "--cores", "1"]
    command += ["--configfile", ROOT / "config" / "config.yaml"]
    command += ["--software-deployment-method", "apptainer", "--apptainer-args=--nv"]
    command += ["--config", f"image={image}", f"datasets={phantom}", "--", "data/phantom/fetch.json"]
    environment = os.environ | {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "TOLD": str(told)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(rf"^exec .* --nv .*{re.escape(str(image))} bash -c .*brainmri fetch", told.read_text())
    # Docs and workflow use one key.
    assert '--config image="$PWD/brainmri.sif"' in (ROOT / "docs" / "containers.md").read_text()
