"""What a stratified group split costs and how near it comes, beside scikit-learn's StratifiedGroupKFold.

    .venv/bin/python benchmarks/split_speed.py [--largest 10000000]

Patients have from 1 to some hundred images, one in ten of them images of two classes. Both tools divide the
same images into five equal parts, scikit-learn at 100 000 rows alone: a million would take it minutes.
Growth is the time at one size over the time at the size before; memory is the peak of a process of its own,
less what it held before the split.
"""

import argparse
import resource
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from time import perf_counter

import numpy as np
import pandas as pd

from brainmri.splits.assignment import assign_groups, share_deviation

PARTS = 5
SHARES = {f"fold {index}": 1 / PARTS for index in range(PARTS)}
PEER_ROWS = 100_000


def drawn_images(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the group and the class of each image, both strings."""
    generator = np.random.default_rng(0)
    # Pareto-like sizes: most patients have a few images, some have hundreds.
    sizes = np.minimum(1 + generator.pareto(1.2, rows), 400).astype(int)
    sizes = sizes[: np.searchsorted(np.cumsum(sizes), rows) + 1]
    group = np.repeat(np.arange(len(sizes)), sizes)[:rows]
    first, second = generator.choice(4, (2, len(sizes)), p=[0.4, 0.3, 0.2, 0.1])
    is_mixed = generator.random(len(sizes)) < 0.1
    takes_second = is_mixed[group] & (generator.random(rows) < 0.5)
    label = np.where(takes_second, second[group], first[group])
    order = generator.permutation(rows)
    names = np.array([f"patient-{number:08d}" for number in range(len(sizes))], object)
    return names[group[order]], np.array(["a", "b", "c", "d"], object)[label[order]]


def measure_ours(rows: int) -> dict:
    """Return seconds, deviation and peak memory (MB) of our split of so many rows."""
    groups, labels = drawn_images(rows)
    assign_groups(groups[:1000], labels[:1000], SHARES, seed=0)  # Imports and caches.
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = perf_counter()
    parts = assign_groups(groups, labels, SHARES, seed=0)
    seconds = perf_counter() - started
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    deviation = share_deviation(pd.Series(parts), pd.Series(labels), SHARES)
    return {"rows": rows, "seconds": seconds, "deviation": deviation, "memory": memory}


def measure_peer(rows: int) -> dict:
    """Return seconds and deviation of scikit-learn's split of so many rows."""
    from sklearn.model_selection import StratifiedGroupKFold

    groups, labels = drawn_images(rows)
    started = perf_counter()
    parts = np.empty(rows, object)
    folds = StratifiedGroupKFold(PARTS, shuffle=True, random_state=0).split(labels, labels, groups)
    for name, (_, test) in zip(SHARES, folds, strict=True):
        parts[test] = name
    seconds = perf_counter() - started
    return {
        "seconds": seconds,
        "deviation": share_deviation(pd.Series(parts), pd.Series(labels), SHARES),
    }


def alone(measure, rows: int) -> dict:
    """Measure in a fresh process, so that its peak memory is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, rows).result()


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--largest", type=int, default=1_000_000, help="rows of the largest split")
    largest = parser.parse_args().largest
    ours = [
        alone(measure_ours, rows) for rows in (PEER_ROWS, 10 * PEER_ROWS, 100 * PEER_ROWS) if rows <= largest
    ]
    peer = alone(measure_peer, PEER_ROWS)
    print("| rows | seconds | growth | largest deviation | peak memory |\n|---|---|---|---|---|")
    for now, before in zip(ours, [None, *ours], strict=False):
        growth = f"{now['seconds'] / before['seconds']:.1f}" if before else "–"
        cells = [now["rows"], f"{now['seconds']:.2f}", growth, f"{now['deviation']:.1e}"]
        print("|", *(f"{cell} |" for cell in cells), f"{now['memory']:.0f} MB |")
    print(
        f"\nscikit-learn at {PEER_ROWS} rows: {peer['seconds'] / ours[0]['seconds']:.0f} times our time, "
        f"largest deviation {peer['deviation']:.1e}"
    )


if __name__ == "__main__":
    main()
