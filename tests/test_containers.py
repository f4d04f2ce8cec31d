"""The container recipes: from the lock, for everybody but root, with what the README asks for."""

import getpass
import os
import pwd
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
from helpers import BIN, ROOT, snakemake_command
from packaging.specifiers import SpecifierSet

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


def final() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile for the image itself, not for what it is built in."""
    last = [index for index, (name, _) in enumerate(instructions()) if name == "FROM"][-1]
    return instructions()[last + 1 :]


def commands(recipe: str) -> list[list[str]]:
    """Return the commands that build an image, in words."""
    if recipe == DOCKER:
        lines = [line for name, words in instructions() if name == "RUN" for line in words.split("&&")]
    else:
        lines = sections()["post"].splitlines()
    return [shlex.split(line) for line in lines if line.strip()]


def labels(recipe: str) -> dict[str, str]:
    """Return what an image tells of itself."""
    if recipe == DOCKER:
        return values("LABEL")
    return dict(line.split(maxsplit=1) for line in sections()["labels"].splitlines() if line.strip())


def environment(recipe: str) -> dict[str, str]:
    """Return the environment variables of an image."""
    if recipe == DOCKER:
        return values("ENV")
    lines = map(shlex.split, sections()["environment"].splitlines())
    return dict(word.split("=", 1) for words in lines for word in words if word != "export")


def values(instruction: str) -> dict[str, str]:
    """Return what an instruction of the Dockerfile sets."""
    lines = [shlex.split(words) for name, words in final() if name == instruction]
    return dict(word.split("=", 1) for words in lines for word in words)


@pytest.mark.parametrize("recipe", RECIPES)
def test_everything_is_installed_from_the_lock(recipe):
    locked, own = [words for words in commands(recipe) if {"pip", "install"} <= set(words)]
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
    (brought,) = [set(words) for words in commands(recipe) if {"apt-get", "install"} <= set(words)]
    assert brought - {"-y"} == {"apt-get", "install", "--no-install-recommends", "g++", "git"}
    assert environment(recipe)["PATH"] == "/opt/brainmri/bin:$PATH"


def test_the_image_runs_as_a_user_without_rights():
    users = [words for name, words in final() if name == "USER"]
    assert users and users[-1] not in ("root", "0")
    (made,) = [words for words in commands(DOCKER) if words[0] == "useradd"]
    assert {"--create-home", "--uid", "1000", users[-1]} <= set(made)
    # What comes after the user was set needs no rights.
    after = final()[[name for name, _ in final()].index("USER") + 1 :]
    assert {name for name, _ in after} <= {"CMD", "ENTRYPOINT", "WORKDIR", "ENV"}
    # Apptainer runs as its caller: there is nothing to set, and nothing is done on the host.
    assert "setup" not in sections()


def test_a_user_whom_the_image_does_not_know_has_a_name_and_a_home(monkeypatch):
    def unknown(number):
        raise KeyError(f"getpwuid(): uid not found: {number}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment(DOCKER).items():
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


@pytest.mark.parametrize("recipe", RECIPES)
def test_an_image_tells_the_version_of_the_project(recipe):
    assert labels(recipe)["org.opencontainers.image.version"] == PROJECT["version"]


def test_a_stage_of_dvc_takes_the_images_command_before_a_machines():
    """A `.venv` that lies in a mounted folder names a Python that the image does not have."""
    stages = (ROOT / "dvc.yaml").read_text()
    assert set(re.findall("PATH=.*?/bin:", stages)) == {'PATH="/opt/brainmri/bin:'}


@pytest.fixture
def in_images(tmp_path):
    """Return a function that runs a job in an image by an Apptainer that keeps what it was asked for."""
    (tmp_path / "bin").mkdir()
    for name in ("apptainer", "singularity"):
        (tmp_path / "bin" / name).write_text(STAND_IN)
        (tmp_path / "bin" / name).chmod(0o755)
    phantom = "{phantom: {source: {phantom: {patients: 24, slices: 1, size: 64}}}}"
    path = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "TOLD": str(tmp_path / "told")}

    def run(*arguments: str, **config: str) -> str:
        command = snakemake_command(
            "--directory", tmp_path, "--cores", "1", *arguments, config="config/config.yaml"
        )
        command += ["--software-deployment-method", "apptainer", "--apptainer-args=--nv", "--config"]
        command += [f"{key}={value}" for key, value in {"datasets": phantom, **config}.items()]
        command += ["--", "data/phantom/fetch.json"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=os.environ | path)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


@pytest.mark.slow
def test_the_workflow_takes_the_image_of_its_version(in_images):
    (image,) = re.findall(r"docker://(\S+) will be pulled", in_images("--dry-run"))
    assert image.endswith(f"/brainmri:{PROJECT['version']}")


@pytest.mark.slow
def test_each_job_runs_in_the_image_that_the_command_names(in_images, tmp_path):
    image = tmp_path / "brainmri.sif"
    image.touch()
    in_images(image=image)
    told = (tmp_path / "told").read_text()
    assert re.search(rf"^exec .* --nv .*{re.escape(str(image))} bash -c .*brainmri fetch", told)
    # In an image, its own command comes before that of the machine outside.
    assert re.search(rf"PATH=/opt/brainmri/bin:{re.escape(str(BIN))}:", told)
    # Docs and workflow use one key.
    assert '--config image="$PWD/brainmri.sif"' in (ROOT / "docs" / "containers.md").read_text()
