"""Where the arithmetic runs: the device, the number of threads, and the memory that is kept."""

import ctypes
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch

from brainmri.errors import BrainmriError


def resolve_device(device: str, threads: int = 0) -> torch.device:
    """Return the device that a name means, and set the number of threads.

    Parameters
    ----------
    device
        `auto` (CUDA where there is one, else the CPU), `cpu`, `cuda` or `cuda:1`.
    threads
        Threads of the CPU's arithmetic; 0 leaves torch's choice.

    Raises
    ------
    BrainmriError
        If there is no such device.
    """
    if threads < 0:
        raise BrainmriError(f"threads is {threads}; allowed: 0 (torch's choice) or more.")
    if threads > 0:
        torch.set_num_threads(threads)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
        if device == "cpu":
            tell_of_unused_cards()
    name, _, index = device.partition(":")
    if name not in ("cpu", "cuda") or (index and not index.isdigit()):
        raise BrainmriError(f"device is '{device}'; allowed: auto, cpu, cuda, cuda:N.")
    if name == "cuda" and int(index or 0) >= torch.cuda.device_count():
        raise BrainmriError(
            f"device is '{device}', but torch sees {torch.cuda.device_count()} CUDA devices. Use auto or cpu."
        )
    if name == "cpu":
        keep_freed_memory()
    return torch.device(device)


@cache
def tell_of_unused_cards() -> None:
    """Say on stderr, once, that the driver knows GPUs and torch cannot use them, unless they are hidden."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1", "NoDevFiles"):
        return
    try:
        import pynvml

        pynvml.nvmlInit()
        count, driver = pynvml.nvmlDeviceGetCount(), pynvml.nvmlSystemGetDriverVersion()
    except Exception:  # no NVML, no driver: then there is no card to speak of
        return
    if count:
        built = "the CPU alone"
        if torch.version.cuda:
            # As in sm_75, compute_120 or sm_90a.
            known = [int(re.sub(r"\D", "", name)) / 10 for name in torch.cuda.get_arch_list()]
            built = f"CUDA {torch.version.cuda} and compute capability {min(known, default='?')} or more"
        print(
            f"device: warning: the CPU is used, since torch cannot use the {count} GPU(s) of the driver "
            f"{driver}: this torch is built for {built}; docs/clusters.md, GPUs, tells what to do.",
            file=sys.stderr,
        )


@cache
def keep_freed_memory() -> None:
    """Let the C library keep the memory that it is given back, for the rest of the process.

    By default it maps every large tensor anew, and the kernel clears its pages each time: up to a sixth of a
    training's time, and a third of an evaluation's (`benchmarks/README.md`). Does nothing but with glibc
    (mallopt(3)).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        trim_threshold, top_pad, mmap_max = -1, -2, -4  # names of malloc.h
        mallopt(mmap_max, 0)
        mallopt(trim_threshold, -1)
        mallopt(top_pad, 64 * 2**20)


def return_freed_memory() -> None:
    """Give the system what was kept: where other sizes are needed from here on, the old pieces do not fit."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


@contextmanager
def tensor_float_32(allowed: bool) -> Iterator[None]:
    """Let CUDA shorten the factors of fp32 products to 19 bits (TF32) within, or not.

    Backward passes look at it when they run, so a step must lie within as a whole.
    """
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def processor_name() -> str:
    """Return the CPU's model as Linux tells it; empty where it does not."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def device_name(device: torch.device) -> str:
    """Return the kind of device, with its model's name for CUDA."""
    return f"cuda ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type
