"""`recipe: standard` stands for a whole recipe, and gives way to what is written beside it."""

import pytest
import timm
import torch
import yaml
from helpers import ROOT

from brainmri.configuration import checked
from brainmri.errors import BrainmriError
from brainmri.training.optimizers import body_layers
from brainmri.training.recipe import recipe_from
from brainmri.training.standard import FAMILIES, standard_recipe, with_standard

NAMES = [
    "cnn",
    "resnet50",
    "vgg16",
    "efficientnet_b0",
    "tf_efficientnet_b0",
    "mobilenetv2_100",
    "densenet121",
]
NAMES += ["convnext_tiny", "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224"]


# There are no ImageNet weights of the reference CNN.
@pytest.mark.parametrize(
    ("name", "pretrained"),
    [(name, how) for name in NAMES for how in (False, True) if (name, how) != ("cnn", True)],
)
def test_every_family_has_a_recipe_that_can_be_trained(name, pretrained):
    recipe = recipe_from(
        {"architecture": name, "pretrained": pretrained, **standard_recipe(name, pretrained)}
    )
    assert recipe.augment == "standard"
    assert recipe.schedule.name == "cosine"
    assert recipe.schedule.warmup_epochs >= 0.05 * recipe.epochs
    assert (recipe.linear_probe.epochs > 0) is pretrained
    if pretrained:
        assert recipe.optimizer.body_learning_rate < recipe.optimizer.learning_rate
    if name == "vgg16" and pretrained:
        assert recipe.optimizer.body_learning_rate <= 3e-5
        assert recipe.gradient_clip == 1.0


@pytest.mark.parametrize("name", ["convnext_base", "swin_base_patch4_window7_224", "vit_base_patch16_224"])
def test_no_layer_of_a_pretrained_body_stands_still(name):
    recipe = recipe_from({"architecture": name, "pretrained": True, **standard_recipe(name, True)})
    with torch.device("meta"):
        body = timm.create_model(name, num_classes=0)
    settings = recipe.optimizer
    rates = [rate for _, _, rate in body_layers(body, settings.body_learning_rate, settings.layer_decay)]
    assert max(rates) / min(rates) < 1000


def test_families_do_not_change_each_other():
    first = standard_recipe("resnet50", True)
    first["optimizer"]["learning_rate"] = 77
    assert standard_recipe("resnet50", True)["optimizer"]["learning_rate"] < 1
    assert FAMILIES["resnet"]["optimizer"]["learning_rate"] < 1


def test_what_is_written_beside_it_wins_key_by_key():
    model = {"recipe": "standard", "architecture": "resnet50", "pretrained": True, "epochs": 3}
    model["optimizer"] = {"learning_rate": 0.01}
    model["early_stopping"] = None
    recipe = with_standard(model)
    assert recipe["epochs"] == 3
    assert recipe["optimizer"]["learning_rate"] == 0.01
    assert recipe["optimizer"]["name"] == "adamw"
    assert recipe["early_stopping"] is None
    assert "recipe" not in recipe


def test_a_configuration_spells_it_out_before_its_defaults():
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
    config["models"]["cnn"] = {"recipe": "standard", "architecture": "cnn", "image_size": 80}
    assert checked(config, schema)["models"]["cnn"]["optimizer"]["name"] == "adamw"
    config["models"]["cnn"]["recipe"] = "standart"
    with pytest.raises(BrainmriError, match="Did you mean 'standard'"):
        checked(config, schema)
