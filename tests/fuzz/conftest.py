"""How much is tried: the numbers of every day, or as many times more as is asked for."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NEEDED = (HERE, HERE.parent / "faults", HERE.parent / "images")


def pytest_addoption(parser):
    parser.addoption(
        "--fuzz-rounds", type=int, default=1, help="how many times as much as every day (pytest tests/fuzz)"
    )


@pytest.fixture
def attempts(request, tmp_path):
    """Return a function that runs attempts of an area in a process of their own, and checks their report."""

    def run(area: str, count: int) -> dict[str, int]:
        # pytest knows the option only where it is asked for this folder.
        rounds = request.config.getoption("--fuzz-rounds", default=1)
        path = os.pathsep.join([*map(str, NEEDED), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            [sys.executable, "-W", "ignore", HERE / "guarded.py", area, tmp_path, "0", str(count * rounds)],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"},
        )
        if done.returncode:
            last = (tmp_path / "current").read_text() if (tmp_path / "current").exists() else "the first"
            pytest.fail(
                f"attempt {last} of {area} ended the process ({done.returncode}): {done.stderr[-3000:]}"
            )
        report = json.loads(done.stdout.splitlines()[-1])
        told = "\n\n".join(f"{area} {number}: {what}" for number, what in report["offences"])
        assert not report["count"], f"{report['count']} offences, the first:\n{told}"
        return report["endings"]

    return run
