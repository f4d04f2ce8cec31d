"""The command `lr-find`: a learning rate for a recipe, from a training of a few steps."""

from pathlib import Path

import pyarrow as pa

from brainmri.artefacts import write_parquet
from brainmri.errors import BrainmriError
from brainmri.seeds import check_seed
from brainmri.training.recipe import Recipe

SCHEMA = pa.schema(
    [
        ("step", pa.int64()),
        ("learning_rate", pa.float64()),
        ("loss", pa.float64()),
        ("smoothed_loss", pa.float64()),
    ]
)


def lr_find(
    manifest: Path,
    images: Path,
    recipe: Recipe,
    figure: Path = Path("lr-find.png"),
    table: Path | None = None,
    lowest: float = 1e-6,
    highest: float = 1.0,
    steps: int = 200,
    seed: int = 0,
    weights_dir: Path = Path("data/weights"),
    cache_dir: Path | None = None,
    device: str = "auto",
    threads: int = 0,
) -> None:
    """Raise the learning rate step by step while training, draw the loss, and suggest a rate.

    The suggestion is where the loss falls most steeply (Smith 2017). Nothing else is kept of the training.

    Parameters
    ----------
    manifest
        The `manifest.parquet` of a split.
    images
        The packed images, of the recipe's `image_size`.
    recipe
        The network and how it is trained: an entry under `models:` of the configuration. The body's rate
        keeps its ratio to the head's.
    figure
        Where to draw the loss over the rate (`.png` or `.svg`).
    table
        Where to write what is drawn, as Parquet; nowhere where not given.
    lowest
        The first rate.
    highest
        The last rate.
    steps
        Steps at most; it ends early where the loss diverges.
    seed
        First weights, order, augmentation and dropout follow from it.
    weights_dir
        Where `pretrained: true` finds `{architecture}.safetensors`.
    cache_dir
        Where it is kept which arithmetic is fastest; where not given, in the user's cache, so that all
        studies on a machine agree.
    device
        `auto` (CUDA where there is one), `cpu`, `cuda` or `cuda:1`.
    threads
        Threads of the CPU's arithmetic; 0: torch's choice.

    Raises
    ------
    BrainmriError
        If the inputs do not fit each other, or a value is not allowed.
    """
    if not 0 < lowest < highest:
        raise BrainmriError(f"lowest is {lowest} and highest {highest}; allowed: 0 < lowest < highest.")
    if not 10 <= steps <= 100_000:
        raise BrainmriError(f"steps is {steps}; allowed: 10 to 100000.")
    check_seed(seed)
    if figure.suffix not in (".png", ".svg"):
        raise BrainmriError(f"figure is '{figure}': its name must end in .png or .svg.")
    # Torch takes seconds to import: only when all else is right.
    from brainmri.models.device import resolve_device
    from brainmri.reporting.draw_range_test import draw_range_test
    from brainmri.training.conduct import deterministic
    from brainmri.training.parts import load_data
    from brainmri.training.prepare import make_network, make_plan
    from brainmri.training.range_test import range_test, suggested_rate
    from brainmri.training.ranks import ALONE

    place = resolve_device(device, threads)
    data = load_data(manifest, images, recipe.image_size)
    network = make_network(data, recipe, seed, weights_dir)
    # As a training computes, whose choice of arithmetic is remembered with this one's.
    with deterministic(place, recipe.deterministic):
        plan = make_plan(data, network, recipe, seed, place, cache_dir, ALONE)
        measured = range_test(network, plan, lowest, highest, steps)
    if measured.empty:
        raise BrainmriError(f"The loss is not finite at a learning rate of {lowest}: lower it.")
    suggestion = suggested_rate(measured)
    if table is not None:
        config = {"lowest": lowest, "highest": highest, "steps": steps, "seed": seed}
        write_parquet(measured, table, config=config, inputs=[manifest, images], schema=SCHEMA)
    draw_range_test(measured, suggestion, recipe.architecture, figure)
    found = f"the loss does not fall between {lowest:g} and {highest:g}"
    if suggestion is not None:
        found = f"optimizer.learning_rate: {suggestion:.1e} (steepest fall of the loss)"
    print(f"lr-find: {found}; drawn in {figure}")
