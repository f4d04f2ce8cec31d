"""A small study on a phantom, run for real by Snakemake in a folder of its own."""

import json
import os
import subprocess
from pathlib import Path

import yaml
from helpers import BIN, ROOT, snakemake_command

SMALL_STUDY = {
    "study": "small",
    "datasets": {
        "phantom": {
            "source": {"phantom": {"patients": 24, "slices": 3, "size": 96, "seed": 1}},
            "layout": {"patient_pattern": "(P[0-9]+)_"},
        }
    },
    "splits": {
        "grouped": {"protocol": "grouped", "train": 0.5, "val": 0.25, "test": 0.25},
        "published": {"protocol": "published", "val": 0.2},
    },
    "models": {
        "cnn": {
            "architecture": "cnn",
            "image_size": 32,
            "cnn": {"channels": [4, 8]},
            "head": {"hidden": [16]},
            "epochs": 2,
        },
        "resnet": {"architecture": "test_resnet", "image_size": 64, "epochs": 1},
    },
    "seeds": [0],
    "resamples": 200,
    "explain": {"images": 3},
    "probes": {"epochs": 1},
}


# What a user's environment may hold, and no file of a study may.
SECRETS = {
    "KAGGLE_API_TOKEN": "KGAT_fedcba9876543210",
    "KAGGLE_KEY": "0fedcba987654321",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG",
    "HF_TOKEN": "hf_fedcba9876543210",
    "HF_ENDPOINT": "http://somebody:hf0password@127.0.0.1:9",
}


class Workflow:
    """A working folder with a configuration, and Snakemake to run there."""

    def __init__(self, folder: Path, config: dict):
        self.folder = folder
        self.configure(config)

    def configure(self, config: dict) -> None:
        """Write the configuration."""
        self.config = config
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "study.yaml").write_text(yaml.safe_dump(config, sort_keys=False))

    def command(self, *arguments: str) -> list:
        """Return the command that runs Snakemake here on two cores, as a user would give it."""
        words = ["--directory", self.folder, "--cores", "2", "--resources", "gpu=1"]
        words += ["--workflow-profile", ROOT / "profiles/default"]
        return snakemake_command(*words, *arguments, config=self.folder / "study.yaml")

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        """Run Snakemake to its end."""
        command = self.command(*arguments)
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=os.environ | SECRETS)

    def status(self) -> list[dict]:
        """Return how each job stands, as `brainmri status` tells it."""
        command = [BIN / "brainmri", "status", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.folder)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["jobs"]

    def logs(self) -> set[str]:
        """Return the paths of all logs below the folder."""
        return {str(path.relative_to(self.folder)) for path in self.folder.glob("logs/**/*.log")}

    def results(self, pattern: str) -> dict[str, Path]:
        """Return the study's files that match a pattern, by their path below its folder."""
        base = self.folder / "results" / self.config["study"]
        return {str(path.relative_to(base)): path for path in sorted(base.glob(pattern))}
