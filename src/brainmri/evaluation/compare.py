"""The stage `compare`: one table of all data sets, splits, models and seeds."""

from pathlib import Path

import pandas as pd
import pyarrow as pa

from brainmri.artefacts import read_json, write_parquet
from brainmri.errors import BrainmriError
from brainmri.evaluation.metrics import OVERALL_METRICS
from brainmri.evaluation.predictions import PARTS

IDENTITY = ("dataset", "split", "protocol", "model", "seed")
METRICS = (*OVERALL_METRICS, "macro_auroc", "macro_average_precision", "log_loss", "brier")
CALIBRATION = ("temperature", "ece_before", "ece_after")

COMPARISON_SCHEMA = pa.schema(
    [
        *((name, pa.int64() if name == "seed" else pa.string()) for name in IDENTITY),
        ("part", pa.string()),
        ("n_images", pa.int64()),
        ("n_groups", pa.int64()),
        *((name + suffix, pa.float64()) for name in METRICS for suffix in ("", "_low", "_high")),
        *((name, pa.float64()) for name in CALIBRATION),
    ]
)


def compare(metrics: list[Path], output: Path) -> None:
    """Write one row for each part (val, test) of each training, sorted by what was trained.

    Parameters
    ----------
    metrics
        The ``metrics.json`` of each training.
    output
        Where to write ``comparison.parquet``.

    Raises
    ------
    BrainmriError
        If a file is not what `evaluate` writes, or two are of the same training.
    """
    if not metrics:
        raise BrainmriError("There is nothing to compare: name at least one metrics.json.")
    rows, seen = [], {}
    for path in metrics:
        document = read_json(path)
        try:
            identity = {name: document["identity"][name] for name in IDENTITY}
            training = tuple(identity.values())
            if training in seen:
                raise BrainmriError(f"{path} and {seen[training]} are metrics of one training. Drop one.")
            seen[training] = path
            rows += [
                {**identity, "part": part, **part_row(document[part])} for part in PARTS if part in document
            ]
        except (KeyError, TypeError, AttributeError) as error:
            raise BrainmriError(f"{path} lacks {error}: run evaluate again.") from error
    table = pd.DataFrame(rows, columns=COMPARISON_SCHEMA.names)
    table = table.sort_values([*IDENTITY, "part"], ignore_index=True)
    write_parquet(table, output, config={}, inputs=metrics, schema=COMPARISON_SCHEMA)


def part_row(part: dict) -> dict[str, float | None]:
    """Return the columns of one part of a metrics.json."""
    row = {"n_images": part["n_images"], "n_groups": part["n_groups"]}
    for name in METRICS:
        row[name] = part[name]["value"]
        row[f"{name}_low"], row[f"{name}_high"] = part[name]["low"], part[name]["high"]
    return row | {name: part["calibration"][name] for name in CALIBRATION}
