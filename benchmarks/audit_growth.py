"""How the audit grows with a set: its time beside decoding the set once, and its memory.

    .venv/bin/python benchmarks/audit_growth.py --work FOLDER [--sizes 7000 20000 50000 100000]

Draws phantom sets of so many files (128 px, a copy of every tenth slice, no patient in a file's name), and
runs the real stages on each. Sets, tables and results stay in the folder given: a second call goes on where
the first one ended. `--draw` draws and prepares only, `--again` audits anew what was measured before.
"""

import argparse
import json
from dataclasses import asdict
from math import log
from pathlib import Path
from time import process_time

import cv2
from stages import audited, prepared, run_stage

from brainmri.images.decode import decode_gray

SIZES = (7_000, 20_000, 50_000, 100_000)
# A set so small that its audit is nothing but the start of a process.
START = 11
SLICES = 5
COPIES = 0.1
PIXELS = 128


def draw(work: Path, size: int, workers: int) -> None:
    """Draw a set of about so many files and prepare it, where this was not done before."""
    folder = work / str(size)
    if not (folder / "raw").exists():
        run_stage(
            "phantom",
            output=folder / "raw",
            truth=folder / "truth.parquet",
            patients=round(size / (1 + COPIES) / SLICES),
            slices=SLICES,
            size=PIXELS,
            copies=COPIES,
            layout="masoud",
            corrupt=0,
            empty=0,
            foreign_text=0,
            workers=workers,
        )
    prepared(folder / "raw", folder, workers)


def decode_seconds(raw: Path) -> tuple[int, float]:
    """Return how many files a set has, and the CPU seconds of one thread that reads and decodes all once."""
    cv2.setNumThreads(1)
    files = sorted(raw.rglob("*.jpg"))
    started = process_time()
    for path in files:
        decode_gray(path.read_bytes(), path.name)
    return len(files), process_time() - started


def measure(work: Path, size: int) -> dict:
    """Audit one prepared set, and return what it took."""
    folder = work / str(size)
    files, decode = decode_seconds(folder / "raw")
    return {"files": files, "decode_cpu": decode, "audit": asdict(audited(folder))}


def table(results: dict[str, dict]) -> str:
    """Return the results as a Markdown table, smallest set first, without what the start of a process costs.

    The exponent e of a row says that time grew as (number of files) ** e since the row above.
    """
    start = results[str(START)]["audit"]
    lines = [
        f"Taken off: {start['cpu']:.1f} s CPU and {start['peak_mib']:.0f} MiB, an audit of {START} files.\n",
        "| files | audit / decode (CPU) | audit / decode (wall) | growth exponent (CPU) | peak memory, MiB "
        "| memory a file, KiB |",
        "|---|---|---|---|---|---|",
    ]
    before = None
    for size in sorted(set(results) - {str(START)}, key=int):
        audit, files, decode = results[size]["audit"], results[size]["files"], results[size]["decode_cpu"]
        cpu, peak = (audit[name] - start[name] for name in ("cpu", "peak_mib"))
        exponent = "" if before is None else f"{log(cpu / before[1]) / log(files / before[0]):.2f}"
        lines.append(
            f"| {files} | {cpu / decode:.2f} | {audit['wall'] / decode:.2f} | {exponent} "
            f"| {audit['peak_mib']:.0f} | {peak * 1024 / files:.1f} |"
        )
        before = files, cpu
    return "\n".join(lines)


def main() -> None:
    """Draw, measure and print a Markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True, help="folder for sets, tables and results")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="files in each set")
    parser.add_argument("--workers", type=int, default=0, help="processes that draw and threads that prepare")
    parser.add_argument("--draw", action="store_true", help="draw and prepare only")
    parser.add_argument("--again", action="store_true", help="audit these sizes anew")
    arguments = parser.parse_args()
    sizes = [START, *arguments.sizes]
    for size in sizes:
        draw(arguments.work, size, arguments.workers)
    if arguments.draw:
        return
    stored = arguments.work / "results.json"
    results = json.loads(stored.read_text()) if stored.exists() else {}
    for size in sizes:
        if arguments.again or str(size) not in results:
            results[str(size)] = measure(arguments.work, size)
            stored.write_text(json.dumps(results, indent=2))
    print(table({size: row for size, row in results.items() if int(size) in sizes}))


if __name__ == "__main__":
    main()
