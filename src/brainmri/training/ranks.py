"""The processes that train one network together, one a device; most often there is just one.

They see the same epochs in the same order, each its share of every batch, and hold the same weights.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
import torch.distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Ranks:
    """Which of how many processes this is.

    Parameters
    ----------
    rank
        From 0; the process of rank 0 writes the files.
    world
        Number of processes.
    """

    rank: int = 0
    world: int = 1

    @property
    def writes(self) -> bool:
        """Whether this process writes the files and talks."""
        return self.rank == 0

    def total(self, values: Tensor) -> Tensor:
        """Return the sum of a tensor over all processes; the host does not wait for it."""
        if self.world > 1:
            torch.distributed.all_reduce(values)
        return values

    def gathered(self, part: Tensor) -> Sequence[Tensor]:
        """Return every process's tensor, on the CPU, in the order of the ranks; their lengths may differ."""
        if self.world == 1:
            return [part.cpu()]
        parts: list[Tensor | None] = [None] * self.world
        torch.distributed.all_gather_object(parts, part.cpu())
        return parts

    def wait(self) -> None:
        """Go on when all processes have come here."""
        if self.world > 1:
            torch.distributed.barrier()

    def together(self, network: nn.Module, device: torch.device) -> nn.Module:
        """Return the network with its gradients averaged over the processes after every backward pass.

        On CUDA batch norm takes its statistics over all processes; on a CPU, where torch has no such layer,
        each takes them over its own share.
        """
        if self.world == 1:
            return network
        return DistributedDataParallel(network, device_ids=[device] if device.type == "cuda" else None)


ALONE = Ranks()


def unsynchronised(network: nn.Module) -> AbstractContextManager:
    """Return the context in which backward passes add up gradients here, without averaging them yet."""
    return network.no_sync() if isinstance(network, DistributedDataParallel) else nullcontext()
