"""What one training was asked for, in a form that other processes can be sent."""

from dataclasses import dataclass
from pathlib import Path

from brainmri.images.box import CropSettings
from brainmri.training.recipe import Recipe


@dataclass(frozen=True)
class TrainingOrder:
    """The arguments of `brainmri.training.train.train`, which says what each means.

    Parameters
    ----------
    events
        Folder for TensorBoard's events; None: none are written.
    largest_part
        Images that the memory of each device was found to suffice for; None: nothing is known.
    """

    manifest: Path
    images: Path
    model: Path
    metadata: Path
    history: Path
    recipe: Recipe
    seed: int
    crop: CropSettings
    weights_dir: Path
    checkpoint_dir: Path
    cache_dir: Path | None
    device: str
    devices: int
    threads: int
    events: Path | None
    largest_part: int | None = None
