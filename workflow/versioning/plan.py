"""Write what Snakemake would run for each stage of dvc.yaml: a stage whose entry changed is stale.

    python workflow/versioning/plan.py

The commands hold the whole configuration, each default too, and what the rules make of it. An archive, a
folder or weights that lie on one machine alone cannot stand in dvc.yaml, which is the same everywhere: their
digest stands here, once they are others than those that the stage was made from.
"""

import json
import os
import subprocess
import sys
from collections import defaultdict
from functools import cache, reduce
from pathlib import Path
from typing import NamedTuple

from dvc.repo import Repo
from dvc.stage import Stage
from stages import CONFIG

from brainmri.artefacts import write_text
from brainmri.digests import digest_of, file_digest
from brainmri.errors import BrainmriError
from brainmri.jobs import jobs_of
from brainmri.sources.directory import digest_of_source
from brainmri.status import configured
from brainmri.study import Run, Study

SHELL_COMMAND, LOG = "Shell command: ", " &> "


class Start(NamedTuple):
    """A file or folder that a stage starts from, and where it stands of which one it was made."""

    stage: str
    file: Path | None
    record: Path
    key: str


def write_plan() -> None:
    """Write the plan of the default study anew.

    Raises
    ------
    BrainmriError
        If the configuration is at fault, or Snakemake cannot plan.
    """
    study = configured(CONFIG)
    path = study.folder / "plan.json"
    with Repo() as repo:
        entries = [
            dep for stage in repo.index.stages for dep in stage.deps if dep.def_path == path.as_posix()
        ]
    commands = commands_of_stages(study, [entry.stage for entry in entries])
    others = {start.stage: digest(start) for start in other_starts(study)}
    plan = {}
    for entry in entries:
        name, key = entry.stage.addressing, entry.params[0]
        *groups, last = key.split(".")
        group = reduce(lambda group, part: group.setdefault(part, {}), groups, plan)
        # A stage that an experiment does without, and one whose file is right or absent, is as dvc.lock says.
        locked = (entry.hash_info.value or {}).get(key, {})
        group[last] = {
            "commands": digest_of(sorted(commands[name])) if name in commands else locked.get("commands"),
            "other_file": others.get(name, locked.get("other_file")),
        }
    write_text(json.dumps(plan, indent=2) + "\n", path)


def commands_of_stages(study: Study, stages: list[Stage]) -> dict[str, list[str]]:
    """Return the commands of the jobs that make what a stage makes, by the stage's name."""
    made = {Path(os.path.relpath(out.fs_path)): stage.addressing for stage in stages for out in stage.outs}
    commands, found = commands_by_log(), defaultdict(list)
    for job in jobs_of(study):
        places = [place for path in job.outputs for place in (path, *path.parents)]
        for name in {made[place] for place in places if place in made}:
            if job.log not in commands:
                raise BrainmriError(f"Snakemake tells no command of the job '{job}'.")
            found[name].append(commands[job.log])
    return found


def commands_by_log() -> dict[Path, str]:
    """Return the command of each job of the study, as Snakemake tells it, by the job's log."""
    # On one core, and without the user's profile: threads are the machine's.
    whole = ("--cores", "1", "--dry-run", "--forceall", "--printshellcmds")
    lines = done("snakemake", "--profile", "none", *whole).splitlines()
    found = [line.removeprefix(SHELL_COMMAND) for line in lines if line.startswith(SHELL_COMMAND)]
    return {Path(command.rpartition(LOG)[2]): command for command in found}


def done(*command: str) -> str:
    """Run a command and return what it printed; raise BrainmriError with it where it fails."""
    ended = asked(*command)
    told = ended.stdout + ended.stderr
    if ended.returncode:
        raise BrainmriError(f"`{' '.join(command)}` failed:\n{told.strip()}")
    return told


def asked(*command: str) -> subprocess.CompletedProcess:
    """Run a command and return how it ended and what it printed."""
    return subprocess.run(command, capture_output=True, text=True)


def other_starts(study: Study) -> list[Start]:
    """Return the archives, folders and weights here that are not those their stages were made from."""
    starts = []
    for name in study.fetched():
        record = study.data_folder(name) / "fetch.json"
        starts.append(Start(f"data-{name}", study.local_archive(name), record, "archive_sha256"))
        starts.append(Start(f"data-{name}", study.source_directory(name), record, "files_sha256"))
    # Probes keep no digest of theirs: it is that of the training beside them.
    probed = [Run(*place, study.probed_model(), study.seeds[0], study.folder) for place in study.probed()]
    trained = [(f"model@{'.'.join(run.place.parts[:3])}.{run.seed}", run) for run in study.runs()]
    for stage, run in [*trained, *((f"probes@{run.dataset}.{run.split}", run) for run in probed)]:
        weights = study.local_weights(run.model)
        starts.append(Start(stage, weights, run.folder / "model.json", "initial_weights_sha256"))
    here = [start for start in starts if start.file and start.file.exists()]
    return [start for start in here if digest(start) != recorded(start.record, start.key)]


def digest(start: Start) -> str:
    """Return the SHA-256 of a file, or that of all files in a folder."""
    if start.key == "files_sha256":
        return digest_of_source(start.stage, start.file, start.record)
    return digest_of_file(start.file)


# The weights of a model are those of all its trainings.
digest_of_file = cache(file_digest)


def recorded(document: Path, key: str) -> str | None:
    """Return what a document says under a key; None where it is not here."""
    return json.loads(document.read_text(encoding="utf-8")).get(key) if document.is_file() else None


if __name__ == "__main__":
    try:
        write_plan()
    except (BrainmriError, OSError) as error:
        sys.exit(str(error))
