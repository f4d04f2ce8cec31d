"""Weights from files: read safely, matched key by key and shape by shape."""

from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from brainmri.errors import BrainmriError, first_line


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a weights file; nothing in it is executed.

    Parameters
    ----------
    path
        A `.safetensors` file, or one by `torch.save` (read with `weights_only=True`).

    Returns
    -------
    dict of str to Tensor
        On the CPU.

    Raises
    ------
    BrainmriError
        If the file is missing, or is not what its name says.
    """
    path = Path(path)
    if not path.is_file():
        raise BrainmriError(f"{path} does not exist: put the weights there, or mend the path.")
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    # On damaged pickles torch's own reader raises nearly anything, from IndexError to AssertionError.
    except Exception as error:
        raise BrainmriError(
            f"{path} is no readable weights file ({first_line(error)}): fetch it again."
        ) from error
    for wrapper in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
            state = state[wrapper]
    if not isinstance(state, dict) or not all(isinstance(entry, Tensor) for entry in state.values()):
        raise BrainmriError(f"{path} holds no table of tensors: a state_dict is wanted.")
    return state


def load_weights(module: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    """Copy weights into a module whose every tensor must be there, in its shape.

    Tensors that the module does not have (a classifier's) are left aside. A first layer for three channels
    is summed into one for gray.

    Parameters
    ----------
    module
        What to load into.
    state
        As `read_weights` gives it.
    path
        Where it was read, for messages.

    Raises
    ------
    BrainmriError
        If a tensor is missing, has another shape, or is not finite.
    """
    wanted = module.state_dict()
    # Older files lack this counter, which nothing in evaluation uses.
    missing = [key for key in wanted if key not in state and not key.endswith("num_batches_tracked")]
    if missing:
        raise BrainmriError(
            f"{path} lacks {len(missing)} of {len(wanted)} tensors, such as '{missing[0]}': "
            "it holds the weights of another architecture."
        )
    matched = {key: folded_to_gray(state[key], wanted[key]) for key in wanted if key in state}
    for key, tensor in matched.items():
        if tensor.shape != wanted[key].shape:
            raise BrainmriError(
                f"{path}: '{key}' has shape {tuple(tensor.shape)}, {tuple(wanted[key].shape)} is wanted: "
                "it holds the weights of another architecture, image size or number of classes."
            )
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise BrainmriError(f"{path}: '{key}' holds values that are not finite: fetch or train it again.")
    module.load_state_dict(matched, strict=False)


def folded_to_gray(tensor: Tensor, wanted: Tensor) -> Tensor:
    """Return a kernel for colour (O, 3, k, k) summed over its channels where one for gray is wanted."""
    if tensor.ndim == wanted.ndim == 4 and tensor.shape[1] == 3 and wanted.shape[1] == 1:
        return tensor.float().sum(dim=1, keepdim=True)
    return tensor
