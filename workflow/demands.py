"""What each stage asks of a machine: threads, GPUs, memory and minutes, by what is known when a job starts.

Plain Python for the rules: it knows the configuration and the inventories, nothing of Snakemake. Memory is
what was measured with room to spare; each further attempt of a job is given twice as much memory and time.
Snakemake itself cuts both to what the profile allows (`resources: mem_mb, runtime`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import pyarrow.parquet as pq


@dataclass(frozen=True)
class Demand:
    """What a stage takes: always, and for each thousand images of the data sets that it reads.

    Parameters
    ----------
    memory
        Memory (MB), that of Snakemake on a node (some 300 MB) included.
    memory_per_thousand
        Memory (MB) for each thousand images.
    minutes
        Minutes.
    minutes_per_thousand
        Minutes for each thousand images.
    """

    memory: int = 1000
    memory_per_thousand: float = 0
    minutes: int = 10
    minutes_per_thousand: float = 0


# Several times the minutes that were measured on two cores, and half as much memory again.
DEMANDS = {
    "fetch": Demand(minutes=60, minutes_per_thousand=5),
    "checksum": Demand(minutes_per_thousand=0.5),
    "inventory": Demand(memory_per_thousand=2, minutes_per_thousand=0.5),
    "crop": Demand(memory_per_thousand=60, minutes_per_thousand=0.5),
    "shrink": Demand(memory_per_thousand=70, minutes_per_thousand=0.5),
    "audit": Demand(memory=2000, memory_per_thousand=200, minutes_per_thousand=3),
    "overlap": Demand(memory=2000, memory_per_thousand=200, minutes=20, minutes_per_thousand=3),
    "pool": Demand(memory_per_thousand=10, minutes_per_thousand=0.1),
    "split": Demand(memory_per_thousand=10, minutes_per_thousand=0.1),
    "train": Demand(memory=3000),
    "predict_split": Demand(memory=2000, minutes_per_thousand=5),
    "predict_external": Demand(memory=2000, minutes_per_thousand=5),
    "probes": Demand(memory=3000, minutes=60, minutes_per_thousand=10),
    "explain": Demand(memory=2000, minutes=30),
    "evaluate": Demand(memory=1500, memory_per_thousand=20, minutes_per_thousand=0.5),
    "plot_data": Demand(memory_per_thousand=10, minutes_per_thousand=0.1),
    "baselines": Demand(memory=1500, memory_per_thousand=40, minutes_per_thousand=2),
    "compare": Demand(memory=1500, memory_per_thousand=40, minutes_per_thousand=1),
    "draw": Demand(memory=1500, memory_per_thousand=10, minutes_per_thousand=0.5),
    "report": Demand(memory=2000, memory_per_thousand=20, minutes=20, minutes_per_thousand=1),
}
# What a network keeps of each pixel of a batch until it learns from it: 1.7 KB in a ResNet50, less in most.
ACTIVATION_BYTES = 2000
# These stages run a network.
WITH_NETWORK = ("train", "predict_split", "predict_external", "probes", "explain")


class Demands:
    """What the rules of a study ask; a method returns what Snakemake calls with wildcards and attempt.

    Parameters
    ----------
    config
        The checked configuration.
    data_dir
        Where the data sets lie.
    """

    def __init__(self, config: dict, data_dir: Path = Path("data")):
        self.config = config
        self.settings = config["resources"]
        self.data_dir = data_dir

    @property
    def threads(self) -> int:
        """Threads of a stage that can use several."""
        return self.settings["threads"]

    def gpus(self, stage: str) -> int:
        """Return how many GPUs a stage works on: `devices` in a training, one elsewhere, none on a CPU."""
        if self.config["device"] == "cpu":
            return 0
        return self.config["devices"] if stage == "train" else 1

    def memory(self, stage: str) -> Callable[..., int]:
        """Return a function of wildcards and attempt that gives a stage's memory (MB)."""

        def asked(wildcards, attempt: int) -> int:
            demand, images = DEMANDS[stage], self.images_read(wildcards)
            needed = demand.memory + demand.memory_per_thousand * images / 1000
            if stage in WITH_NETWORK:
                processes = self.config["devices"] if stage == "train" else 1
                needed = processes * needed + self.network_memory(wildcards, images)
            return ceil(needed * self.settings["memory_factor"]) * 2 ** (attempt - 1)

        return asked

    def minutes(self, stage: str) -> Callable[..., int]:
        """Return a function of wildcards and attempt that gives a stage's minutes."""

        def asked(wildcards, attempt: int) -> int:
            demand = DEMANDS[stage]
            needed = demand.minutes + demand.minutes_per_thousand * self.images_read(wildcards) / 1000
            if stage == "train":
                needed = self.settings["train_minutes"]
            return ceil(needed) * 2 ** (attempt - 1)

        return asked

    def network_memory(self, wildcards, images: int) -> float:
        """Return the memory (MB) of a batch on its way through a network, and of all images once."""
        recipe = self.config["models"][wildcards.model]
        batch = recipe["micro_batch"] or recipe["batch_size"]
        return recipe["image_size"] ** 2 * (batch * ACTIVATION_BYTES + images) / 1e6

    def images_read(self, wildcards) -> int:
        """Return how many images a job's data sets have: those of its wildcards, else all of the study."""
        named = [
            getattr(wildcards, name)
            for name in ("dataset", "other")
            if getattr(wildcards, name, None) is not None
        ]
        return sum(self.images_of(dataset) for dataset in named or self.config["datasets"])

    def images_of(self, dataset: str) -> int:
        """Return how many images a data set has: told by its inventory, else by its source, else assumed."""
        inventory = self.data_dir / dataset / "inventory.parquet"
        try:
            return pq.read_metadata(inventory).num_rows
        except (OSError, ValueError):
            # Not made yet, or being written.
            pass
        source = self.config["datasets"][dataset]["source"]
        if source.get("datasets"):
            return sum(self.images_of(member) for member in source["datasets"])
        phantom = source.get("phantom")
        if phantom is not None:
            # Besides its slices a phantom has copies of them, and files that are broken.
            return 2 * phantom["patients"] * phantom["slices"]
        return self.settings["images"]
