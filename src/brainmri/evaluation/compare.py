"""The stage `compare`: tables of all trainings, of pairs of models, of protocols, of data sets."""

from pathlib import Path

import pandas as pd
import pyarrow as pa

from brainmri.artefacts import read_json, write_parquet
from brainmri.errors import BrainmriError
from brainmri.evaluation.bootstrap import check_resamples
from brainmri.evaluation.external import EXTERNAL_SCHEMA, external_table
from brainmri.evaluation.leakage import LEAKAGE_SCHEMA, leakage_table
from brainmri.evaluation.metrics import OVERALL_METRICS
from brainmri.evaluation.paired import PAIRS_SCHEMA, pairs_table
from brainmri.evaluation.predictions import PARTS
from brainmri.evaluation.tested import read_tested
from brainmri.mapping import fits, is_number
from brainmri.seeds import check_seed

IDENTITY = ("dataset", "split", "protocol", "model", "seed")
METRICS = (*OVERALL_METRICS, "macro_auroc", "macro_average_precision", "log_loss", "brier", "ece", "aurc")
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


def compare(
    metrics: list[Path],
    output: Path,
    predictions: list[Path] | None = None,
    baselines: list[Path] | None = None,
    pairs: Path | None = None,
    leakage: Path | None = None,
    resamples: int = 2000,
    seed: int = 0,
    applied: list[Path] | None = None,
    external: Path | None = None,
) -> None:
    """Compare all trainings: their metrics, models, protocols and data sets with each other.

    Parameters
    ----------
    metrics
        The ``metrics.json`` of each training.
    output
        Where to write ``comparison.parquet``: a row for each part (val, test) of each training, sorted by
        what was trained.
    predictions
        The ``predictions.parquet`` of each training, in the order of `metrics`; for `pairs` and `leakage`.
    baselines
        The ``baselines.parquet`` of splits, which `pairs` compares the models with.
    pairs
        Where to write ``pairs.parquet``: a row for every two models of a split, and for each model and
        baseline.
    leakage
        Where to write ``leakage.parquet``: a row for each model under a protocol that leaks and one that
        does not.
    resamples
        Number of bootstrap resamples, at least 100.
    seed
        Of the resampling.
    applied
        What models say of data sets that they are not from, as `predict_external` writes it.
    external
        Where to write ``external.parquet``: what they score there and at home. Empty where none was applied.

    Raises
    ------
    BrainmriError
        If a file is not what its stage writes, two are of the same training, or they do not fit together.
    """
    if not metrics:
        raise BrainmriError("There is nothing to compare: name at least one metrics.json.")
    check_resamples(resamples)
    check_seed(seed)
    if (pairs or leakage or external) and not predictions:
        raise BrainmriError(
            "Pairs, leakage and external validation are told from predictions: name those of each training."
        )
    table = metrics_table(metrics)
    # All is computed before anything is written: no table is left beside an older one.
    documents = [(table, output, COMPARISON_SCHEMA, metrics)]
    if pairs or leakage:
        inputs = [*metrics, *predictions, *(baselines or [])]
        tested = read_tested(metrics, predictions, baselines or [])
        if pairs:
            documents.append((pairs_table(tested, resamples, seed), pairs, PAIRS_SCHEMA, inputs))
        if leakage:
            documents.append((leakage_table(tested, resamples, seed), leakage, LEAKAGE_SCHEMA, inputs))
    if external:
        told = external_table(metrics, predictions, applied or [], resamples, seed)
        documents.append((told, external, EXTERNAL_SCHEMA, [*metrics, *predictions, *(applied or [])]))
    for frame, path, schema, inputs in documents:
        config = {} if path == output else {"resamples": resamples, "seed": seed}
        write_parquet(frame, path, config=config, inputs=inputs, schema=schema)


def metrics_table(metrics: list[Path]) -> pd.DataFrame:
    """Return the rows of ``comparison.parquet``."""
    rows, seen = [], {}
    for path in metrics:
        document = read_json(path)
        try:
            identity = {name: document["identity"][name] for name in IDENTITY}
            if not all(fits(int if name == "seed" else str, value) for name, value in identity.items()):
                raise TypeError
            training = tuple(identity.values())
            if training in seen:
                raise BrainmriError(f"{path} and {seen[training]} are metrics of one training. Drop one.")
            seen[training] = path
            rows += [
                {**identity, "part": part, **part_row(document[part])} for part in PARTS if part in document
            ]
        except KeyError as error:
            raise BrainmriError(f"{path} lacks {error}: run evaluate again.") from error
        except (TypeError, AttributeError) as error:
            raise BrainmriError(f"{path} holds what evaluate does not write: run it again.") from error
    table = pd.DataFrame(rows, columns=COMPARISON_SCHEMA.names)
    return table.sort_values([*IDENTITY, "part"], ignore_index=True)


def part_row(part: dict) -> dict[str, float | None]:
    """Return the columns of one part of a metrics.json."""
    row = {"n_images": part["n_images"], "n_groups": part["n_groups"]}
    if not all(fits(int, count) for count in row.values()):
        raise TypeError
    for name in METRICS:
        row[name] = part[name]["value"]
        row[f"{name}_low"], row[f"{name}_high"] = part[name]["low"], part[name]["high"]
    row |= {name: part["calibration"][name] for name in CALIBRATION}
    if not all(value is None or is_number(value) for value in row.values()):
        raise TypeError
    return row
