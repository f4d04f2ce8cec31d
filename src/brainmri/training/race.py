"""How long a training step takes in each arithmetic: tried on a copy of the network, with made-up images."""

from collections.abc import Iterable
from copy import deepcopy
from statistics import median
from time import perf_counter

import torch
from torch import nn

from brainmri.models.classifier import Classifier
from brainmri.training.arithmetic import Arithmetic, in_arithmetic

# Rounds of one step of each: more where steps are short, fewer where they are long.
ROUNDS = 5
MOST_ROUNDS = 50
ENOUGH_SECONDS = 0.5
MOST_SECONDS = 20.0
# A longer step than this is tried with fewer images: the ratios are much the same.
LONG_STEP = 1.0
FEW = 4
# Compiling is not considered for trainings shorter than this: it takes a minute by itself.
WORTH_COMPILING_SECONDS = 300.0


def seconds_per_step(
    network: Classifier, candidates: Iterable[Arithmetic], device: torch.device, images: int, size: int
) -> dict[str, float]:
    """Return the shortest time of a step, forward and backward, of every candidate that runs at all.

    The candidates take turns, so that a disturbance hits all of them alike; the shortest time had the least.

    Parameters
    ----------
    network
        What is tried; left as it was.
    candidates
        Each an `Arithmetic`.
    device
        Where.
    images
        Images a step.
    size
        Pixels a side.
    """
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        images = tried_images(network, images, size, device)
        racers = {}
        for candidate in candidates:
            try:
                racer = Racer(network, candidate, device, images, size)
                racer.step()
            except (RuntimeError, NotImplementedError):  # no kernel for it, or not enough memory
                continue
            racers[str(candidate)] = racer
        times: dict[str, list[float]] = {name: [] for name in racers}
        started = perf_counter()
        for rounds in range(1, MOST_ROUNDS + 1):
            for name, racer in racers.items():
                times[name].append(racer.step())
            spent = perf_counter() - started
            if spent > MOST_SECONDS or (rounds >= ROUNDS and spent > ENOUGH_SECONDS):
                break
    return {name: min(values) for name, values in times.items()}


def compile_pays(
    network: Classifier, arithmetic: Arithmetic, device: torch.device, images: int, size: int, steps: int
) -> bool:
    """Say whether compiling shortens a training of so many steps, its own duration included.

    Never on a CPU: there it takes 40 s and makes steps longer (measured: 0.83 to 0.89 of the speed).
    """
    if device.type != "cuda":
        return False
    eager = Racer(network, arithmetic, device, images, size)
    eager.step()
    seconds = median(eager.step() for _ in range(ROUNDS))
    if seconds * steps < WORTH_COMPILING_SECONDS:
        return False
    compiled = Racer(network, arithmetic, device, images, size)
    compiled.network.compile()
    try:
        started = perf_counter()
        compiled.step()
        compiling = perf_counter() - started
        faster = median(compiled.step() for _ in range(ROUNDS))
    except RuntimeError:  # torch.compile's own errors are RuntimeErrors
        return False
    return compiling + faster * steps < seconds * steps


def tried_images(network: Classifier, images: int, size: int, device: torch.device) -> int:
    """Return how many images a tried step has: as many as a real one, fewer where that takes long."""
    if device.type != "cpu" or images <= FEW:
        return images
    racer = Racer(network, Arithmetic("fp32", channels_last=True), device, FEW, size)
    racer.step()
    return FEW if racer.step() * images / FEW > LONG_STEP else images


class Racer:
    """One candidate, ready to run steps.

    Parameters
    ----------
    network
        What is copied.
    arithmetic
        The candidate.
    device
        Where it runs.
    images
        Images a step.
    size
        Pixels a side.
    """

    def __init__(
        self, network: Classifier, arithmetic: Arithmetic, device: torch.device, images: int, size: int
    ):
        self.network = deepcopy(network).to(device, memory_format=arithmetic.memory_format)
        self.network.train()
        self.arithmetic = arithmetic
        self.device = device
        self.images = torch.rand(images, 1, size, size, device=device)
        self.labels = torch.zeros(images, dtype=torch.int64, device=device)

    def step(self) -> float:
        """Run one step and return its seconds."""
        started = perf_counter()
        with in_arithmetic(self.arithmetic.precision, self.device):
            logits = self.network(self.images)
        nn.functional.cross_entropy(logits.float(), self.labels).backward()
        self.network.zero_grad(set_to_none=True)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return perf_counter() - started
