"""The real stages on a folder of images, for the benchmarks: the one place that knows how they are called."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from brainmri.jobs import AUDIT_SIZE

ARRAY = f"whole_{AUDIT_SIZE}.npy"


@dataclass(frozen=True)
class Usage:
    """What a process took.

    Attributes
    ----------
    wall, cpu : float
        Seconds on the clock, and of all its threads together.
    peak_mib : float
        Its largest resident memory.
    """

    wall: float
    cpu: float
    peak_mib: float


def run_stage(command: str, **options) -> Usage:
    """Run one sub-command of `brainmri` in a process of its own; an error of its ends the benchmark."""
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    started = perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "brainmri.cli", command, *words], stderr=subprocess.PIPE
    )
    told = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"brainmri {command} failed:\n{told.decode(errors='replace')}")
    # Linux tells KiB.
    return Usage(perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def prepared(raw: Path, work: Path, workers: int = 0) -> None:
    """Make what the audit reads from a folder of images, where it is not there yet."""
    checksums, inventory, images = (work / name for name in ("checksums.parquet", "inventory.parquet", ARRAY))
    if not checksums.exists():
        run_stage("checksum", dataset="benchmark", raw=raw, output=checksums, workers=workers)
    if not inventory.exists():
        run_stage("inventory", raw=raw, checksums=checksums, output=inventory, workers=workers)
    if not images.exists():
        run_stage(
            "crop",
            raw=raw,
            inventory=inventory,
            images=images,
            crops=images.with_suffix(".parquet"),
            size=AUDIT_SIZE,
            settings=json.dumps({"method": "none"}),
            workers=workers,
        )


def audited(work: Path) -> Usage:
    """Run the audit on what `prepared` made; write `duplicates.parquet`, `groups.parquet` and the rest."""
    return run_stage(
        "audit",
        inventory=work / "inventory.parquet",
        images=work / ARRAY,
        duplicates=work / "duplicates.parquet",
        groups=work / "groups.parquet",
        rejected=work / "rejected.parquet",
        output=work / "audit.json",
    )
