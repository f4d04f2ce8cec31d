"""Training beside its limits: a notebook's loop, ours, and the bare arithmetic, in turns within one run.

    .venv/bin/python benchmarks/train_speed.py [--size 128] [--models cnn resnet18] [--images FOLDER]

(a) the loop of the reference systems (`notebook_loop.py`); (b) ours: the memory-mapped array, one warp an
image, the arithmetic that suits the device, the kernels that the stage `train` allows, the schedule and the
bar; (c) the limit: our very step on one batch that lies ready. All three see the same images, sizes,
augmentation and optimiser, and whole batches alone.
Draws phantom slices where no folder (one folder a class) is given. The workers of (a) start before the clock.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path
from statistics import median
from time import perf_counter

import cv2
import numpy as np
import torch
from notebook_loop import NotebookLoop
from torchvision import datasets

from brainmri.images.box import CropSettings
from brainmri.images.decode import decode_gray
from brainmri.images.prepare import prepare_image
from brainmri.models.device import device_name, resolve_device
from brainmri.sources.phantom import phantom
from brainmri.training.callbacks import Progress, tell
from brainmri.training.conduct import deterministic
from brainmri.training.loop import train_batch
from brainmri.training.parts import Part, TrainingData
from brainmri.training.prepare import make_network, make_plan, make_run
from brainmri.training.ranks import ALONE
from brainmri.training.recipe import Recipe, recipe_from
from brainmri.training.schedules import Schedule
from brainmri.training.steps import take_step

AUGMENT = {"horizontal_flip": 0.5, "rotation": 10.0, "zoom": [0.9, 1.1], "shift": 0.05}
MODELS = {
    "cnn": {
        "architecture": "cnn",
        "cnn": {"channels": [16, 32, 64]},
        "head": {"hidden": 512, "dropout": 0.5},
    },
    "resnet18": {"architecture": "resnet18"},
    "mobilenetv3_small_100": {"architecture": "mobilenetv3_small_100"},
    "efficientnet_b0": {"architecture": "efficientnet_b0"},
    "resnet50": {"architecture": "resnet50"},
    "vgg16": {"architecture": "vgg16"},
}
ON_CPU = ("cnn", "resnet18", "mobilenetv3_small_100", "efficientnet_b0")


def settings_of(name: str, size: int, batch: int) -> dict:
    """Return the recipe's settings of one model; on all three sides the optimiser is Adam at 0.001."""
    return {**MODELS[name], "image_size": size, "batch_size": batch, "augment": AUGMENT}


def packed(folder: Path, size: int) -> tuple[TrainingData, list[str]]:
    """Return the images of a folder of classes as our stages prepare them, all in both parts."""
    files = datasets.ImageFolder(folder)
    images = np.empty((len(files), size, size), np.uint8)
    for place, (path, _) in enumerate(files.samples):
        images[place] = prepare_image(decode_gray(Path(path).read_bytes(), path), size, CropSettings())[0]
    stored = folder.parent / f"packed_{size}.npy"
    np.save(stored, images)
    labels = np.array(files.targets, np.int64)
    part = Part(np.arange(len(files)), labels)
    return TrainingData(np.load(stored, mmap_mode="r"), part, part, files.classes), files.classes


def whole_batches(make: Callable[[int], Iterator], size: int) -> Iterator:
    """Yield the whole batches of one epoch after another."""
    for epoch in count():
        yield from (batch for batch in make(epoch) if len(batch[0]) == size)


def our_loops(
    data: TrainingData, recipe: Recipe, device: torch.device, cache: Path
) -> tuple[Callable[[int], None], Callable[[int], None], str]:
    """Return our loop and its limit, each a function that runs so many steps, and the arithmetic of both."""
    network = make_network(data, recipe, 0, cache)
    plan = make_plan(data, network, recipe, 0, device, cache, ALONE)
    run = make_run(network, plan)
    run.start_sums(device)
    network.train()
    batches = whole_batches(plan.feed.training, recipe.batch_size)
    resident = next(batches)
    callbacks = [Schedule(recipe.schedule, [group["lr"] for group in run.optimizer.param_groups]), Progress()]
    tell(callbacks, "on_epoch_begin", run)

    def ours(steps: int) -> None:
        for batch in islice(batches, steps):
            train_batch(run, plan, callbacks, *batch)

    def limit(steps: int) -> None:
        for _ in range(steps):
            take_step(run, plan, *resident)

    return ours, limit, str(plan.arithmetic)


def measure(loops: list[Callable[[int], None]], steps: int, rounds: int, device: torch.device) -> list[list]:
    """Return the seconds of every loop in every round; the loops take turns, in changing order."""
    spent: list[list[float]] = [[] for _ in loops]
    for number in range(rounds + 1):
        order = range(len(loops)) if number % 2 else reversed(range(len(loops)))
        for place in order:
            started = perf_counter()
            loops[place](steps)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if number:  # the first round warms up
                spent[place].append(perf_counter() - started)
    return spent


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--images", type=Path, help="folder with a folder a class; phantom slices if not given"
    )
    parser.add_argument("--models", nargs="+", choices=MODELS, help="which networks")
    parser.add_argument("--size", type=int, default=128, help="pixels a side")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=8, help="steps of each loop in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    device = resolve_device(arguments.device)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.images
        if folder is None:
            phantom(Path(temporary) / "raw", patients=200, slices=4, size=256, layout="sartaj",
                    corrupt=0, empty=0, foreign_text=0, conflicts=0)  # fmt: skip
            folder = next((Path(temporary) / "raw").glob("**/Training"))
        # ours is written beside the pictures
        work = Path(temporary) / "work"
        work.mkdir()
        (work / "images").symlink_to(folder.resolve())
        data, _ = packed(work / "images", arguments.size)
        print(f"{device_name(device)}, {torch.get_num_threads()} threads; {len(data.train)} images at "
              f"{arguments.size} px, batches of {arguments.batch}; medians of {arguments.rounds} rounds of "
              f"{arguments.steps} steps\n")  # fmt: skip
        print("| model | our arithmetic | (a) notebook, images/s | (b) ours | (c) limit | b / c | b / a |")
        print("|---|---|---|---|---|---|---|")
        for name in arguments.models or (MODELS if device.type == "cuda" else ON_CPU):
            settings = settings_of(name, arguments.size, arguments.batch)
            notebook = NotebookLoop(work / "images", settings, device)
            try:
                with deterministic(device, False):
                    ours, limit, arithmetic = our_loops(data, recipe_from(settings), device, Path(temporary))
                    loops = [notebook, ours, limit]
                    spent = np.array(measure(loops, arguments.steps, arguments.rounds, device))
            finally:
                notebook.close()
            rates = arguments.steps * arguments.batch / np.median(spent, axis=1)
            share, gain = median(spent[2] / spent[1]), median(spent[0] / spent[1])
            print(f"| {name} | {arithmetic} | {rates[0]:.0f} | {rates[1]:.0f} | {rates[2]:.0f} "
                  f"| {share:.2f} | {gain:.2f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
