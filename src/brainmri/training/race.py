"""How long a training step takes in each arithmetic: tried on a copy of the network, with made-up images."""

from collections.abc import Iterable
from copy import deepcopy
from time import perf_counter

import torch
from torch import nn

from brainmri.models.classifier import Classifier
from brainmri.models.memory import as_many_as_fit, is_out_of_memory
from brainmri.training.arithmetic import Arithmetic, autocast, products

# Rounds of one step of each: more where steps are short, fewer where they are long.
ROUNDS = 5
MOST_ROUNDS = 50
ENOUGH_SECONDS = 0.5
MOST_SECONDS = 20.0
# A longer step than this is tried with fewer images: the ratios are much the same.
LONG_STEP = 1.0
FEW = 4


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
        Images a step; halved until the memory suffices for one of the candidates.
    size
        Pixels a side.

    Raises
    ------
    RuntimeError
        If none runs: what torch says of one of them.
    """
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        candidates = list(candidates)

        def times_of(most: int) -> dict[str, float]:
            count = tried_images(network, most, size, device)
            return raced_in_turns(racers_that_run(network, candidates, device, count, size))

        return as_many_as_fit(times_of, images, device)


def raced_in_turns(racers: dict[str, "Racer"]) -> dict[str, float]:
    """Return the shortest time of a step of each."""
    times: dict[str, list[float]] = {name: [] for name in racers}
    started = perf_counter()
    for rounds in range(1, MOST_ROUNDS + 1):
        for name, racer in racers.items():
            times[name].append(racer.step())
        spent = perf_counter() - started
        if spent > MOST_SECONDS or (rounds >= ROUNDS and spent > ENOUGH_SECONDS):
            break
    return {name: min(values) for name, values in times.items()}


def racers_that_run(
    network: Classifier, candidates: list[Arithmetic], device: torch.device, images: int, size: int
) -> dict[str, "Racer"]:
    """Return a racer of each candidate that there are kernels and memory for.

    Raises
    ------
    RuntimeError
        If there is none; that memory did not suffice where it was so for any.
    """
    racers, errors = {}, []
    for candidate in candidates:
        try:
            racers[str(candidate)] = started_racer(network, candidate, device, images, size)
        except (RuntimeError, NotImplementedError) as error:
            # Without its traceback, which holds on to the tensors of the failed step.
            errors.append(error.with_traceback(None))
    if not racers:
        raise max(errors, key=is_out_of_memory)
    return racers


def started_racer(network: Classifier, candidate: Arithmetic, *where) -> "Racer":
    """Return a racer that has run its first step."""
    racer = Racer(network, candidate, *where)
    racer.step()
    return racer


def compiled_seconds(
    network: Classifier, arithmetic: Arithmetic, device: torch.device, images: int, size: int
) -> list[float]:
    """Return the seconds that compiling takes, and a compiled step; nothing where it cannot be compiled."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        try:
            racer = Racer(network, arithmetic, device, images, size)
            racer.network.compile(dynamic=False)
            return [racer.step(), min(racer.step() for _ in range(ROUNDS))]
        except RuntimeError as error:  # torch.compile's own errors are RuntimeErrors
            if is_out_of_memory(error):
                raise
            return []


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
        with products(self.arithmetic.precision):
            with autocast(self.arithmetic.precision, self.device):
                logits = self.network(self.images)
            nn.functional.cross_entropy(logits.float(), self.labels).backward()
        self.network.zero_grad(set_to_none=True)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return perf_counter() - started
