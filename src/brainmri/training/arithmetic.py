"""The arithmetic that a training can run in: precision, memory layout, compiled or not."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch

from brainmri.errors import BrainmriError
from brainmri.models.device import tensor_float_32
from brainmri.training.recipe import Recipe

DTYPES = {"fp32": None, "tf32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Arithmetic:
    """How numbers are multiplied.

    Parameters
    ----------
    precision
        `fp32`, `tf32`, `bf16` or `fp16`.
    channels_last
        Whether the channels of a pixel lie together in memory.
    compiled
        Whether the network runs through `torch.compile`.
    """

    precision: str
    channels_last: bool
    compiled: bool = False

    @property
    def memory_format(self) -> torch.memory_format:
        """The layout in torch's words."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def __str__(self) -> str:
        layout = "channels last" if self.channels_last else "contiguous"
        return f"{self.precision}, {layout}{', compiled' if self.compiled else ''}"


def allowed(recipe: Recipe, device: torch.device) -> list[Arithmetic]:
    """Return what the recipe leaves open and the device can do.

    Raises
    ------
    BrainmriError
        For fp16 or tf32 on a CPU.
    """
    cuda = device.type == "cuda"
    if recipe.precision in ("fp16", "tf32") and not cuda:
        raise BrainmriError(
            f"precision is {recipe.precision}, which needs CUDA: use bf16, fp32 or auto on a CPU."
        )
    precisions = [recipe.precision]
    if recipe.precision == "auto":
        has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False) if cuda else cpu_has_bf16()
        precisions = ["tf32", "fp16"] if cuda else ["fp32"]
        precisions += ["bf16"] if has_bf16 else []
    layouts = [True, False] if recipe.layout == "auto" else [recipe.layout == "channels_last"]
    return [Arithmetic(precision, layout) for layout in layouts for precision in precisions]


def cpu_has_bf16() -> bool:
    """Say whether the CPU multiplies bf16 numbers in hardware."""
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """Return the context in which forward passes run in `precision`."""
    dtype = DTYPES[precision]
    return torch.autocast(device.type, dtype=dtype, enabled=dtype is not None)


def products(precision: str) -> AbstractContextManager:
    """Return the context of a whole step, backward too: with `fp32`, products are not shortened to TF32."""
    return tensor_float_32(precision != "fp32")


def compiled_as_is(arithmetic: Arithmetic, whole: bool) -> AbstractContextManager:
    """Return the context of a pass through a network that may be compiled, for batches of one size alone.

    Each other size, and evaluation, would be compiled for itself, a minute each: they run as they are.
    """
    if whole or not arithmetic.compiled:
        return nullcontext()
    return torch.compiler.set_stance("force_eager")


@contextmanager
def in_arithmetic(precision: str, device: torch.device) -> Iterator[None]:
    """Run forward passes in `precision`."""
    with products(precision), autocast(precision, device):
        yield
