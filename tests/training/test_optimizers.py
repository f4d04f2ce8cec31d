"""Parameter groups and precision: what each parameter gets, and by which rule."""

import pytest
import torch

from brainmri.errors import BrainmriError
from brainmri.models.build import build_model
from brainmri.training import precision
from brainmri.training.optimizers import make_optimizer, parameter_groups
from brainmri.training.recipe import OptimizerSettings, recipe_from


def model_of(**recipe):
    return build_model(recipe_from({"image_size": 32, **recipe}), 3)


def test_biases_and_norms_do_not_decay_and_the_body_has_its_own_rate():
    model = model_of(architecture="resnet10t", head={"hidden": 8})
    settings = OptimizerSettings(learning_rate=0.01, body_learning_rate=0.001, weight_decay=0.1)
    groups = {group["name"]: group for group in parameter_groups(model, settings)}
    assert {name: (group["lr"], group["weight_decay"]) for name, group in groups.items()} == {
        "body": (0.001, 0.1),
        "body_no_decay": (0.001, 0.0),
        "head": (0.01, 0.1),
        "head_no_decay": (0.01, 0.0),
    }
    decaying = {id(parameter) for name in ("body", "head") for parameter in groups[name]["params"]}
    dense = (torch.nn.Conv2d, torch.nn.Linear)
    kernels = {id(module.weight) for module in model.modules() if isinstance(module, dense)}
    assert decaying == kernels
    assert sum(len(group["params"]) for group in groups.values()) == len(list(model.parameters()))


def test_a_frozen_body_is_not_optimised():
    model = model_of(cnn={"channels": [4]})
    model.freeze(body=True, batch_norm=False)
    names = [group["name"] for group in parameter_groups(model, OptimizerSettings())]
    assert names == ["head", "head_no_decay"]


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_each_optimiser_lowers_the_loss(name):
    torch.manual_seed(0)
    model = model_of(cnn={"channels": [4]}, head={"hidden": [], "dropout": 0.0})
    optimizer = make_optimizer(model, OptimizerSettings(name=name, learning_rate=0.01, weight_decay=0.001))
    images, labels = torch.rand(8, 1, 32, 32), torch.arange(8) % 3
    losses = []
    for _ in range(5):
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_auto_precision_is_a_rule_on_the_architecture(monkeypatch):
    cpu = torch.device("cpu")
    dense, depthwise = model_of(cnn={"channels": [4]}), model_of(architecture="mobilenetv2_050")
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: True)
    assert precision.choose_precision("auto", dense, cpu) == "bf16"
    assert precision.choose_precision("auto", depthwise, cpu) == "fp32"
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: False)
    assert precision.choose_precision("auto", dense, cpu) == "fp32"
    assert precision.choose_precision("bf16", depthwise, cpu) == "bf16"
    with pytest.raises(BrainmriError, match="needs CUDA"):
        precision.choose_precision("fp16", dense, cpu)
