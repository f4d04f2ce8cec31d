"""A classifier: a body, a head, and the normalisation that the body wants."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class Classifier(nn.Module):
    """A network that knows how its images must be normalised, and which of its parts are frozen.

    Parameters
    ----------
    body
        Maps normalised images (N, 1, S, S) to features (N, F).
    head
        Maps features (N, F) to logits (N, C).
    mean, std
        Of the gray values in [0, 1]; None until known (see `training.parts.measure_normalisation`).
    interpolation
        How the architecture's own images were resized; recorded with the model.

    Notes
    -----
    *Gray images in a network for colour.* A gray image g in three channels, normalised by means mᵢ and
    deviations sᵢ, gives the first layer Σᵢ wᵢ ∗ (g − mᵢ)/sᵢ. timm's `in_chans=1` sums the kernels,
    w = Σᵢ wᵢ, and one channel x = (g − m)/s gives w ∗ x. Both are equal for every kernel exactly when all
    mᵢ = m and all sᵢ = s: so for weights with mean 0.5 and deviation 0.5 in every channel nothing changes at
    all. Where they differ (ImageNet: 0.485, 0.456, 0.406 and 0.229, 0.224, 0.225), no single m and s can
    serve every kernel, because each weighs the channels differently: an exact fold would need the kernels
    scaled one by one, Σᵢ wᵢ s/sᵢ, and a new bias Σᵢ wᵢ ∗ (m − mᵢ)/sᵢ, which zero padding would break at the
    border. Means of mᵢ and of sᵢ are the best single pair to first order: the channels' errors, at most 0.18
    of a deviation, then cancel wherever a kernel weighs the channels alike. A colourful kernel keeps a
    small constant offset, which batch norm or the first steps of fine-tuning absorb.
    """

    def __init__(
        self,
        body: nn.Module,
        head: nn.Module,
        mean: float | None = None,
        std: float | None = None,
        interpolation: str = "bilinear",
    ):
        super().__init__()
        self.body = body
        self.head = head
        self.mean = mean
        self.std = std
        self.interpolation = interpolation
        self.body_frozen = False
        self.batch_norm_frozen = False

    def freeze(self, *, body: bool, batch_norm: bool) -> None:
        """Exclude the body from training, or only the statistics of the body's batch norm from updates."""
        self.body_frozen = body
        self.batch_norm_frozen = batch_norm
        self.body.requires_grad_(not body)
        self.train(self.training)

    def train(self, mode: bool = True) -> "Classifier":
        """Switch to training or evaluation mode; what is frozen stays in evaluation mode."""
        super().train(mode)
        if self.body_frozen:
            self.body.eval()
        if self.batch_norm_frozen:
            for module in self.body.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def trained_state(self) -> dict[str, Tensor]:
        """Return the entries of the state that training changes: all but those of a frozen body."""
        state = self.state_dict()
        if self.body_frozen:
            state = {key: tensor for key, tensor in state.items() if not key.startswith("body.")}
        return state

    def load_trained_state(self, state: dict[str, Tensor]) -> None:
        """Take up what `trained_state` gave; the body stays where it was frozen."""
        self.load_state_dict({**self.state_dict(), **state})

    def normalised(self, images: Tensor) -> Tensor:
        """Return gray images (N, S, S) in [0, 1], float, as the body wants them: (N, 1, S, S)."""
        return ((images - self.mean) / self.std).unsqueeze(1).contiguous(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (N, C) of normalised images (N, 1, S, S)."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.body_frozen):
            features = self.body(images)
        return self.head(features)
