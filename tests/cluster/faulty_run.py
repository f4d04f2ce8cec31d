"""One study on the cluster, with all that can happen to it there, in one run."""

import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from helpers import ROOT, snakemake_command
from slurm_cluster import SlurmCluster

# Long enough for two trainings to be met at work, on a fast machine too.
EPOCHS = 300
STUDY = {
    "study": "tiny",
    "datasets": {
        "phantom": {
            "source": {"phantom": {"patients": 24, "slices": 3, "size": 96, "seed": 1}},
            "layout": {"patient_pattern": "(P[0-9]+)_"},
        }
    },
    "splits": {"grouped": {"protocol": "grouped", "train": 0.5, "val": 0.25, "test": 0.25}},
    "models": {
        name: {
            "architecture": "cnn",
            "image_size": 32,
            "cnn": {"channels": channels},
            "epochs": EPOCHS,
            # Tried out, the arithmetic might be another one here and there.
            "precision": "fp32",
            "layout": "contiguous",
        }
        for name, channels in {"narrow": [4, 8], "wide": [8, 16]}.items()
    },
    "seeds": [0],
    "resamples": 200,
    "explain": {"images": 0},
    "probes": {"epochs": 0},
    "resources": {"threads": 1},
}
RUNS = "results/tiny/phantom/grouped"
# What is asked for; all that is made on the way to it must come out the same wherever the study ran.
WANTED = [
    f"{RUNS}/manifest.parquet",
    *(
        f"{RUNS}/{model}/seed0/{name}"
        for model in STUDY["models"]
        for name in ("model.safetensors", "predictions.parquet", "calibration.json", "metrics.json")
    ),
    # The last numbers; the page would only draw them, at twice the cost.
    "results/tiny/comparison.parquet",
]


def snakemake(folder: Path, *arguments: str) -> list[str]:
    """Return the words of a run of the study in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    words = ["--directory", folder, "--workflow-profile", ROOT / "profiles/default"]
    return snakemake_command(*words, *arguments, config=folder / "study.yaml")


def waited_for(holds, what: str, process: subprocess.Popen, told, seconds: float):
    """Return what `holds` gives once that is true, unless the run ends before; `told` says why."""
    until = time.monotonic() + 900
    while not (found := holds()):
        assert process.poll() is None or holds(), f"the run ended before {what}:\n{told()}"
        assert time.monotonic() < until, f"waited in vain for {what}:\n{told()}"
        time.sleep(seconds)
    return found


@dataclass
class FaultyRun:
    """A run of the study on the cluster, whose jobs the test disturbs.

    Parameters
    ----------
    folder
        Where the study runs.
    cluster
        Where its jobs run.
    """

    folder: Path
    cluster: SlurmCluster
    # Which job was taken from its node, cancelled, or ran on the node that died; the last one with its node.
    preempted: str = ""
    preempted_model: str = ""
    cancelled: str = ""
    lost: str = ""
    lost_model: str = ""
    dead_node: str = ""
    jobs: dict[str, dict] = field(default_factory=dict)
    status: int | None = None
    process: subprocess.Popen | None = None

    def go(self) -> None:
        """Run the study to its end, through a cancellation, a pre-emption and the death of a node."""
        words = snakemake(self.folder, "--profile", str(ROOT / "profiles/slurm"))
        words += ["--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "20"]
        words += ["--", *WANTED]
        with (self.folder / "snakemake.out").open("wb") as output:
            self.process = subprocess.Popen(
                words, cwd=ROOT, stdout=output, stderr=output, env=dict(os.environ)
            )
        try:
            self.cancelled = self.met("rule_describe")
            self.cluster.ask("scancel", self.cancelled)
            # Whichever comes first; the other one is at work as well by then, or soon.
            self.preempted_model, self.preempted = self.met_training(*STUDY["models"])
            self.cluster.ask("scontrol", "requeue", self.preempted)
            others = [model for model in STUDY["models"] if model != self.preempted_model]
            self.lost_model, self.lost = self.met_training(*others)
            self.dead_node = self.cluster.jobs()[self.lost]["node"]
            self.cluster.kill_node(self.dead_node)
            self.wait_for(lambda: self.ends_of(self.lost), "Slurm to notice that the node is dead")
            self.cluster.start_node(self.dead_node)
            self.status = self.wait_for(lambda: self.process.poll() is not None, "the study") and (
                self.process.returncode
            )
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        self.jobs = self.cluster.jobs()

    def met(self, *comments: str) -> str:
        """Return the number of a job, once it runs, whose comment starts with one of some words."""
        return self.wait_for(
            lambda: next(
                (
                    number
                    for number, job in self.cluster.jobs("RUNNING").items()
                    if job["comment"].startswith(comments)
                ),
                None,
            ),
            f"a running job {comments[0]}",
        )

    def met_training(self, *models: str) -> tuple[str, str]:
        """Return the first of some models of which some epochs are trained, and the number of its job."""

        def trained():
            logs = {model: self.log_of(model) for model in models}
            return [m for m, log in logs.items() if log.exists() and "epoch 3/" in log.read_text()]

        model = self.wait_for(trained, f"the training of {' or '.join(models)}", seconds=0.05)[0]
        jobs = self.cluster.jobs("RUNNING").items()
        return model, next(number for number, job in jobs if f"_{model}_" in job["comment"])

    def log_of(self, model: str) -> Path:
        """Return where a training tells of itself."""
        return self.folder / f"logs/tiny/train/phantom-grouped-{model}-seed0.log"

    def ends_of(self, number: str) -> list[str]:
        """Return how a job ended, each time that it did."""
        return [end["JobState"] for end in self.cluster.ended() if end["JobId"] == number]

    def wait_for(self, holds, what: str, seconds: float = 0.2):
        """Return what `holds` gives once that is true, asked for every so many seconds."""
        return waited_for(holds, what, self.process, self.told, seconds)

    def told(self) -> str:
        """Return what Snakemake and the jobs that failed have said."""
        logs = sorted((self.folder / ".snakemake/slurm_logs").rglob("*.log"))
        texts = [(self.folder / "snakemake.out").read_text()[-6000:]]
        return "\n".join([*texts, *(f"{path}:\n{path.read_text()[-1500:]}" for path in logs)])
