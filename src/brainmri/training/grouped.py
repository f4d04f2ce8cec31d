"""Grouped and depth-wise convolutions on a CPU: in fp32, whatever the arithmetic of the rest.

A CPU's bf16 kernels halve the time of dense convolutions, but the backward passes of grouped ones take up to
twenty times as long in bf16 as in fp32 (`benchmarks/README.md`).
"""

import torch
from torch import Tensor, nn


class GroupedConvolution(nn.Conv2d):
    """A convolution that leaves a CPU's 16-bit autocast for itself; all else as `torch.nn.Conv2d`."""

    def forward(self, images: Tensor) -> Tensor:
        """Return the maps (N, C, H, W), in the arithmetic around it."""
        if images.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
            return super().forward(images)
        with torch.autocast("cpu", enabled=False):
            return super().forward(images.float()).to(torch.get_autocast_dtype("cpu"))


def group_in_fp32(network: nn.Module) -> None:
    """Make the grouped convolutions of a network such ones; parameters and names stay.

    Subclasses with a forward pass of their own, such as timm's for TensorFlow's padding, are left alone.
    """
    for module in network.modules():
        if type(module) is nn.Conv2d and module.groups > 1:
            module.__class__ = GroupedConvolution
