"""A classifier built of its design: body, head, normalisation, and pretrained weights where asked for."""

import hashlib
from pathlib import Path

import safetensors.torch

from brainmri.digests import file_digest
from brainmri.models.architectures import REFERENCE_CNN
from brainmri.models.classifier import Classifier
from brainmri.models.cnn import cnn_body
from brainmri.models.heads import dense_head
from brainmri.models.settings import Design
from brainmri.models.weights import load_weights, read_weights


def build_model(design: Design, class_count: int, weights_dir: Path = Path("data/weights")) -> Classifier:
    """Build a classifier.

    Random weights come from torch's global generator: seed it before.

    Parameters
    ----------
    design
        Architecture, sizes and weights; a `Recipe` is one.
    class_count
        Number of classes.
    weights_dir
        Where `pretrained: true` looks for `{architecture}.safetensors` before timm downloads.

    Returns
    -------
    Classifier
        In training mode, on the CPU. Its mean and std are None for the reference CNN, which has none of its
        own unless `cnn.normalise` gives them: they are measured on the training part.

    Raises
    ------
    BrainmriError
        If the architecture does not take the settings, or the weights do not fit or cannot be had.
    """
    file = weights_file(design, weights_dir)
    if design.architecture == REFERENCE_CNN:
        body = cnn_body(design.cnn)
        features = design.cnn.channels[-1] * design.cnn.map_size(design.image_size) ** 2
        mean, std = design.cnn.normalise or (None, None)
        interpolation = "bilinear"
    else:
        # timm takes ten seconds to import: only where a timm model is asked for.
        from brainmri.models.backbones import feature_count, gray_normalisation, timm_body

        downloads = design.pretrained is True and file is None
        body = timm_body(design, local_file(design, weights_dir) if downloads else None)
        features = feature_count(body, design.image_size)
        mean, std, interpolation = gray_normalisation(body)
    if file is not None:
        state = read_weights(file)
        load_weights(body, body_entries(state), file)
    return Classifier(body, dense_head(features, class_count, design.head), mean, std, interpolation)


def weights_file(design: Design, weights_dir: Path) -> Path | None:
    """Return the file that the body's weights come from; None for random or downloaded ones."""
    if isinstance(design.pretrained, bool):
        local = local_file(design, weights_dir)
        return local if design.pretrained and local.is_file() else None
    return Path(design.pretrained)


def local_file(design: Design, weights_dir: Path) -> Path:
    """Return where the weights of `pretrained: true` are looked for."""
    return Path(weights_dir) / f"{design.architecture}.safetensors"


def weights_digest(design: Design, weights_dir: Path, network: Classifier | None = None) -> str | None:
    """Return the SHA-256 of the file that the body's weights come from; None where there is none.

    Where timm downloaded them, that of the body of `network`, just built, as a safetensors file.
    """
    file = weights_file(design, weights_dir)
    if file is None and design.pretrained is True and network is not None:
        state = {key: tensor.contiguous() for key, tensor in network.body.state_dict().items()}
        return hashlib.sha256(safetensors.torch.save(state)).hexdigest()
    return file_digest(file) if file and file.is_file() else None


def body_entries(state: dict) -> dict:
    """Return the body's part of a brainmri model's weights; others as they are."""
    inside = {key.removeprefix("body."): value for key, value in state.items() if key.startswith("body.")}
    return inside or state
