"""Which arithmetic a training takes: tried on the device, once, and remembered in a file.

So that two trainings on one machine agree, it is remembered for all of a user's studies, and a rule of thumb
decides unless another choice is clearly faster.
"""

import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import torch

from brainmri.artefacts import read_json, write_json
from brainmri.digests import digest_of
from brainmri.errors import BrainmriError, first_line
from brainmri.models.classifier import Classifier
from brainmri.models.device import device_name, processor_name
from brainmri.training.arithmetic import Arithmetic, allowed
from brainmri.training.race import compiled_seconds, seconds_per_step
from brainmri.training.recipe import Recipe

# The rule's choice stands unless another takes less than this share of its time: to be misled by a busy
# machine costs twice the time, to overlook a faster choice a quarter.
CLEARLY_FASTER = 0.75
# And unless a CPU's step gains this much: shorter ones are timed by chance, and end soon in any arithmetic.
GAIN_SECONDS = 0.005
# Compiling is not considered for trainings shorter than this: it takes a minute by itself.
WORTH_COMPILING_SECONDS = 300.0


def choose_arithmetic(
    recipe: Recipe,
    network: Classifier,
    device: torch.device,
    steps: int,
    cache_dir: Path | None,
    tell: Callable,
    world: int = 1,
) -> Arithmetic:
    """Return the arithmetic to train in: what the recipe names, and for the rest what was measured.

    Parameters
    ----------
    recipe
        Names precision, layout and compiling, or leaves them to be found (`auto`).
    network
        What is to be trained; it is copied, not changed.
    device
        Where it is to be trained.
    steps
        Steps of the whole training: compiling must pay within them.
    cache_dir
        Where the measurements are kept, one file a network and device; None: in the user's cache.
    tell
        Called with a line for people about what was chosen.
    world
        How many processes share each batch.

    Raises
    ------
    BrainmriError
        For a precision that the device does not have.
    """
    candidates = allowed(recipe, device)
    size, images = recipe.image_size, recipe.micro_batch or -(-recipe.batch_size // world)
    if len(candidates) == 1 and (recipe.compile != "auto" or device.type != "cuda"):
        return replace(candidates[0], compiled=recipe.compile is True)
    file = (cache_dir or users_cache()) / f"{mark(recipe, network, device, candidates, images)[:32]}.json"
    times, compiling = remembered(file, candidates)
    known = (times, compiling)
    times = times or raced(network, candidates, device, images, size)
    chosen = fastest(candidates, times, device)
    seconds, compiled = steps * times[str(chosen)], recipe.compile is True
    # Never on a CPU: there it takes 40 s and makes steps longer (measured: 0.83 to 0.89 of the speed).
    if recipe.compile == "auto" and device.type == "cuda" and seconds >= WORTH_COMPILING_SECONDS:
        if compiling is None:
            compiling = compiled_seconds(network, chosen, device, images, size)
        compiled = bool(compiling) and compiling[0] + compiling[1] * steps < seconds
    if known != (times, compiling):
        try:
            document = {"device": device_name(device), "seconds_per_step": times, "compiling": compiling}
            write_json(document, file)
        except BrainmriError as error:
            # A home that cannot be written must not stop a training.
            tell(f"which arithmetic is fastest is not remembered: {error}")
    chosen = replace(chosen, compiled=compiled)
    tell(
        f"arithmetic: {chosen} ({', '.join(f'{name} {1000 * time:.3g} ms' for name, time in times.items())})"
    )
    return chosen


def users_cache() -> Path:
    """Return where a user's programs keep what can be made again (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "brainmri" / "arithmetic"


def fastest(candidates: list[Arithmetic], times: dict[str, float], device: torch.device) -> Arithmetic:
    """Return the candidate of the rule of thumb, or the fastest where that is clearly faster.

    The rule: bf16 where there are instructions for it, then fp16; channels last.
    """
    wanted = ["bf16", "fp16", "tf32", "fp32"]
    known = [candidate for candidate in candidates if str(candidate) in times]
    rule = min(known, key=lambda one: (not one.channels_last, wanted.index(one.precision)))
    best = min(known, key=lambda one: times[str(one)])
    least = times[str(rule)] - (GAIN_SECONDS if device.type == "cpu" else 0)
    return best if times[str(best)] < min(CLEARLY_FASTER * times[str(rule)], least) else rule


def raced(
    network: Classifier, candidates: list[Arithmetic], device: torch.device, images: int, size: int
) -> dict[str, float]:
    """Return the seconds of a step in each arithmetic that runs; see `seconds_per_step`."""
    try:
        return seconds_per_step(network, candidates, device, images, size)
    except RuntimeError as error:
        if "deterministic" in str(error):  # `conduct.deterministic` says what to do
            raise
        names = ", ".join(map(str, candidates))
        raise BrainmriError(f"None of {names} runs on {device_name(device)}: {first_line(error)}") from error


def mark(
    recipe: Recipe, network: Classifier, device: torch.device, candidates: list[Arithmetic], images: int
) -> str:
    """Return a digest of all that the measured times depend on."""
    design = {key: value for key, value in asdict(recipe).items() if key in ("architecture", "image_size")}
    return digest_of(
        {
            **design,
            "parameters": [list(parameter.shape) for parameter in network.parameters()],
            "frozen": [network.body_frozen, network.batch_norm_frozen],
            "images": images,
            "deterministic": recipe.deterministic,
            "candidates": [str(candidate) for candidate in candidates],
            "device": [device_name(device), processor_name()],
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "grouped": "fp32",  # on a CPU, within bf16
        }
    )


def remembered(
    file: Path, candidates: list[Arithmetic]
) -> tuple[dict[str, float] | None, list[float] | None]:
    """Return the times measured before, of steps and of compiling; None for what is not known."""
    try:
        document = read_json(file)
        times, compiling = document["seconds_per_step"], document["compiling"]
        known = {str(one): float(times[str(one)]) for one in candidates if str(one) in times}
        return known or None, compiling if compiling is None else [float(value) for value in compiling]
    except (BrainmriError, KeyError, TypeError, ValueError):
        return None, None
