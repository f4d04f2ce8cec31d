"""What preparation costs beside decoding alone, beside the reference systems' way, and on two cores.

    .venv/bin/python benchmarks/prepare_speed.py [--images FOLDER ...] [--size 224] [--rounds 5]

1.00 is `cv2.imdecode(bytes, IMREAD_GRAYSCALE)` of bytes that lie in memory: no decoder of OpenCV is leaner.
The whole is `brainmri.images.crop.pack`, all that the stage `crop` does with images: read each file, check
digest and header, decode, find the head, resize, and write the packed array to disk. The reference way is
that of the public notebooks: read and decode in colour, turn gray, blur, threshold, erode, dilate, contour,
resize the colour image, write a JPEG file. Draws phantom slices where no folder is given. All kinds of work
are measured in turn on the same images, round after round, and each round's CPU times are divided by the
same round's decode: the machine's mood cancels out. Only what a second process or thread brings is wall
time: two processes take half of the images each, as the jobs of two data sets do; threads are one job's.
"""

import argparse
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import cv2
import numpy as np

from brainmri.images.box import CropSettings, find_box
from brainmri.images.crop import pack
from brainmri.images.decode import decode_gray
from brainmri.images.prepare import prepare_image
from brainmri.sources.phantom import phantom

SETTINGS = CropSettings()
MOST_IMAGES = 2000
LIMITS = {
    "pack: the whole, from file to packed array": "at most 1.9, aim 1.2",
    "reference way / pack": "at least 5",
    "pack: one process / two (wall)": "at least 1.7",
    "pack: one thread / two (wall)": "at least 1.7",
}


def timed(work: Callable[[], object], clock: Callable[[], float] = process_time) -> float:
    """Return the seconds that a piece of work takes by a clock."""
    started = clock()
    work()
    return clock() - started


def packed(folder: Path, files: list[tuple[str, str]], size: int, workers: int) -> None:
    """Prepare the files as the stage `crop` does."""
    with tempfile.TemporaryFile() as file:
        pack(folder, files, file, size, SETTINGS, workers)


def prepared_by_the_reference(source: Path, target: Path, size: int) -> None:
    """Prepare a file as the public notebooks do, down to the JPEG file."""
    colour = cv2.imread(str(source), cv2.IMREAD_COLOR)
    gray = cv2.GaussianBlur(cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY), (5, 5), 0)
    bright = cv2.threshold(gray, SETTINGS.threshold, 255, cv2.THRESH_BINARY)[1]
    bright = cv2.dilate(cv2.erode(bright, None, iterations=2), None, iterations=2)
    contours, _ = cv2.findContours(bright, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if contours:
        points = max(contours, key=cv2.contourArea)[:, 0]
        (left, top), (right, bottom) = points.min(0), points.max(0)
        colour = colour[top : bottom + 1, left : right + 1]
    cv2.imwrite(str(target), cv2.resize(colour, (size, size), interpolation=cv2.INTER_CUBIC))


def measure(folder: Path, names: list[str], size: int, rounds: int) -> dict[str, float]:
    """Return the median ratios of a set of images."""
    blobs = [(folder / name).read_bytes() for name in names]
    files = [(name, sha256(blob).hexdigest()) for name, blob in zip(names, blobs, strict=True)]
    with (
        tempfile.TemporaryDirectory() as temporary,
        ProcessPoolExecutor(2, get_context("spawn")) as processes,
    ):
        target = Path(temporary) / "image.jpg"
        halves = [files[::2], files[1::2]]

        def packed_by(count: int) -> None:
            running = [processes.submit(packed, folder, part, size, 1) for part in halves[:count]]
            for job in running:
                job.result()

        packed_by(2)  # Both have started and imported what they need.
        kinds = {
            "decode, header checked": lambda: [decode_gray(blob) for blob in blobs],
            "the same + head box": lambda: [find_box(decode_gray(blob), SETTINGS) for blob in blobs],
            "the same + resize": lambda: [prepare_image(decode_gray(blob), size, SETTINGS) for blob in blobs],
            "pack: the whole, from file to packed array": lambda: packed(folder, files, size, 1),
            "reference way": lambda: [
                prepared_by_the_reference(folder / name, target, size) for name in names
            ],
        }
        found: dict[str, list[float]] = {name: [] for name in (*kinds, *LIMITS)}
        for _ in range(rounds):
            decode = timed(
                lambda: [cv2.imdecode(np.frombuffer(blob, np.uint8), cv2.IMREAD_GRAYSCALE) for blob in blobs]
            )
            ratios = {name: timed(work) / decode for name, work in kinds.items()}
            whole = ratios["pack: the whole, from file to packed array"]
            ratios["reference way / pack"] = ratios["reference way"] / whole
            # One process packs half of the images, two pack all.
            one, two = (timed(lambda count=count: packed_by(count), perf_counter) for count in (1, 2))
            ratios["pack: one process / two (wall)"] = 2 * one / two
            one, two = (
                timed(lambda count=count: packed(folder, files, size, count), perf_counter)
                for count in (1, 2)
            )
            ratios["pack: one thread / two (wall)"] = one / two
            for name, ratio in ratios.items():
                found[name].append(ratio)
    return {name: median(values) for name, values in found.items()}


def main() -> None:
    """Measure and print a Markdown table, a column a set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=Path, nargs="+", help="folders; phantom slices where not given")
    parser.add_argument("--size", type=int, default=224, help="pixels a side of the prepared images")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    columns = {}
    with tempfile.TemporaryDirectory() as temporary:
        folders = arguments.images or [Path(temporary) / "phantom, 512 px"]
        if not arguments.images:
            phantom(folders[0], patients=150, slices=6, size=512, corrupt=0, empty=0, foreign_text=0)
        for folder in folders:
            names = sorted(
                str(path.relative_to(folder))
                for path in folder.rglob("*")
                if path.suffix.lower() in (".jpg", ".jpeg", ".png")
            )
            step = -(-len(names) // MOST_IMAGES)  # From all classes, not the first of them.
            names = names[::step]
            title = f"{os.path.relpath(folder) if arguments.images else folder.name}, {len(names)} images"
            columns[title] = measure(folder, names, arguments.size, arguments.rounds)
    print(f"Prepared at {arguments.size} px, medians of {arguments.rounds} rounds, decoding alone is 1.00.\n")
    print(f"| work | {' | '.join(columns)} | limit |\n|---|{'---|' * len(columns)}---|")
    for name in next(iter(columns.values())):
        cells = " | ".join(f"{column[name]:.2f}" for column in columns.values())
        print(f"| {name} | {cells} | {LIMITS.get(name, '')} |")


if __name__ == "__main__":
    main()
