"""The loss that is minimised: cross-entropy, so written that parts of a batch add up to the whole."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Criterion(nn.Module):
    """Cross-entropy with label smoothing and class weights, as a sum and what to divide it by.

    torch's own mean over a batch is `sum / normaliser`; a part of a batch, or a share of it on another
    device, must be divided by the normaliser of the whole.

    Parameters
    ----------
    weights : Tensor of float32, shape (C,), or None
        Weights of the classes.
    label_smoothing
        Share of the target spread evenly over the classes.
    """

    def __init__(self, weights: Tensor | None, label_smoothing: float):
        super().__init__()
        self.register_buffer("weights", weights)
        self.label_smoothing = label_smoothing

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the sum of the losses of logits (n, C) and targets, int64 (n,) or shares (n, C)."""
        return functional.cross_entropy(
            logits, targets, self.weights, reduction="sum", label_smoothing=self.label_smoothing
        )

    def normaliser(self, targets: Tensor) -> Tensor:
        """Return what torch divides the sum by: the images, or the weights of their classes added up."""
        if self.weights is None or targets.is_floating_point():
            return torch.full((), len(targets), dtype=torch.float32, device=targets.device)
        return self.weights[targets].sum()
