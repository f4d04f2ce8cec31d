"""Optimisers, with parameter groups: body and head at their own rates, no decay on biases and norms."""

import torch
from torch.optim import Optimizer

from brainmri.models.classifier import Classifier
from brainmri.training.recipe import OptimizerSettings


def parameter_groups(model: Classifier, settings: OptimizerSettings) -> list[dict]:
    """Return the trainable parameters in up to four groups.

    Vectors (biases, and the weights of normalisation layers) do not decay: pulling them to zero
    regularises nothing (Goyal 2017; He 2019).

    Returns
    -------
    list of dict
        `name` (`body`, `body_no_decay`, `head`, `head_no_decay`), `params`, `lr`, `weight_decay`.
    """
    body_rate = settings.body_learning_rate or settings.learning_rate
    groups = []
    for name, module, rate in (("body", model.body, body_rate), ("head", model.head, settings.learning_rate)):
        trainable = [parameter for parameter in module.parameters() if parameter.requires_grad]
        matrices = [parameter for parameter in trainable if parameter.ndim > 1]
        vectors = [parameter for parameter in trainable if parameter.ndim <= 1]
        groups.append({"name": name, "params": matrices, "lr": rate, "weight_decay": settings.weight_decay})
        groups.append({"name": f"{name}_no_decay", "params": vectors, "lr": rate, "weight_decay": 0.0})
    return [group for group in groups if group["params"]]


def make_optimizer(model: Classifier, settings: OptimizerSettings) -> Optimizer:
    """Return the optimiser that the settings name, over the model's parameter groups."""
    groups = parameter_groups(model, settings)
    if settings.name == "sgd":
        return torch.optim.SGD(groups, lr=settings.learning_rate, momentum=settings.momentum)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[settings.name]
    return kind(groups, lr=settings.learning_rate)
