"""Grad-CAM: which places of the last feature map speak for a class.

R. R. Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based localization",
ICCV 2017. Written here and not taken from a library: it is one hook and one gradient, which begins at the
feature map, so that it costs hardly more than a prediction.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from brainmri.models.classifier import Classifier


@dataclass(frozen=True)
class FeatureLayer:
    """The last convolutional feature map of a network.

    Parameters
    ----------
    name
        The module's name in the network.
    rows, columns
        Of the map.
    """

    name: str
    rows: int
    columns: int


def feature_layer(network: Classifier, image_size: int) -> FeatureLayer | None:
    """Find the last convolutional feature map: what the last convolution's block gives, before any pooling.

    One image is sent through. The last convolution whose output has more than one place tells the size, and
    the last module whose output has that size is taken: so normalisation, activation and shortcuts are
    within, a pooling behind is not.

    Parameters
    ----------
    network
        The classifier, in evaluation mode.
    image_size
        Pixels a side of its images.

    Returns
    -------
    FeatureLayer or None
        None where there is no such map: no convolution sees more than one place, or the image is a sequence
        of tokens behind it, as in transformers.
    """
    seen: list[tuple[str, nn.Module, tuple]] = []
    handles = [
        module.register_forward_hook(
            lambda module, _, output, name=name: seen.append((name, module, shape_of(output)))
        )
        for name, module in network.body.named_modules()
        if name
    ]
    place = next(network.parameters()).device
    try:
        with torch.no_grad():
            network.body(torch.zeros(1, 1, image_size, image_size, device=place))
    finally:
        for handle in handles:
            handle.remove()
    sizes = [
        shape[2:]
        for _, module, shape in seen
        if isinstance(module, nn.Conv2d) and len(shape) == 4 and shape[2] * shape[3] > 1
    ]
    if not sizes:
        return None
    last = max(
        index for index, (_, _, shape) in enumerate(seen) if len(shape) == 4 and shape[2:] == sizes[-1]
    )
    if any(len(shape) == 3 and shape[1] > 1 for _, _, shape in seen[last + 1 :]):
        return None
    return FeatureLayer(f"body.{seen[last][0]}", *sizes[-1])


def shape_of(output) -> tuple:
    """Return the shape of what a module gave; empty where that is no tensor."""
    return tuple(output.shape) if isinstance(output, Tensor) else ()


def grad_cam(
    network: Classifier, layer: FeatureLayer, images: np.ndarray, classes: np.ndarray, batch_size: int = 32
) -> np.ndarray:
    """Return the Grad-CAM of one class for each image.

    The channels of the feature map are weighed by the mean of the class logit's gradient, and summed; what
    speaks against the class counts as 0.

    Parameters
    ----------
    network
        The classifier, in evaluation mode.
    layer
        Of `feature_layer`.
    images : (N, S, S) uint8 array
        Images of the network's size.
    classes : (N,) int array
        The class to explain, of each image.
    batch_size
        Images at a time.

    Returns
    -------
    (N, rows, columns) float32 array
    """
    held: list[Tensor] = []

    def hold(_module, _inputs, output: Tensor) -> Tensor:
        # The graph begins here. The clone goes on, because what follows may work in place.
        held[:] = [output.detach().requires_grad_()]
        return held[0].clone()

    parameter = next(network.parameters())
    maps = []
    handle = network.get_submodule(layer.name).register_forward_hook(hold)
    wanted = [each.requires_grad for each in network.parameters()]
    frozen, network.body_frozen = network.body_frozen, False  # a frozen body would record no graph
    network.requires_grad_(False)
    try:
        for start in range(0, len(images), batch_size):
            batch = torch.from_numpy(np.array(images[start : start + batch_size])).to(parameter.device)
            index = torch.from_numpy(np.asarray(classes[start : start + batch_size], np.int64))
            with torch.enable_grad():
                logits = network(network.normalised(batch.float() / 255))
                score = logits.gather(1, index.to(parameter.device)[:, None]).sum()
                (gradient,) = torch.autograd.grad(score, held[0])
            weights = gradient.mean(dim=(2, 3), keepdim=True)
            maps.append((weights * held[0]).sum(dim=1).relu().detach().float().cpu().numpy())
    finally:
        handle.remove()
        network.body_frozen = frozen
        for each, flag in zip(network.parameters(), wanted, strict=True):
            each.requires_grad_(flag)
    return np.concatenate(maps) if maps else np.empty((0, layer.rows, layer.columns), np.float32)
