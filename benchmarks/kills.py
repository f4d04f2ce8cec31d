"""Snakemake killed at random moments of a whole study, over and over, each time followed by the same command.

    .venv/bin/python benchmarks/kills.py [--kills 50] [--seed 0] [--longest 25]

The study is the small one of the tests: every stage, two models under two protocols on a phantom. Each kill
is SIGKILL of Snakemake alone, at a moment drawn evenly from its first seconds; its jobs are left to
themselves, and the same command is given at once. Each time a study ends, all that it made is compared to
the bit with what an undisturbed run made (but for times and the page, which shows them), and the next one
begins from nothing. The limit: every study ends by the same command, with the same artefacts.
"""

import argparse
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

sys.path.extend(str(Path(__file__).parents[1] / "tests" / folder) for folder in ("", "workflow"))
from killed_study import KilledStudy
from phantom_study import SMALL_STUDY


def ended(study: KilledStudy, seconds: float | None) -> bool:
    """Give the command; kill it after so many seconds. Return whether it had come to its end before."""
    process = study.begin()
    try:
        status = process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
    if status:
        raise SystemExit(
            f"the command ended with status {status}:\n{(study.folder / 'told.txt').read_text()}"
        )
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest", type=float, default=25, help="seconds after which a kill comes at last")
    parser.add_argument("--work", type=Path, help="where to keep the studies; else they are thrown away")
    options = parser.parse_args()
    moments = np.random.default_rng(options.seed).uniform(0, options.longest, options.kills)
    with nullcontext(options.work) if options.work else TemporaryDirectory() as folder:
        undisturbed = KilledStudy(Path(folder) / "undisturbed", SMALL_STUDY)
        ended(undisturbed, None)
        wanted, kills, studies, wrong = undisturbed.made(), 0, 0, []
        while kills < options.kills:
            study, here = KilledStudy(Path(folder) / f"study{studies}", SMALL_STUDY), 0
            while not ended(study, float(moments[kills]) if kills < options.kills else None):
                kills, here = kills + 1, here + 1
            made, studies = study.made(), studies + 1
            differing = [name for name in wanted.keys() | made.keys() if wanted.get(name) != made.get(name)]
            wrong += differing
            print(f"study {studies}: {here} kills, {len(made)} files, {len(differing)} differ", flush=True)
            print("".join(f"  {name}\n" for name in sorted(differing)), end="", flush=True)
    print(f"\n{kills} kills, {studies} studies ended by the same command; files that differ: {len(wrong)}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
