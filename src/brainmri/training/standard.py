"""The `standard` recipe of each family of networks: good defaults, so that a model needs only its name.

Sources: Davila 2024 (arXiv 2406.10050) on fine-tuning for medical images, a linear probe first and a slow
body under a faster head; Wightman 2021 (ResNet strikes back) and He 2019 for AdamW, cosine with warm-up and
label smoothing; VGG, which has no batch norm and collapses at the rates of the others, slow and clipped.
"""

from copy import deepcopy

# What all have in common: the images vary as scans do, the best epoch is kept by what counts.
COMMON = {
    "batch_size": 32,
    "augment": "standard",
    "label_smoothing": 0.1,
    "checkpoint": {"monitor": "val_macro_f1"},
    "early_stopping": {"monitor": "val_loss", "patience": 10},
    "ema": 0.999,
}
SCRATCH = {
    "epochs": 50,
    "optimizer": {"name": "adamw", "learning_rate": 0.001, "weight_decay": 0.05},
    "schedule": {"name": "cosine", "warmup_epochs": 2.5},
}


def fine_tuning(body: float, head: float, **further) -> dict:
    """Return a recipe for pretrained weights with these learning rates."""
    return {
        "epochs": 20,
        "linear_probe": {"epochs": 5, "learning_rate": 0.001},
        "optimizer": {
            "name": "adamw",
            "learning_rate": head,
            "body_learning_rate": body,
            "weight_decay": 0.05,
        },
        "schedule": {"name": "cosine", "warmup_epochs": 1},
        **further,
    }


# First part of the architecture's name: recipe for pretrained weights.
FAMILIES = {
    "resnet": fine_tuning(1e-4, 5e-4),
    "vgg": fine_tuning(3e-5, 3e-4, gradient_clip=1.0),
    "efficientnet": fine_tuning(1e-4, 5e-4, backbone={"drop_path_rate": 0.1}),
    "tf_efficientnet": fine_tuning(1e-4, 5e-4, backbone={"drop_path_rate": 0.1}),
    "mobilenet": fine_tuning(3e-4, 2e-3),
    "convnext": fine_tuning(5e-5, 5e-4, backbone={"drop_path_rate": 0.1}, gradient_clip=1.0),
    "vit": fine_tuning(5e-5, 5e-4, backbone={"drop_path_rate": 0.1}, gradient_clip=1.0),
    "swin": fine_tuning(5e-5, 5e-4, backbone={"drop_path_rate": 0.1}, gradient_clip=1.0),
}
OTHER = fine_tuning(1e-4, 5e-4, gradient_clip=1.0)
# Layers near the image need to change least: rates fall by layer in deep transformers (Clark 2020). Not in
# ConvNeXt, whose larger ones have 36 blocks: at 0.8 a block the lower half would stand still.
LAYER_DECAY = {"vit": 0.75, "swin": 0.8}


def standard_recipe(architecture: str, pretrained: bool | str) -> dict:
    """Return the standard recipe of an architecture, as a mapping of the configuration's keys.

    Parameters
    ----------
    architecture
        `cnn` or the name of a timm model.
    pretrained
        Whether it starts from weights; else it is trained from random ones, faster and for longer.
    """
    recipe = deepcopy(COMMON)
    if not pretrained:
        clip = {} if architecture.startswith(("cnn", "resnet")) else {"gradient_clip": 1.0}
        return {**recipe, **deepcopy(SCRATCH), **clip}
    family = next((name for name in FAMILIES if architecture.startswith(name)), None)
    recipe |= deepcopy(FAMILIES.get(family, OTHER))
    if family in LAYER_DECAY:
        recipe["optimizer"]["layer_decay"] = LAYER_DECAY[family]
    return recipe


def with_standard(model: dict) -> dict:
    """Return a model's entry of the configuration, `recipe: standard` replaced by what that stands for.

    Keys that the entry has itself win; those of a mapping one by one. Where `augment` or `checkpoint` and the
    like are given whole, they replace the standard ones.
    """
    if model.get("recipe") != "standard":
        return model
    own = {key: value for key, value in model.items() if key != "recipe"}
    recipe = standard_recipe(str(own.get("architecture", "")), own.get("pretrained", False))
    for key, value in own.items():
        both = isinstance(value, dict) and isinstance(recipe.get(key), dict)
        recipe[key] = {**recipe[key], **value} if both else value
    return recipe
