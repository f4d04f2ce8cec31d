"""A network whose answers are explained, and networks of the same design that learnt nothing."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from brainmri.evaluation.probabilities import softmax
from brainmri.evaluation.saliency import occlusion
from brainmri.models.build import build_model
from brainmri.models.classifier import Classifier
from brainmri.models.grad_cam import FeatureLayer, grad_cam
from brainmri.models.saved import checked_document, predict_logits

RANDOM_NETWORKS = 2  # over which the similarity of maps is averaged: one draw of weights may be odd


@dataclass(frozen=True)
class Explained:
    """A network whose answers are explained.

    Parameters
    ----------
    network
        In evaluation mode.
    layer
        Its last convolutional feature map; None where it has none.
    temperature
        By which its logits are divided.
    place
        The torch device.
    """

    network: Classifier
    layer: FeatureLayer | None
    temperature: float
    place: torch.device

    def probabilities(self, images: np.ndarray, label_index: int) -> np.ndarray:
        """Return the probability of a class for each image (N, S, S)."""
        logits = predict_logits(self.network, images, self.place).astype(np.float64)
        return softmax(logits / self.temperature)[:, label_index]

    def grids(self, images: np.ndarray, classes: np.ndarray) -> dict[str, list[np.ndarray]]:
        """Return the maps of each method for the classes of some images, as grids."""
        self.network.eval().to(self.place)
        found = {}
        if self.layer is not None:
            found["grad_cam"] = list(grad_cam(self.network, self.layer, images, classes))
        found["occlusion"] = [
            occlusion(lambda copies, index=index: self.probabilities(copies, index), image)
            for image, index in zip(images, classes, strict=True)
        ]
        return found


def random_networks(explained: Explained, document: dict, metadata: Path, seed: int) -> list[Explained]:
    """Return networks of the same design whose weights are all drawn anew.

    Parameters
    ----------
    explained
        The trained network.
    document
        Its ``model.json``.
    metadata
        Where that lies, for messages.
    seed
        Same seed, same weights.
    """
    design, mean, std = checked_document(document, metadata)
    networks = []
    with torch.random.fork_rng(devices=[]):
        for index in range(RANDOM_NETWORKS):
            torch.manual_seed(RANDOM_NETWORKS * seed + index)
            network = build_model(design, len(document["classes"]))
            network.mean, network.std = mean, std
            network = network.eval().to(explained.place)
            networks.append(Explained(network, explained.layer, explained.temperature, explained.place))
    return networks
