"""What preparation costs beside decoding alone, and what a second core brings: ratios inside one run.

    .venv/bin/python benchmarks/prepare_speed.py [--images FOLDER] [--size 224]

Draws phantom slices where no folder is given. All kinds of work are measured in turn, round after round,
on the same images, and each round's times are divided by the same round's decode: the machine's mood
cancels out.
"""

import argparse
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import cv2

from brainmri.images.box import CropSettings, find_box
from brainmri.images.decode import decode_gray
from brainmri.images.prepare import prepare_image
from brainmri.sources.phantom import phantom

ROUNDS = 5


def timed(work: Callable[[], object], clock: Callable[[], float]) -> float:
    """Return the seconds that a piece of work takes by a clock."""
    started = clock()
    work()
    return clock() - started


def measure(blobs: list[bytes], size: int) -> dict[str, float]:
    """Return the median ratio of each kind of work to decoding alone."""
    settings = CropSettings()
    grays = [decode_gray(blob, "benchmark") for blob in blobs]

    def whole(blob: bytes) -> None:
        prepare_image(decode_gray(blob, "benchmark"), size, settings)

    def in_threads(count: int) -> None:
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(whole, blobs, chunksize=16))

    kinds = {
        "decode": lambda: [decode_gray(blob, "benchmark") for blob in blobs],
        "head box": lambda: [find_box(gray, settings) for gray in grays],
        "box + resize": lambda: [prepare_image(gray, size, settings) for gray in grays],
        "decode + box + resize": lambda: [whole(blob) for blob in blobs],
    }
    rounds: dict[str, list[float]] = {name: [] for name in [*kinds, "two threads against one (wall)"]}
    for _ in range(ROUNDS):
        decode = timed(kinds["decode"], process_time)
        for name, work in kinds.items():
            rounds[name].append(timed(work, process_time) / decode)
        one, two = (timed(lambda count=count: in_threads(count), perf_counter) for count in (1, 2))
        rounds["two threads against one (wall)"].append(one / two)
    return {name: median(values) for name, values in rounds.items()}


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=Path, help="folder of images; phantom slices where not given")
    parser.add_argument("--size", type=int, default=224, help="pixels a side of the prepared images")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.images
        if folder is None:
            folder = Path(temporary) / "phantom"
            phantom(folder, patients=60, slices=6, size=512, corrupt=0, empty=0, foreign_text=0)
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
        blobs = [path.read_bytes() for path in files[:2000]]
    print(f"{len(blobs)} images, prepared at {arguments.size} px; median of {ROUNDS} rounds\n")
    print("| work | ratio |\n|---|---|")
    for name, ratio in measure(blobs, arguments.size).items():
        print(f"| {name} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
