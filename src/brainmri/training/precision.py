"""Which arithmetic is fast enough and safe enough: 32, or 16 bit with automatic casts."""

import torch
from torch import nn

from brainmri.errors import BrainmriError

DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


def choose_precision(wanted: str, model: nn.Module, device: torch.device) -> str:
    """Return the precision to train in.

    `auto` is a rule, not a race, so that two runs on one machine cannot differ. On CUDA: bf16 where the chip
    has it, else fp16. On a CPU with bf16 instructions: bf16 for networks of dense convolutions (1.7 to 2.4
    times faster), fp32 for those with grouped or depth-wise ones (twice slower in bf16). On any other: fp32.

    Parameters
    ----------
    wanted
        `auto`, `fp32`, `bf16` or `fp16`.
    model
        The network.
    device
        Where it runs.

    Raises
    ------
    BrainmriError
        For fp16 on a CPU, where gradients would vanish without a scaler.
    """
    if wanted == "fp16" and device.type == "cpu":
        raise BrainmriError("precision is fp16, which needs CUDA: use bf16, fp32 or auto on a CPU.")
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    return "bf16" if cpu_has_bf16() and not has_grouped_convolution(model) else "fp32"


def cpu_has_bf16() -> bool:
    """Say whether the CPU multiplies bf16 numbers in hardware."""
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def has_grouped_convolution(model: nn.Module) -> bool:
    """Say whether any convolution of the network is grouped or depth-wise."""
    return any(isinstance(module, nn.Conv2d) and module.groups > 1 for module in model.modules())


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """Return the context in which forward passes run in `precision`."""
    dtype = DTYPES[precision]
    return torch.autocast(device.type, dtype=dtype, enabled=dtype is not None)
