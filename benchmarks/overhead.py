"""What the pipeline itself costs, beside the work of its jobs.

    .venv/bin/python benchmarks/overhead.py [--study study.yaml] [--cores 2] [--rounds 5] [--work FOLDER]

1. `snakemake` on a study in which all is up to date, relative to `snakemake --version`: medians of so many
   rounds, in turn. The limit is 1.5 times that, and 2 seconds.
2. The share of a study's wall time, from nothing to its page, in which no job was at work: the calling of
   Snakemake, its planning and its gaps, by the records that the jobs left (`brainmri.events`). The start of
   Python in each job counts as the pipeline's, and so do the shells around them. The aim is under 5 %.

Runs the study once in FOLDER, a temporary one where none is given; config/config.yaml where no study is.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter, time

import yaml

from brainmri.attempts import attempts_of

ROOT = Path(__file__).parents[1]
SNAKEMAKE = Path(sys.executable).with_name("snakemake")
FACTOR_LIMIT, SECONDS_LIMIT, SHARE_AIM = 1.5, 2.0, 0.05


def seconds(*words: str | Path) -> float:
    """Return the seconds that Snakemake takes; an error of its ends the benchmark."""
    started = perf_counter()
    done = subprocess.run([SNAKEMAKE, *words], cwd=ROOT, capture_output=True, text=True, env=dict(os.environ))
    if done.returncode:
        raise SystemExit(f"snakemake failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return perf_counter() - started


def working_seconds(logs: Path, begun: float) -> tuple[float, int]:
    """Return the seconds since `begun` in which a job was at work, and how many jobs there were."""
    spans = []
    for record in logs.rglob("*.jsonl"):
        for attempt in attempts_of(record):
            start = attempt.began.timestamp()
            if start >= begun and attempt.end:
                spans.append((start, start + attempt.end["wall_seconds"]))
    covered, until = 0.0, begun
    for start, end in sorted(spans):
        covered += max(0.0, end - max(start, until))
        until = max(until, end)
    return covered, len(spans)


def main() -> None:
    """Measure and print two lines."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--study", type=Path, default=ROOT / "config" / "config.yaml")
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", type=Path, help="where to run it; must hold no study of that name yet")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = arguments.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        name = yaml.safe_load(arguments.study.read_text(encoding="utf-8"))["study"]
        if (work / "results" / name).exists():
            raise SystemExit(f"{work} holds the study {name} already: name another folder.")
        command = ["--snakefile", ROOT / "Snakefile", "--directory", work, "--cores", str(arguments.cores)]
        command += ["--configfile", arguments.study.resolve(), "--resources", "gpu=1"]
        command += ["--workflow-profile", ROOT / "profiles" / "default"]
        begun = time()
        whole = seconds(*command)
        worked, jobs = working_seconds(work / "logs", begun)
        pairs = [(seconds("--version"), seconds(*command)) for _ in range(arguments.rounds)]
    version, idle = (median(times) for times in zip(*pairs, strict=True))
    limit = FACTOR_LIMIT * version + SECONDS_LIMIT
    print(
        f"up to date: {idle:.2f} s; snakemake --version: {version:.2f} s; limit {limit:.2f} s: "
        f"{'met' if idle <= limit else 'missed'}"
    )
    share = (whole - worked) / whole
    print(
        f"the study {name}, {jobs} jobs on {arguments.cores} cores: {whole:.1f} s, {worked:.1f} s at "
        f"work; the pipeline's share {100 * share:.1f} %, aim under {100 * SHARE_AIM:.0f} %: "
        f"{'met' if share < SHARE_AIM else 'missed'}"
    )


if __name__ == "__main__":
    main()
