"""The stage `evaluate`: metrics with intervals, of the validation and the test part."""

from pathlib import Path

import numpy as np

from brainmri.artefacts import write_json, write_parquet
from brainmri.errors import BrainmriError
from brainmri.evaluation.bootstrap import Grouping, check_resamples, grouping_of, observed_and_resampled
from brainmri.evaluation.calibration import calibration_error, reliability
from brainmri.evaluation.curves import CURVES_SCHEMA, curves_table
from brainmri.evaluation.differences import group_counts
from brainmri.evaluation.entries import entry
from brainmri.evaluation.metric_intervals import (
    RANKINGS,
    bounded_interval,
    metric_interval,
    proportion_interval,
    ranking_interval,
)
from brainmri.evaluation.metrics import class_metrics, confusion_counts, overall_metrics
from brainmri.evaluation.model_inputs import read_calibration
from brainmri.evaluation.predictions import PARTS, Predictions, read_predictions
from brainmri.evaluation.probabilities import brier_scores, log_losses, softmax
from brainmri.evaluation.scores import class_scores, overall_scores
from brainmri.evaluation.selective import confidence_entries, referral_entries
from brainmri.intervals import LEVEL
from brainmri.seeds import check_seed
from brainmri.splits.settings import check_protocol

METHOD = (
    "groups resampled within classes (Rao-Wu-Yue bootstrap); metrics from 0 to 1: Wilson at the effective "
    "sample size; AUROC and average precision: Student's t of the logit; losses: expanded percentiles; "
    "calibration error: less what noise adds up to"
)


def evaluate(
    predictions: Path,
    calibration: Path,
    output: Path,
    dataset: str,
    split: str,
    protocol: str,
    model: str,
    seed: int,
    resamples: int = 2000,
    curves: Path | None = None,
) -> None:
    """Write the metrics of one training, each with its interval over groups.

    Parameters
    ----------
    predictions
        ``predictions.parquet`` of the training.
    calibration
        Its ``calibration.json``.
    output
        Where to write ``metrics.json``.
    dataset
        The data set's name.
    split
        The split's name.
    protocol
        The split's protocol, such as ``grouped``.
    model
        The model's name.
    seed
        The training's seed; it seeds the resampling too.
    resamples
        Number of bootstrap resamples, at least 100.
    curves
        Where to write ``curves.parquet``: the curves of the test part, with intervals.

    Raises
    ------
    BrainmriError
        If the predictions have no test image, or an input does not fit.
    """
    check_resamples(resamples)
    check_seed(seed)
    check_protocol(protocol)
    class_names, parts = read_predictions(predictions)
    if not len(parts["test"].truth):
        raise BrainmriError(f"{predictions} has no test image: nothing can be said of the model.")
    fitted = read_calibration(calibration)
    document = {
        "identity": {"dataset": dataset, "split": split, "protocol": protocol, "model": model, "seed": seed},
        "intervals": {"level": LEVEL, "resamples": resamples, "method": METHOD},
    }
    for part in PARTS:
        if len(parts[part].truth):
            document[part] = part_metrics(parts[part], class_names, fitted, resamples, seed)
    if curves:
        write_parquet(
            curves_table(parts["test"], class_names, fitted["temperature"], resamples, seed),
            curves,
            config={"resamples": resamples, "seed": seed},
            inputs=[predictions, calibration],
            schema=CURVES_SCHEMA,
        )
    write_json(document, output, inputs=[predictions, calibration])


def part_metrics(part: Predictions, class_names: list[str], fitted: dict, resamples: int, seed: int) -> dict:
    """Return all that metrics.json says of one part.

    Parameters
    ----------
    part
        The predictions, of at least one image.
    class_names
        The classes in the order of their index.
    fitted
        The content of ``calibration.json``.
    resamples
        Number of bootstrap resamples.
    seed
        Seed of the resampling.
    """
    classes, truth = len(class_names), part.truth
    grouping = grouping_of(part.group_id, truth, classes)
    values, spread = resampled_metrics(part, classes, grouping, fitted["temperature"], resamples, seed)
    counts = confusion_counts(truth, part.predicted, classes)
    groups_of_class = np.bincount(grouping.majority, minlength=classes)
    return {
        "n_images": len(truth),
        "n_groups": grouping.count,
        **overall_entries(part, values, spread, grouping),
        **confidence_entries(part, fitted["temperature"], grouping, resamples, seed),
        "per_class": {
            name: class_entries(index, part, values, spread, grouping)
            for index, name in enumerate(class_names)
        },
        # These are left out of macro averages, and those have intervals that lean on other classes.
        "absent_classes": [
            name for name, support in zip(class_names, counts.sum(axis=1), strict=True) if not support
        ],
        "single_group_classes": [
            name for name, size in zip(class_names, groups_of_class, strict=True) if size == 1
        ],
        "confusion_matrix": {"labels": class_names, "counts": counts.tolist()},
        "calibration": calibration_entries(part, fitted),
        "referral": referral_entries(part, class_names, fitted, grouping, resamples, seed),
    }


def resampled_metrics(
    part: Predictions, classes: int, grouping: Grouping, temperature: float, resamples: int, seed: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return every metric as observed, and in every resample.

    Returns
    -------
    values : dict of arrays
        Scalars for a whole part's metrics, (C,) for those of the classes (``class:`` before the name).
    spread : dict of arrays
        The same with a first axis of length `resamples`.
    """
    truth, calibrated = part.truth, part.logits / temperature
    probabilities, losses = softmax(calibrated), log_losses(calibrated, truth)
    briers = brier_scores(probabilities, truth)
    counts = group_counts(part.predicted[None], truth, grouping.group, grouping.count, classes)
    counts = counts.reshape(grouping.count, -1)

    def metrics(weights: np.ndarray) -> dict[str, np.ndarray]:
        tables = (weights @ counts).reshape(-1, classes, classes)
        of_images = weights[:, grouping.group]
        scores = class_scores(probabilities, truth, of_images)
        each = {**class_metrics(tables), **scores}
        return {
            **overall_metrics(tables),
            **overall_scores(scores, losses, briers, of_images),
            **{f"class:{name}": value for name, value in each.items()},
        }

    return observed_and_resampled(metrics, grouping.stratum, resamples, seed, images=len(truth))


def overall_entries(part: Predictions, values: dict, spread: dict, grouping: Grouping) -> dict[str, dict]:
    """Return the whole part's metrics with their intervals."""
    return {
        name: entry(value, metric_interval(name, value, spread[name], part.truth, grouping))
        for name, value in values.items()
        if not name.startswith("class:")
    }


def class_entries(
    index: int, part: Predictions, values: dict, spread: dict, grouping: Grouping
) -> dict[str, dict]:
    """Return one class's metrics with their intervals."""
    is_class, is_named = part.truth == index, part.predicted == index
    # The images that the denominator of each proportion counts.
    behind = {
        "precision": is_named,
        "recall": is_class,
        "specificity": ~is_class,
        "negative_predictive_value": ~is_named,
    }
    kinds = {"f1": [is_class], "auroc": [is_class, ~is_class], "average_precision": [is_class]}
    groups = np.unique(grouping.group[is_class])
    entries = {"n_images": int(is_class.sum()), "n_groups": int(groups.size)}
    for name in [name for name in values if name.startswith("class:")]:
        value, resampled = values[name][index], spread[name][:, index]
        short = name.removeprefix("class:")
        if short in behind:
            limits = proportion_interval(value, resampled, behind[short], grouping)
        elif groups.size < 2:
            limits = (np.nan, np.nan)  # one group, however often drawn, shows no spread
        else:
            kind_of_interval = ranking_interval if short in RANKINGS else bounded_interval
            limits = kind_of_interval(value, resampled, kinds[short], grouping)
        entries[short] = entry(value, limits)
    return entries


def calibration_entries(part: Predictions, fitted: dict) -> dict:
    """Return calibration before and after the temperature; on `val`, where it was fitted, after flatters."""
    temperature = fitted["temperature"]
    right = part.predicted == part.truth
    entries = {"temperature": temperature, "temperature_note": fitted.get("temperature_note")}
    for when, divisor in (("before", 1.0), ("after", temperature)):
        logits = part.logits / divisor
        probabilities = softmax(logits)
        table = reliability(probabilities.max(axis=1), right)
        entries[f"ece_{when}"] = calibration_error(table)
        entries[f"brier_{when}"] = float(brier_scores(probabilities, part.truth).mean())
        entries[f"log_loss_{when}"] = float(log_losses(logits, part.truth).mean())
        entries[f"reliability_{when}"] = table
    return entries
