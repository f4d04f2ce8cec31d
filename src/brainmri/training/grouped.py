"""Grouped and depth-wise convolutions on a CPU: in fp32, whatever the arithmetic of the rest.

A CPU's bf16 kernels halve the time of dense convolutions, but the backward passes of grouped ones take up to
twenty times as long in bf16 as in fp32 (`benchmarks/README.md`).
"""

from functools import cache

import torch
from torch import Tensor, nn


class GroupedConvolution:
    """What a convolution's class is given as its first base: leaves a CPU's 16-bit autocast for itself."""

    def forward(self, images: Tensor) -> Tensor:
        """Return the maps (N, C, H, W), in the arithmetic around it."""
        if images.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
            return super().forward(images)
        with torch.autocast("cpu", enabled=False):
            return super().forward(images.float()).to(torch.get_autocast_dtype("cpu"))


def keep_grouped_in_fp32(network: nn.Module) -> None:
    """Make all grouped convolutions of a network such ones; parameters, their names and values stay."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.groups > 1 and not isinstance(module, GroupedConvolution):
            module.__class__ = grouped_class(type(module))


@cache
def grouped_class(plain: type[nn.Conv2d]) -> type[nn.Conv2d]:
    """Return the class for a kind of convolution; timm's for TensorFlow's padding is one besides torch's."""
    return type(f"Grouped{plain.__name__}", (GroupedConvolution, plain), {})
