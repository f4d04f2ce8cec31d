"""What the audit of plain copies costs beside decoding the files once: ratios of CPU time inside one run.

    .venv/bin/python benchmarks/plain_audit_speed.py --work FOLDER [--files FOLDER] [--rounds 5]

Plain copies are those equal by bytes or pixels, re-encoded, resized, re-toned, mirrored, or turned by
quarters: what the stage `audit` looks for before it aligns images. It starts from the inventory and the
packed array, as the stage does; what it takes to pack the array is told besides. 1.00 is
`cv2.imdecode(bytes, IMREAD_GRAYSCALE)` of all files, whose bytes lie in memory. The inventory and the array
are made once, under `--work`. Draws 7000 phantom slices of 224 px where no folder is given.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import process_time

import cv2
import numpy as np
from stages import ARRAY, AUDIT_SIZE, prepared

from brainmri.audit.audit import packed_images, usable_images
from brainmri.audit.copies import exact_copies
from brainmri.audit.search import plain_pairs
from brainmri.images.box import CropSettings
from brainmri.images.crop import pack
from brainmri.sources.phantom import phantom

LIMIT = 3


def cpu(work: Callable[[], object]) -> float:
    """Return the CPU seconds that a piece of work takes."""
    started = process_time()
    work()
    return process_time() - started


def measure(raw: Path, work: Path, rounds: int) -> tuple[int, dict[str, float]]:
    """Return the number of images, and the median ratio to decoding of each piece of work."""
    inventory = work / "inventory.parquet"
    listed = usable_images(inventory)
    names = listed["image_id"].tolist()
    files = list(zip(names, listed["sha256"].tolist(), strict=True))
    blobs = [(raw / name).read_bytes() for name in names]

    def exact() -> None:
        exact_copies(usable_images(inventory))

    def searched() -> None:
        table = usable_images(inventory)
        images = packed_images(work / ARRAY, table)
        _, first = np.unique(table["pixel_sha256"].to_numpy(str), return_index=True)
        plain_pairs([images[row] for row in np.sort(first)])

    def packed() -> None:
        with tempfile.TemporaryFile() as file:
            pack(raw, files, file, AUDIT_SIZE, CropSettings(method="none"), 1)

    kinds = {"bytes, pixels": exact, "near, mirrored, turned": searched}
    whole, packing = "all plain kinds", f"(packing at {AUDIT_SIZE} px: rule `shrink`)"
    found: dict[str, list[float]] = {name: [] for name in (*kinds, whole, packing)}
    for _ in range(rounds):
        decode = cpu(
            lambda: [cv2.imdecode(np.frombuffer(blob, np.uint8), cv2.IMREAD_GRAYSCALE) for blob in blobs]
        )
        ratios = {name: cpu(kind) / decode for name, kind in kinds.items()}
        ratios |= {whole: sum(ratios.values()), packing: cpu(packed) / decode}
        for name, ratio in ratios.items():
            found[name].append(ratio)
    return len(names), {name: median(ratios) for name, ratios in found.items()}


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True, help="where inventory and packed array lie")
    parser.add_argument("--files", type=Path, help="folder of images; phantom slices where not given")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    raw = arguments.files or arguments.work / "raw"
    if not raw.exists():
        phantom(raw, patients=1075, slices=6, size=224)
    prepared(raw, arguments.work)
    cv2.setNumThreads(1)
    count, ratios = measure(raw, arguments.work, arguments.rounds)
    print(f"{count} images, medians of {arguments.rounds} rounds, decoding them once is 1.00 (CPU time).\n")
    print("| looked for | ratio | limit |\n|---|---|---|")
    for name, ratio in ratios.items():
        print(f"| {name} | {ratio:.2f} | {f'at most {LIMIT}' if name.startswith('all') else ''} |")


if __name__ == "__main__":
    main()
