"""Memory that does not suffice: noticed, and made do with by working on fewer images at a time."""

import gc
import sys
from collections.abc import Callable
from typing import TypeVar

import torch

from brainmri.errors import BrainmriError

Result = TypeVar("Result")
OUT_OF_MEMORY = ("allocate memory", "out of memory", "alloc_failed")
# cuDNN's words where no algorithm's workspace fits, and where it has no algorithm at all.
NO_ALGORITHM = ("unable to find an engine", "unable to find a valid cudnn algorithm")


class ShareTooLarge(BrainmriError):
    """One of several processes lacks memory for its share of a batch: all must begin anew."""

    exit_status = 76


def is_out_of_memory(error: Exception) -> bool:
    """Say whether an exception means that memory did not suffice, on a GPU or on a CPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    told = str(error).lower()
    if any(words in told for words in NO_ALGORITHM):
        free, total = torch.cuda.mem_get_info()
        return free < total / 10
    return any(words in told for words in OUT_OF_MEMORY)


def release_memory(device: torch.device) -> None:
    """Give back what a failed pass held; called outside of the handler, whose traceback holds on to it."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def as_many_as_fit(work: Callable[[int], Result], images: int, device: torch.device) -> Result:
    """Return what `work` gives for a number of images at a time, halved until the memory suffices.

    Parameters
    ----------
    work
        Takes how many images to work on at a time.
    images
        How many to begin with.
    device
        Where it works.

    Raises
    ------
    BrainmriError
        If a single image is too much.
    """
    while True:
        try:
            return work(images)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if images <= 1:
                raise BrainmriError(
                    "The memory does not suffice for a single image: lower image_size, or take a smaller "
                    "architecture or a device with more memory."
                ) from error
        images = -(-images // 2)
        print(f"the memory does not suffice: going on with {images} images at a time", file=sys.stderr)
        release_memory(device)
