"""What `dvc pull` from S3 takes: one packed array beside the single files it was made from.

    .venv/bin/python benchmarks/pull_speed.py [--images FOLDER] [--size 224] [--latency 0] [--rounds 3]

An S3 of moto on this machine holds both: the image files of a set, as `dvc add` of a folder takes them, and
their packed array of `size` pixels a side, as the stage `crop` makes it. Each is pulled into an empty clone
with an empty cache, in turn, the array in parts at a time and in one piece. The limit: the array takes less
than a tenth of the files' time. The server answers at memory's speed (each range of an object from what it
read once), and `latency` milliseconds late: a real S3 takes 100 to 200 for a small object (Amazon, "Best
practices design patterns: optimizing Amazon S3 performance"). Draws 7000 phantom slices where no folder is
given.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from stages import prepared, run_stage

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "workflow"))
from local_s3 import KEYS, local_s3

LIMIT = 0.1


def run(folder: Path, *command: str) -> None:
    """Run a command of this environment in a folder; an error of its ends the benchmark."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, cwd=folder, env=os.environ | KEYS | {"PATH": path}, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"`{' '.join(command)}` failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def packed(images: Path, work: Path, size: int) -> Path:
    """Pack a folder of images as the stage `crop` does; return the array's file."""
    prepared(images, work)
    array = work / f"packed_{size}.npy"
    run_stage(
        "crop",
        raw=images,
        inventory=work / "inventory.parquet",
        images=array,
        crops=array.with_suffix(".parquet"),
        size=size,
        settings=json.dumps({"method": "contour"}),
    )
    return array


def pull_seconds(origin: Path, clone: Path, *target: str) -> float:
    """Return the seconds that `dvc pull` of a target takes in a clone that has nothing yet."""
    run(clone.parent, "git", "clone", "--quiet", str(origin), str(clone))
    started = perf_counter()
    run(clone, "dvc", "pull", "--quiet", *target)
    seconds = perf_counter() - started
    shutil.rmtree(clone)
    return seconds


def main() -> None:
    """Measure and print a line for each way, and the ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=Path, help="the image files of a set")
    parser.add_argument("--size", type=int, default=224, help="pixels a side of the packed array")
    parser.add_argument("--latency", type=float, default=0, help="milliseconds before each answer")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with TemporaryDirectory() as temporary, local_s3("store", options.latency / 1000) as address:
        work, origin = Path(temporary), Path(temporary) / "origin"
        images = options.images or work / "phantom"
        if not options.images:
            run_stage("phantom", output=images, patients=1400, slices=5, size=224)
        array = packed(images.resolve(), work, options.size)
        shutil.copytree(images, origin / "raw")
        shutil.copy(array, origin / "packed.npy")
        for command in (
            "git init --quiet",
            "git config user.name benchmark",
            "git config user.email benchmark@example.org",
            "dvc init --quiet",
            "dvc remote add --default store s3://store/brainmri",
            f"dvc remote modify store endpointurl {address}",
            "dvc add --quiet raw packed.npy",
            "git add --all",
            "git commit --quiet --message both",
            "dvc push --quiet",
        ):
            run(origin, *command.split())
        ways = (["raw.dvc"], ["packed.npy.dvc"], ["packed.npy.dvc", "--jobs", "1"])
        rounds = [
            [pull_seconds(origin, work / "clone", *target) for target in ways] for _ in range(options.rounds)
        ]
        files = [path for path in (origin / "raw").rglob("*") if path.is_file()]
        sizes = [sum(path.stat().st_size for path in files) / 2**20, array.stat().st_size / 2**20]
    print(f"{len(files)} single files, {sizes[0]:.0f} MiB: {median(times[0] for times in rounds):.1f} s")
    print(f"one packed array of {options.size} px, {sizes[1]:.0f} MiB, of the files' time (limit {LIMIT}):")
    for place, words in ((1, "in parts at a time, as DVC does by default"), (2, "in one piece (--jobs 1)")):
        ratio = median(times[place] / times[0] for times in rounds)
        seconds = median(times[place] for times in rounds)
        print(f"  {words}: {seconds:.1f} s, {ratio:.3f}, {'met' if ratio < LIMIT else 'missed'}")


if __name__ == "__main__":
    main()
