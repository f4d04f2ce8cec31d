"""What the page says of trained models, as plain dictionaries."""

from brainmri.artefacts import read_json, read_parquet
from brainmri.reporting.draw_model import least_loss_epoch
from brainmri.reporting.embedding import Artefacts
from brainmri.reporting.numbers import (
    UNKNOWN,
    decimal,
    duration,
    flattened,
    is_number,
    measured,
    metric_title,
)
from brainmri.reporting.page_explain import explain_context
from brainmri.reporting.style import class_title
from brainmri.study import Run, Study

HEADLINES = ("accuracy", "balanced_accuracy", "macro_f1", "mcc", "macro_auroc", "brier")
CLASS_COLUMNS = ("precision", "recall", "specificity", "negative_predictive_value", "f1", "auroc")


def run_context(study: Study, run: Run, artefacts: Artefacts) -> dict:
    """Return what the page says of one training.

    Parameters
    ----------
    study
        The study.
    run
        The training.
    artefacts
        Collects the files that are shown.
    """
    names = ("metrics.json", "history.parquet", "calibration.json", "model.json", "predictions.parquet")
    paths = {name: run.folder / name for name in names}
    metrics, metadata = read_json(paths["metrics.json"]), read_json(paths["model.json"])
    history, test = read_parquet(paths["history.parquet"]), metrics.get("test") or {}
    identity = {key: getattr(run, key) for key in ("dataset", "split", "model", "seed")}
    best_epoch = metadata.get("best_epoch") or least_loss_epoch(history)
    learnt = history.loc[history["epoch"] == best_epoch, "train_accuracy"]
    return {
        **identity,
        "protocol": study.splits[run.split].get("protocol", run.split),
        "title": f"{run.model}, seed {run.seed}",
        "anchor": "run-" + "-".join(run.place.parts),
        "intervals": metrics.get("intervals") or {},
        "images": test.get("n_images"),
        "groups": test.get("n_groups"),
        "test": test,
        "val": metrics.get("val") or {},
        # Measured while the epoch went on, with augmentation and dropout; an interval would say nothing.
        "train": {"accuracy": {"value": float(learnt.iloc[0])}} if len(learnt) else {},
        "headlines": [measured(name, test[name]) for name in HEADLINES if name in test],
        "per_class": per_class(test),
        "calibration": calibration_lines(test.get("calibration") or {}),
        "reliability": reliability_points(test.get("calibration") or {}),
        "referral": test.get("referral") or {},
        "recipe": flattened(study.models[run.model]),
        "epochs": int((history["epoch"] > 0).sum()),
        "best_epoch": best_epoch,
        "metadata": metadata,
        "device": str(metadata.get("device", UNKNOWN)),
        "precision": str(metadata.get("precision", UNKNOWN)),
        "speed": training_speed(metadata),
        "duration": duration(metadata.get("seconds") or float(history["seconds"].sum())),
        "figures": run_figures(run, artefacts, embedded=run.seed == study.seeds[0]),
        "explained": explain_context(study, run, artefacts, embedded=run.seed == study.seeds[0]),
        "links": {name.split(".")[0]: artefacts.link(path) for name, path in paths.items()},
    }


def training_speed(metadata: dict) -> str:
    """Return images a second and peak memory of a training, and its energy where that is known."""
    parts = []
    if metadata.get("images_per_second"):
        parts.append(f"{metadata['images_per_second']:.0f} images/s")
    if metadata.get("peak_memory_bytes"):
        parts.append(f"{metadata['peak_memory_bytes'] / 2**20:.0f} MiB at most")
    if metadata.get("energy_joules") is not None:
        parts.append(f"{metadata['energy_joules'] / 3600:.1f} Wh")
    return ", ".join(parts) or UNKNOWN


def run_figures(run: Run, artefacts: Artefacts, embedded: bool) -> dict:
    """Return a run's figures; of further seeds only the links, so that the page stays light."""
    words = f"{run.model} on {run.dataset}, split {run.split}, seed {run.seed}"
    alts = {
        "curves.svg": f"Loss, accuracy and learning rate by epoch of {words}",
        "confusion_matrix.svg": f"Confusion matrix of the test part of {words}",
        "gallery.png": f"Test images with the probabilities that {words} gives them",
    }
    if not embedded:
        return {"links": [artefacts.link(run.figures / name) for name in alts]}
    return {name.split(".")[0]: artefacts.figure(run.figures / name, alt) for name, alt in alts.items()}


def per_class(test: dict) -> dict:
    """Return the table of a part's classes: a column for each metric that is there."""
    classes = test.get("per_class") or {}
    columns = [name for name in CLASS_COLUMNS if any(name in entry for entry in classes.values())]
    rows = [
        {
            "name": class_title(label),
            "images": entry.get("n_images", entry.get("support", UNKNOWN)),
            "groups": entry.get("n_groups", UNKNOWN),
            "values": [measured(name, entry.get(name)) for name in columns],
        }
        for label, entry in classes.items()
    ]
    return {"columns": [metric_title(name) for name in columns], "rows": rows}


def calibration_lines(calibration: dict) -> list[tuple[str, str]]:
    """Return temperature, and the errors of confidence before and after it."""
    lines = []
    if is_number(calibration.get("temperature")):
        note = calibration.get("temperature_note")
        lines.append(("temperature", decimal(calibration["temperature"], 2) + (f" ({note})" if note else "")))
    for name, title in (
        ("ece", "expected calibration error"),
        ("brier", "Brier score"),
        ("log_loss", "log loss"),
    ):
        before, after = calibration.get(f"{name}_before"), calibration.get(f"{name}_after")
        if is_number(before) or is_number(after):
            lines.append((title, f"{decimal(before)} → {decimal(after)}"))
    return lines


def reliability_points(calibration: dict) -> dict[str, list[tuple[float, float]]]:
    """Return (confidence, accuracy) of each bin, before and after the temperature, in percent."""
    series = {}
    for when in ("before", "after"):
        table = calibration.get(f"reliability_{when}") or {}
        pairs = zip(table.get("confidence", []), table.get("accuracy", []), strict=False)
        series[when] = [(round(100 * x, 2), round(100 * y, 2)) for x, y in pairs]
    return series if all(series.values()) else {}
