"""The processes that train one network together, one a device; most often there is just one.

They see the same epochs in the same order, each its share of every batch, and hold the same weights.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

Value = TypeVar("Value")


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
        return self.told(part.cpu())

    def told(self, value: Value) -> list[Value]:
        """Return what every process tells, in the order of the ranks."""
        if self.world == 1:
            return [value]
        values: list[Value | None] = [None] * self.world
        torch.distributed.all_gather_object(values, value)
        return values

    def agreed(self, choose: Callable[[], Value]) -> Value:
        """Return what the first process chooses, in all of them."""
        if self.world == 1:
            return choose()
        chosen = [choose() if self.writes else None]
        torch.distributed.broadcast_object_list(chosen)
        return chosen[0]

    def level(self, network: nn.Module) -> None:
        """Give all processes the first one's statistics of batch norm, which each took of its own share."""
        if self.world > 1:
            for buffer in network.buffers():
                torch.distributed.broadcast(buffer, 0)

    def wait(self) -> None:
        """Go on when all processes have come here."""
        if self.world > 1:
            torch.distributed.barrier()

    def together(self, network: nn.Module, device: torch.device) -> nn.Module:
        """Return the network with its gradients averaged over the processes after every backward pass."""
        if self.world == 1:
            return network
        return DistributedDataParallel(network, device_ids=[device] if device.type == "cuda" else None)

    def with_common_statistics(self, network: nn.Module, device: torch.device) -> nn.Module:
        """Return the network with batch norm that takes its statistics over all processes, on CUDA; in place.

        The parameters stay the same tensors.
        """
        if self.world == 1 or device.type != "cuda":
            return network
        # timm's own, which keeps the activation that its batch norm includes.
        from timm.layers import convert_sync_batchnorm

        return convert_sync_batchnorm(network)


ALONE = Ranks()


def unsynchronised(network: nn.Module) -> AbstractContextManager:
    """Return the context in which backward passes add up gradients here, without averaging them yet."""
    return network.no_sync() if isinstance(network, DistributedDataParallel) else nullcontext()
