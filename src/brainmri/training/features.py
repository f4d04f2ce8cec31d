"""A frozen body run once: its features of all images, so that the head can be trained on them alone."""

import torch

from brainmri.models.classifier import Classifier
from brainmri.models.memory import as_many_as_fit
from brainmri.progress import progress
from brainmri.training.arithmetic import Arithmetic, in_arithmetic
from brainmri.training.batches import EVALUATION_BATCH, evaluation_batches
from brainmri.training.feeds import FeatureFeed
from brainmri.training.image_sources import ImageSource
from brainmri.training.parts import Part, TrainingData
from brainmri.training.ranks import ALONE, Ranks
from brainmri.training.recipe import Recipe


def can_cache_features(recipe: Recipe) -> bool:
    """Say whether the body gives every image the same features in every epoch."""
    return recipe.freeze_body and not recipe.varies_images


def feature_feed(
    data: TrainingData,
    source: ImageSource,
    model: Classifier,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    arithmetic: Arithmetic,
    ranks: Ranks = ALONE,
) -> FeatureFeed:
    """Return the feed of a classifier's head: the body's features of the parts `train` and `val`."""
    parts = {
        name: body_features(source, part, model, device, arithmetic, name)
        for name, part in (("train", data.train), ("val", data.val))
    }
    labels = torch.from_numpy(data.train.labels).to(device)
    return FeatureFeed(parts["train"], parts["val"], labels, recipe, seed, ranks)


def body_features(
    source: ImageSource,
    part: Part,
    model: Classifier,
    device: torch.device,
    arithmetic: Arithmetic,
    name: str,
) -> torch.Tensor:
    """Return the features (n, F) of a part, float32, on the device, in its order; nothing is augmented."""
    training = model.training
    model.eval()

    def outputs(batch_size: int) -> list[torch.Tensor]:
        batches = []
        with (
            torch.inference_mode(),
            in_arithmetic(arithmetic.precision, device),
            progress(total=len(part), description=f"features of {name}", unit="image") as bar,
        ):
            for inputs, _ in evaluation_batches(source, part, model, device, batch_size):
                batches.append(model.body(inputs).float())
                bar.update(len(inputs))
        return batches

    batches = as_many_as_fit(outputs, EVALUATION_BATCH[device.type], device)
    model.train(training)
    # A clone made outside of inference mode, which autograd takes as an input.
    return torch.cat(batches).clone()
