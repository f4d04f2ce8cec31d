"""A study whose Snakemake is killed, and what must come out of it all the same."""

import os
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pandas as pd
from helpers import ROOT
from phantom_study import SECRETS, Workflow

from brainmri.attempts import attempts_of
from brainmri.digests import file_digest

# They tell when and how long, which no two runs have in common.
TIMED = ("fetch.json", "history.parquet", "model.json", "index.html", "study.json")
TIMES = ["seconds", "images_per_second"]


class KilledStudy(Workflow):
    """A study that can be begun, killed, and begun again by the same command."""

    def begin(self) -> subprocess.Popen:
        """Start Snakemake in a process group of its own, its words kept in a file."""
        with (self.folder / "told.txt").open("a") as told:
            return subprocess.Popen(
                self.command(),
                stdout=told,
                stderr=told,
                cwd=ROOT,
                env=os.environ | SECRETS,
                start_new_session=True,
            )

    def rules_begun(self) -> set[str]:
        """Return the sub-commands whose jobs are at work, by their records."""
        attempts = [
            attempts_of(record)[-1:]
            for record in self.folder.glob("logs/**/*.jsonl")
            if record.stat().st_size
        ]
        return {attempt.start["command"] for found in attempts for attempt in found if not attempt.end}

    def kill_at(self, process: subprocess.Popen, spared: set[str]) -> str | None:
        """Kill Snakemake, not its jobs, once one is at work whose sub-command is not spared; return which."""
        while process.poll() is None:
            begun = sorted(self.rules_begun() - spared)
            if begun:
                process.kill()
                process.wait()
                return begun[0]
            time.sleep(0.05)
        return None

    def processes(self) -> list[int]:
        """Return the numbers of the processes that work in the study's folder."""
        found = []
        for place in Path("/proc").glob("[0-9]*/cwd"):
            with suppress(OSError):
                if place.readlink() == self.folder:
                    found.append(int(place.parent.name))
        return found

    def made(self) -> dict[str, str]:
        """Return the digest of all that was made, by its path, but for what tells of times."""
        return made_in(self.folder)


def made_in(folder: Path) -> dict[str, str]:
    """Return the digest of all that a study made in a folder, by its path, but for what tells of times."""
    digests = {}
    for part in ("data", "results"):
        for path in sorted((folder / part).rglob("*")):
            name = str(path.relative_to(folder))
            # A killed job may leave what it was writing; nobody reads that.
            if path.suffix == ".tmp" or "/report/" in name:
                continue
            if path.name == "history.parquet":
                table = pd.read_parquet(path).drop(columns=TIMES)
                digests[name] = table.to_csv(index=False)
            elif path.is_file() and path.name not in TIMED:
                digests[name] = file_digest(path)
    return digests
