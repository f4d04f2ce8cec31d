"""Optimisers, with parameter groups: body and head at their own rates, no decay on biases and norms."""

import torch
from torch import nn
from torch.optim import Optimizer

from brainmri.models.classifier import Classifier
from brainmri.training.recipe import OptimizerSettings


def parameter_groups(model: Classifier, settings: OptimizerSettings) -> list[dict]:
    """Return the trainable parameters in groups of one learning rate and one weight decay each.

    Vectors (biases, and the weights of normalisation layers) do not decay: pulling them to zero
    regularises nothing (Goyal 2017; He 2019). Nor does what timm names (`no_weight_decay`): embeddings of
    positions and the like.

    Returns
    -------
    list of dict
        `name` (`body`, `body_no_decay`, with layer decay `body_layer0` and so on, then `head`,
        `head_no_decay`), `params`, `lr`, `weight_decay`.
    """
    body_rate = settings.body_learning_rate or settings.learning_rate
    spared = getattr(model.body, "no_weight_decay", set)()
    undecayed = {id(parameter) for name, parameter in model.body.named_parameters() if name in spared}
    groups = []
    for name, parameters, rate in (
        *body_layers(model.body, body_rate, settings.layer_decay),
        ("head", list(model.head.parameters()), settings.learning_rate),
    ):
        trainable = [parameter for parameter in parameters if parameter.requires_grad]
        vectors = [parameter for parameter in trainable if parameter.ndim <= 1 or id(parameter) in undecayed]
        taken = {id(parameter) for parameter in vectors}
        matrices = [parameter for parameter in trainable if id(parameter) not in taken]
        groups.append({"name": name, "params": matrices, "lr": rate, "weight_decay": settings.weight_decay})
        groups.append({"name": f"{name}_no_decay", "params": vectors, "lr": rate, "weight_decay": 0.0})
    return [group for group in groups if group["params"]]


def body_layers(
    body: nn.Module, rate: float, decay: float | None
) -> list[tuple[str, list[nn.Parameter], float]]:
    """Return the body's parameters by layer, with each layer's rate; as one layer where rates do not decay.

    timm says which parameters make a layer (`group_matcher`); the reference CNN's layers are its own
    convolutions, each with its batch norm.
    """
    if decay is None:
        return [("body", list(body.parameters()), rate)]
    if hasattr(body, "group_matcher"):
        from timm.models import group_parameters

        layer_of = group_parameters(body, body.group_matcher(coarse=False), reverse=True)
    else:
        convolutions = [name for name, module in body.named_children() if isinstance(module, nn.Conv2d)]
        layer_of = {
            name: sum(int(start) <= int(name.split(".")[0]) for start in convolutions)
            for name, _ in body.named_parameters()
        }
    numbers = sorted(set(layer_of.values()))
    depth = {number: len(numbers) - 1 - place for place, number in enumerate(numbers)}
    layers: dict[int, list[nn.Parameter]] = {number: [] for number in numbers}
    for name, parameter in body.named_parameters():
        layers[layer_of[name]].append(parameter)
    return [
        (f"body_layer{place}", parameters, rate * decay ** depth[number])
        for place, (number, parameters) in enumerate(layers.items())
    ]


def make_optimizer(model: Classifier, settings: OptimizerSettings) -> Optimizer:
    """Return the optimiser that the settings name, over the model's parameter groups, in one fused kernel."""
    groups = parameter_groups(model, settings)
    if settings.name == "sgd":
        return torch.optim.SGD(groups, lr=settings.learning_rate, momentum=settings.momentum, fused=True)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[settings.name]
    return kind(groups, lr=settings.learning_rate, fused=True)
