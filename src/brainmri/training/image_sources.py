"""Where the images of a batch come from: mapped on the host, resident on the device, or streamed to it.

No source has worker processes. Each takes requests (which images, how to move them) and yields the moved
images in the same order; which source it is changes the time only.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from brainmri.training.augment import Transforms
from brainmri.training.augmented import to_device, warped_by_opencv, warped_by_torch
from brainmri.training.parts import TrainingData

# Of the free memory of a device; the rest is for weights, gradients and activations.
RESIDENT_SHARE = 0.4

# Images that are read at a time where all are read: 50 MB at 224 pixels.
CHUNK = 1024

Item = TypeVar("Item")


@dataclass(frozen=True)
class Request:
    """A batch that is wanted.

    Parameters
    ----------
    rows : array of int64, shape (n,)
        Where its images lie in the packed array.
    labels : array of int64, shape (n,)
        Their classes.
    transforms
        What happens to them.
    step
        Which batch of the epoch it is.
    own
        How many of them are trained on; those that follow are there to be mixed into these.
    """

    rows: np.ndarray
    labels: np.ndarray
    transforms: Transforms
    step: int = 0
    own: int = 0


class ImageSource(Protocol):
    """Gives batches of images, on the device."""

    def moved(self, requests: Iterable[Request]) -> Iterator[tuple[Tensor, Request]]:
        """Yield for each request its images (n, S, S), moved by their matrices, gray values from 0 to 255."""


def image_source(data: TrainingData, device: torch.device) -> ImageSource:
    """Return the source that suits a device, and what of its memory is free.

    Parameters
    ----------
    data
        The images.
    device
        Where they are wanted.
    """
    if device.type == "cpu":
        return HostImages(data.images)
    rows = np.union1d(data.train.rows, data.val.rows)
    wanted = len(rows) * data.images.shape[1] ** 2
    free, _ = torch.cuda.mem_get_info(device)
    if wanted <= RESIDENT_SHARE * free:
        return ResidentImages(data.images, rows, device)
    return StreamedImages(data.images, device)


class HostImages:
    """Images on the CPU, warped by OpenCV straight from the memory map: a set may be larger than memory.

    Parameters
    ----------
    images : array of uint8, shape (N, S, S)
        The packed images.
    """

    def __init__(self, images: np.ndarray):
        self.images = images

    def moved(self, requests: Iterable[Request]) -> Iterator[tuple[Tensor, Request]]:
        """Yield the moved images of each request, uint8."""
        for request in requests:
            images = warped_by_opencv(self.images, request.rows, request.transforms.matrices)
            yield torch.from_numpy(images), request


class ResidentImages:
    """Images that lie in the device's memory as a whole, as bytes: a batch costs no transfer.

    Parameters
    ----------
    images : array of uint8, shape (N, S, S)
        The packed images.
    rows : array of int64
        Which of them are taken along; only these can be asked for.
    device
        Where to.
    """

    def __init__(self, images: np.ndarray, rows: np.ndarray, device: torch.device):
        self.device = device
        self.slots = np.full(len(images), -1)
        self.slots[rows] = np.arange(len(rows))
        self.store = torch.empty((len(rows), *images.shape[1:]), dtype=torch.uint8, device=device)
        for start in range(0, len(rows), CHUNK):
            chunk = images[rows[start : start + CHUNK]]
            self.store[start : start + CHUNK].copy_(torch.from_numpy(chunk))

    def moved(self, requests: Iterable[Request]) -> Iterator[tuple[Tensor, Request]]:
        """Yield the moved images of each request, on the device."""
        for request in requests:
            images = self.store.index_select(0, to_device(self.slots[request.rows], self.device))
            yield warped_by_torch(images, request.transforms.matrices), request


class StreamedImages:
    """Images that do not fit into the device's memory: gathered and sent by a thread, two batches ahead.

    The thread fills one of two page-locked buffers while the other one travels on a stream of its own; the
    device waits for a batch to arrive, the host does not.

    Parameters
    ----------
    images : array of uint8, shape (N, S, S)
        The packed images.
    device
        Where to.
    """

    def __init__(self, images: np.ndarray, device: torch.device):
        self.images, self.device = images, device
        self.cuda = device.type == "cuda"

    def moved(self, requests: Iterable[Request]) -> Iterator[tuple[Tensor, Request]]:
        """Yield the moved images of each request, on the device."""
        for images, arrived, request in ahead(self.sent(requests), depth=2):
            if arrived is not None:
                stream = torch.cuda.current_stream(self.device)
                stream.wait_event(arrived)
                # The memory belongs to the other stream, which must not use it again before this one is done.
                images.record_stream(stream)
            yield warped_by_torch(images, request.transforms.matrices), request

    def sent(
        self, requests: Iterable[Request]
    ) -> Iterator[tuple[Tensor, "torch.cuda.Event | None", Request]]:
        """Yield for each request its images, on their way to the device, and the event of their arrival."""
        side = torch.cuda.Stream(self.device) if self.cuda else None
        buffers: list[Tensor | None] = [None, None]
        arrivals: list[torch.cuda.Event | None] = [None, None]
        for turn, request in enumerate(requests):
            place, count = turn % 2, len(request.rows)
            if arrivals[place] is not None:
                arrivals[place].synchronize()
            if buffers[place] is None or len(buffers[place]) < count:
                shape = (count, *self.images.shape[1:])
                buffers[place] = torch.empty(shape, dtype=torch.uint8, pin_memory=self.cuda)
            buffer = buffers[place][:count]
            # The mode is that of the only take that needs no buffer of its own; all rows exist.
            np.take(self.images, request.rows, axis=0, out=buffer.numpy(), mode="clip")
            with torch.cuda.stream(side) if self.cuda else nullcontext():
                images = torch.empty_like(buffer, device=self.device).copy_(buffer, non_blocking=True)
                arrivals[place] = side.record_event() if self.cuda else None
            yield images, arrivals[place], request


def ahead(items: Iterable[Item], depth: int) -> Iterator[Item]:
    """Yield the same items in the same order, while a thread makes the next `depth` of them."""
    source, end = iter(items), object()
    with ThreadPoolExecutor(1) as thread:
        waiting = deque(thread.submit(next, source, end) for _ in range(depth))
        while (item := waiting.popleft().result()) is not end:
            waiting.append(thread.submit(next, source, end))
            yield item
