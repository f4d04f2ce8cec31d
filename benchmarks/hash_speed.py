"""What the checksums of a tree cost beside reading it: SHA-256 of every file relative to `cat`.

    .venv/bin/python benchmarks/hash_speed.py [--files FOLDER ...] [--rounds 9]

A ratio is the time of the stage `checksum` (the whole of it: list, read, hash, write the table; no start of
Python) divided by the time of one process `cat FILE ... > /dev/null` over the same files, both with the files
in the page cache. Below 1.00 the stage is faster than `cat`. Rounds alternate between all kinds of work, and
each round's times are divided by the same round's `cat`: the machine's mood cancels out. Draws phantom
slices of 224 and 512 px where no folder is given.
"""

import argparse
import resource
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

from brainmri.sources.checksum import checksum
from brainmri.sources.files import list_files
from brainmri.sources.phantom import phantom

# 0 is the default: as many as pay.
WORKERS = (0, 1, 2)


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Return the wall and CPU seconds of a piece of work, its child processes included."""

    def cpu() -> float:
        usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(one.ru_utime + one.ru_stime for one in usage)

    before, started = cpu(), perf_counter()
    work()
    return perf_counter() - started, cpu() - before


def measure(folder: Path, rounds: int) -> dict[int, tuple[float, float]]:
    """Return the median ratios (wall, CPU) to `cat` for each number of workers."""
    paths = [str(folder / path) for path in list_files(folder)]
    found: dict[int, list[tuple[float, float]]] = {workers: [] for workers in WORKERS}
    with tempfile.TemporaryDirectory() as temporary:
        table = Path(temporary) / "checksums.parquet"
        for number in range(rounds + 1):
            base = seconds(lambda: subprocess.run(["cat", *paths], stdout=subprocess.DEVNULL, check=True))
            for workers, ratios in found.items():
                spent = seconds(lambda workers=workers: checksum("tree", folder, table, workers=workers))
                if number:  # The first round warms the page cache.
                    ratios.append((spent[0] / base[0], spent[1] / base[1]))
    return {workers: tuple(map(median, zip(*ratios, strict=True))) for workers, ratios in found.items()}


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=Path, nargs="+", help="folders of files; phantom slices if not given")
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folders = arguments.files or []
        for size in () if folders else (224, 512):
            folders.append(Path(temporary) / str(size))
            phantom(folders[-1], patients=500, slices=6, size=size)
        print(
            "| files | KiB a file | workers | time / cat (wall) | time / cat (CPU) |\n|---|---|---|---|---|"
        )
        for folder in folders:
            sizes = [(folder / path).stat().st_size for path in list_files(folder)]
            for workers, (wall, cpu) in measure(folder, arguments.rounds).items():
                mean = sum(sizes) / len(sizes) / 1024
                print(f"| {len(sizes)} | {mean:.1f} | {workers or 'default'} | {wall:.2f} | {cpu:.2f} |")


if __name__ == "__main__":
    main()
