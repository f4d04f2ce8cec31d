"""Bodies from timm: gray input, no classifier, and the normalisation that each was trained with."""

import logging
import re
import sys
from pathlib import Path

import timm
import torch
from timm.data import resolve_data_config
from torch import nn

from brainmri.errors import BrainmriError, first_line
from brainmri.models.settings import Design

# At each retry it prints the address, which may hold a login (HF_ENDPOINT).
logging.getLogger("huggingface_hub").setLevel(logging.CRITICAL)


def timm_body(design: Design, lacking: Path | None) -> nn.Module:
    """Create a timm model without its classifier, for gray images.

    Parameters
    ----------
    design
        Architecture, image size, pooling, and further arguments for timm under `backbone`.
    lacking
        The file whose weights timm loads instead, from its cache or the network; None where it loads none.

    Returns
    -------
    nn.Module
        Maps images (N, 1, S, S) to features (N, F).

    Raises
    ------
    BrainmriError
        If timm refuses an argument, or cannot get the weights.
    """
    arguments = dict(design.backbone)
    if lacking is not None and "pretrained_cfg_overlay" in arguments:
        print(
            f"train: warning: {lacking} is not there, and the weights that timm downloads are normalised as "
            "timm says: leave backbone.pretrained_cfg_overlay out, or put the file there.",
            file=sys.stderr,
        )
    if design.head.pooling != "average":
        arguments["global_pool"] = design.head.pooling
    try:
        if timm.get_pretrained_cfg(design.architecture).fixed_input_size:
            arguments.setdefault("img_size", design.image_size)
        body = timm.create_model(
            design.architecture, pretrained=lacking is not None, in_chans=1, num_classes=0, **arguments
        )
    except Exception as error:  # whatever timm's builders and the HTTP libraries below them raise
        refused = isinstance(error, TypeError | ValueError | AssertionError | KeyError | AttributeError)
        if lacking is None or refused:
            raise build_failed(design, error) from error
        raise download_failed(design, lacking, error) from error
    # VGG alone has dense layers before its classifier; the head takes their place, after global pooling.
    if hasattr(body, "pre_logits") and not isinstance(body.pre_logits, nn.Identity):
        body.pre_logits = nn.Identity()
    return body


def build_failed(design: Design, error: Exception) -> BrainmriError:
    """Return the error for a name or an argument that timm refuses."""
    return BrainmriError(
        f"timm cannot build {design.architecture} with backbone {design.backbone} "
        f"({without_login(error)}): mend or remove these keys."
    )


def download_failed(design: Design, lacking: Path, error: Exception) -> BrainmriError:
    """Return the error that says how to go on without the network."""
    hub = timm.get_pretrained_cfg(design.architecture).hf_hub_id
    source = f"https://huggingface.co/{hub}/resolve/main/model.safetensors" if hub else "them"
    return BrainmriError(
        f"timm could not get the weights of {design.architecture} ({without_login(error)}). "
        f"Where there is no network, put {source} at {lacking}, or set pretrained: false."
    )


def without_login(error: Exception) -> str:
    """Return the first line of what an error says, without the logins in its addresses."""
    return re.sub(r"//[^/\s]*@", "//", first_line(error))


def gray_normalisation(body: nn.Module) -> tuple[float, float, str]:
    """Return the mean, deviation and interpolation for one gray channel, from timm's own settings.

    The mean and the deviation are the means over the three channels: see `Classifier` for when that is
    exact. `backbone: {pretrained_cfg_overlay: {mean: …, std: …}}` overrides timm's settings for weights that
    were trained otherwise.
    """
    settings = resolve_data_config({}, model=body)
    mean, std = settings["mean"], settings["std"]
    return sum(mean) / len(mean), sum(std) / len(std), settings["interpolation"]


def feature_count(body: nn.Module, image_size: int) -> int:
    """Return the width of the features that a body makes of an image.

    Raises
    ------
    BrainmriError
        If the body cannot take images of that size, or does not give one vector an image.
    """
    device = next(body.parameters()).device
    training = body.training
    body.eval()
    try:
        with torch.no_grad():
            features = body(torch.zeros(1, 1, image_size, image_size, device=device))
    except (RuntimeError, AssertionError, ValueError) as error:
        raise BrainmriError(f"The body cannot take images of {image_size} pixels: {error}.") from error
    finally:
        body.train(training)
    if features.ndim != 2:
        raise BrainmriError(f"The body gives features of shape {tuple(features.shape[1:])}, not one vector.")
    return features.shape[1]
