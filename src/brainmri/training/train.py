"""The stage `train`: one model on one manifest, from a recipe and a seed to weights and history."""

from pathlib import Path
from typing import Literal

from brainmri.errors import BrainmriError
from brainmri.images.box import CropSettings
from brainmri.seeds import check_seed
from brainmri.training.order import TrainingOrder
from brainmri.training.recipe import Recipe


def train(
    manifest: Path,
    images: Path,
    model: Path,
    metadata: Path,
    history: Path,
    recipe: Recipe,
    seed: int = 0,
    crop: CropSettings = CropSettings(),  # noqa: B008 (frozen)
    weights_dir: Path = Path("data/weights"),
    checkpoint_dir: Path = Path(".brainmri/checkpoints"),
    cache_dir: Path | None = None,
    device: str = "auto",
    devices: int = 1,
    threads: int = 0,
    monitor: Literal["tensorboard"] | None = None,
    events: Path = Path("logs/tensorboard"),
) -> None:
    """Train one model: learn from the part `train`, choose the epoch by the part `val`, never see `test`.

    A training that was killed goes on after its last whole epoch when it is called again with the same
    inputs; one that was asked to stop (SIGTERM) goes on after the step where it stopped. Same inputs, same
    seed, same machine: the same weights to the bit on a CPU.

    Parameters
    ----------
    manifest
        The `manifest.parquet` of a split.
    images
        The packed images, of the recipe's `image_size`.
    model
        Where to write the weights (`model.safetensors`).
    metadata
        Where to write what is needed to use them (`model.json`).
    history
        Where to write one row an epoch (`history.parquet`).
    recipe
        The network and how it is trained: an entry under `models:` of the configuration.
    seed
        First weights, order, augmentation and dropout follow from it.
    crop
        How the images were cropped: recorded, so that new images are treated alike.
    weights_dir
        Where `pretrained: true` finds `{architecture}.safetensors`.
    checkpoint_dir
        Where the state of a running training is kept.
    cache_dir
        Where it is kept which arithmetic is fastest; where not given, in the user's cache, so that all
        studies on a machine agree.
    device
        `auto` (CUDA where there is one), `cpu`, `cuda` or `cuda:1`.
    devices
        How many GPUs, or processes on a CPU, train together; each takes its share of every batch.
    threads
        Threads of the CPU's arithmetic, over all processes; 0: torch's choice.
    monitor
        `tensorboard`: write events while training.
    events
        Folder for these events.

    Raises
    ------
    BrainmriError
        If the inputs do not fit each other or the recipe, the loss stops being finite, another process
        trains the same model, or an end was asked for.
    """
    check_seed(seed)
    if devices < 1:
        raise BrainmriError(f"devices is {devices}; allowed: 1 or more.")
    order = TrainingOrder(
        manifest, images, model, metadata, history, recipe, seed, crop, weights_dir, checkpoint_dir,
        cache_dir, device, devices, threads, events if monitor else None,
    )  # fmt: skip
    if devices > 1:
        from brainmri.training.together import train_together

        train_together(order)
    else:
        from brainmri.training.conduct import conduct

        conduct(order)
