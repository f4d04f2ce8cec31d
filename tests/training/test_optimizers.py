"""Parameter groups and optimisers: what each parameter gets."""

from copy import deepcopy

import pytest
import torch

from brainmri.models.build import build_model
from brainmri.models.classifier import Classifier
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


@pytest.mark.parametrize(
    ("architecture", "spared"),
    [
        ("vit_tiny_patch16_224", ("pos_embed", "cls_token")),
        ("swin_tiny_patch4_window7_224", ("relative_position_bias_table",)),
    ],
)
def test_positions_do_not_decay(architecture, spared):
    model = model_of(architecture=architecture, image_size=224)
    groups = parameter_groups(model, OptimizerSettings(weight_decay=0.1, layer_decay=0.8))
    decay = {id(parameter): group["weight_decay"] for group in groups for parameter in group["params"]}
    decays = {name: decay[id(parameter)] for name, parameter in model.body.named_parameters()}
    assert {decays[name] for name in decays if name.endswith(spared)} == {0.0}
    assert {decays[name] for name in decays if name.endswith(("qkv.weight", "fc1.weight"))} == {0.1}


def test_a_frozen_body_is_not_optimised():
    model = model_of(cnn={"channels": [4]})
    model.freeze(body=True, batch_norm=False)
    names = [group["name"] for group in parameter_groups(model, OptimizerSettings())]
    assert names == ["head", "head_no_decay"]


@pytest.mark.parametrize(
    ("name", "reference", "own"),
    [
        ("adam", torch.optim.Adam, {}),
        ("adamw", torch.optim.AdamW, {}),
        ("sgd", torch.optim.SGD, {"momentum": 0.5}),
    ],
)
def test_each_optimiser_is_torchs_with_the_settings_given(name, reference, own):
    model = Classifier(torch.nn.Identity(), torch.nn.Linear(4, 3, bias=False))
    theirs = deepcopy(model.head)
    settings = OptimizerSettings(name=name, learning_rate=0.1, weight_decay=0.5, momentum=0.5)
    pairs = [
        (model.head.weight, make_optimizer(model, settings)),
        (theirs.weight, reference(theirs.parameters(), lr=0.1, weight_decay=0.5, **own)),
    ]
    for step in range(3):
        for weight, optimizer in pairs:
            weight.grad = torch.full_like(weight, 1.0 + step)
            optimizer.step()
    torch.testing.assert_close(model.head.weight, theirs.weight)


@pytest.mark.parametrize(
    "architecture",
    ["cnn", "resnet10t", "mobilenetv2_035", "vgg11", "efficientnet_b0", "vit_tiny_patch16_224"],
)
def test_with_layer_decay_lower_layers_learn_slower(architecture):
    model = model_of(
        architecture=architecture, cnn={"channels": [4, 8, 8], "batch_norm": architecture == "cnn"}
    )
    settings = OptimizerSettings(learning_rate=0.01, body_learning_rate=0.001, layer_decay=0.5)
    groups = parameter_groups(model, settings)
    rate_of = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    assert len(rate_of) == len(list(model.parameters()))
    first = next(parameter for parameter in model.body.parameters() if parameter.ndim > 1)
    assert rate_of[id(first)] <= 0.001 * 0.5**2
    assert {rate_of[id(parameter)] for parameter in model.head.parameters()} == {0.01}
    rates = sorted({group["lr"] for group in groups if group["name"].startswith("body")})
    assert rates == pytest.approx([0.001 * 0.5**depth for depth in reversed(range(len(rates)))])
