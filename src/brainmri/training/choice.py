"""Which arithmetic a training takes: tried on the device, once, and remembered in a file.

So that two trainings on one machine agree, it is remembered for all of a user's studies, and a rule of thumb
decides unless another choice is clearly faster.
"""

import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import torch

from brainmri.artefacts import digest_of, read_json, write_json
from brainmri.errors import BrainmriError
from brainmri.models.classifier import Classifier
from brainmri.models.device import device_name
from brainmri.training.arithmetic import Arithmetic, allowed
from brainmri.training.race import compile_pays, seconds_per_step
from brainmri.training.recipe import Recipe

# The rule's choice stands unless another takes less than this share of its time: to be misled by a busy
# machine costs twice the time, to overlook a faster choice a quarter.
CLEARLY_FASTER = 0.75
# And unless a CPU's step gains this much: shorter ones are timed by chance, and end soon in any arithmetic.
GAIN_SECONDS = 0.005


def choose_arithmetic(
    recipe: Recipe,
    network: Classifier,
    device: torch.device,
    steps: int,
    cache_dir: Path | None,
    tell: Callable,
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

    Raises
    ------
    BrainmriError
        For a precision that the device does not have.
    """
    candidates = allowed(recipe, device)
    size, images = recipe.image_size, recipe.micro_batch or recipe.batch_size
    if len(candidates) == 1 and (recipe.compile != "auto" or device.type != "cuda"):
        return replace(candidates[0], compiled=recipe.compile is True)
    file = (cache_dir or users_cache()) / f"{mark(recipe, network, device, candidates)[:32]}.json"
    times = remembered(file, candidates)
    if times is None:
        times = seconds_per_step(network, candidates, device, images, size)
        try:
            write_json({"device": device_name(device), "seconds_per_step": times}, file)
        except BrainmriError as error:
            # A home that cannot be written must not stop a training.
            tell(f"which arithmetic is fastest is not remembered: {error}")
    chosen = fastest(candidates, times, device)
    compiled = recipe.compile is True or (
        recipe.compile == "auto" and compile_pays(network, chosen, device, images, size, steps)
    )
    chosen = replace(chosen, compiled=compiled)
    tell(
        f"arithmetic: {chosen} ({', '.join(f'{name} {1000 * time:.0f} ms' for name, time in times.items())})"
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
    if not known:
        raise BrainmriError(f"None of {', '.join(map(str, candidates))} runs on {device_name(device)}.")
    rule = min(known, key=lambda one: (not one.channels_last, wanted.index(one.precision)))
    best = min(known, key=lambda one: times[str(one)])
    least = times[str(rule)] - (GAIN_SECONDS if device.type == "cpu" else 0)
    return best if times[str(best)] < min(CLEARLY_FASTER * times[str(rule)], least) else rule


def mark(recipe: Recipe, network: Classifier, device: torch.device, candidates: list[Arithmetic]) -> str:
    """Return a digest of all that the measured times depend on."""
    design = {key: value for key, value in asdict(recipe).items() if key in ("architecture", "image_size")}
    return digest_of(
        {
            **design,
            "parameters": [list(parameter.shape) for parameter in network.parameters()],
            "frozen": [network.body_frozen, network.batch_norm_frozen],
            "images": recipe.micro_batch or recipe.batch_size,
            "candidates": [str(candidate) for candidate in candidates],
            "device": device_name(device),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "grouped": "fp32",  # on a CPU, within bf16
        }
    )


def remembered(file: Path, candidates: list[Arithmetic]) -> dict[str, float] | None:
    """Return the times measured before, or None where there are none, or none that can be read."""
    try:
        times = read_json(file)["seconds_per_step"]
        known = {str(one): float(times[str(one)]) for one in candidates if str(one) in times}
    except (BrainmriError, KeyError, TypeError, ValueError):
        return None
    return known or None
