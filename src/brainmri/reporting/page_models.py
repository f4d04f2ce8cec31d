"""What the page says of trained models, as plain dictionaries."""

import pandas as pd

from brainmri.artefacts import read_json, read_parquet
from brainmri.durations import duration
from brainmri.labels import HEALTHY
from brainmri.mapping import is_number
from brainmri.reporting.embedding import Artefacts
from brainmri.reporting.history import least_loss_epoch
from brainmri.reporting.names import class_title, run_title
from brainmri.reporting.numbers import (
    UNKNOWN,
    decimal,
    flattened,
    measured,
    metric_title,
    percent,
)
from brainmri.reporting.page_explain import explain_context
from brainmri.reporting.page_gallery import gallery_context
from brainmri.reporting.words import value
from brainmri.study import Run, Study

HEADLINES = (
    *("accuracy", "balanced_accuracy", "macro_f1", "mcc", "cohen_kappa"),
    *("macro_auroc", "macro_average_precision", "brier", "log_loss", "ece", "aurc"),
)
CLASS_COLUMNS = (
    *("recall", "specificity", "precision", "negative_predictive_value"),
    *("f1", "auroc", "average_precision"),
)
SURE = 0.9  # as of `sure_errors` in metrics.json
# Errors of confidence that no noise shifts, so that a higher one is a worse one.
PROPER = ("brier", "log_loss")
# Each figure of a training: what it shows, for people who do not see it, and its caption.
FIGURES = {
    "curves.svg": (
        "Loss, accuracy and learning rate by epoch of",
        "Learning curves. Training values are running means, with augmentation and dropout where there is "
        "any; validation values without.",
    ),
    "confusion_matrix.svg": (
        "Confusion matrix of the test part of",
        "Confusion matrix of the test part, in counts and in percent of the true class.",
    ),
    "roc.svg": (
        "ROC curves, each class against the rest, of",
        "Sensitivity against false alarms, each class against the rest.",
    ),
    "precision_recall.svg": (
        "Precision-recall curves of each class of",
        "Precision against recall. Precision holds for classes as frequent as in this test part.",
    ),
    "reliability.svg": (
        "Reliability, accuracy against confidence before and after the temperature, of",
        "Reliability in bins of equal mass: on the diagonal, confidence means what it says.",
    ),
    "risk_coverage.svg": (
        "Share of errors by the share of images kept, the surest first, of",
        "Errors left when the least sure images are referred; the threshold was chosen on validation.",
    ),
    "decision.svg": (
        "Decision curve, any tumour against none, of",
        "Net benefit of acting on the model, on everybody or on nobody, by the risk from which one acts. "
        "It holds where tumours are as frequent as in this test part.",
    ),
}


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
    names += ("curves.parquet",)
    paths = {name: run.folder / name for name in names}
    metrics, metadata = read_json(paths["metrics.json"]), read_json(paths["model.json"])
    history, test = read_parquet(paths["history.parquet"]), metrics.get("test") or {}
    predictions = read_parquet(paths["predictions.parquet"], ["split", "label", "predicted", "confidence"])
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
        "confusion": confusion(test),
        "calibration": calibration_lines(test.get("calibration") or {}),
        "referral": test.get("referral") or {},
        "selective": selective_context(test.get("referral") or {}, sure_answers(predictions)),
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
    words = run_title(run.dataset, run.split, run.model, run.seed)
    if not embedded:
        links = [artefacts.link(run.figures / name) for name in (*FIGURES, "gallery.png")]
        return {"drawn": [], "links": links}
    return {
        "drawn": [
            artefacts.figure(run.figures / name, f"{alt} {words}") | {"caption": caption, "name": name}
            for name, (alt, caption) in FIGURES.items()
        ],
        "gallery": gallery_context(run.figures / "gallery.parquet", words, artefacts),
        "gallery_link": artefacts.link(run.figures / "gallery.png"),
    }


def confusion(test: dict) -> dict:
    """Return the test images by true and predicted class, and which errors mix up tumour and none.

    Parameters
    ----------
    test
        The entry ``test`` of ``metrics.json``.
    """
    matrix = test["confusion_matrix"]
    labels, counts = matrix["labels"], matrix["counts"]
    rows = [
        {"name": class_title(label), "counts": row, "images": sum(row)}
        for label, row in zip(labels, counts, strict=True)
    ]
    healthy = labels.index(HEALTHY) if HEALTHY in labels else None
    lines = []
    if healthy is not None:
        none, tumours = rows[healthy], [row for row in rows if row is not rows[healthy]]
        missed = sum(row["counts"][healthy] for row in tumours)
        lines = [
            (f"tumour images named {none['name']}", f"{missed} of {sum(row['images'] for row in tumours)}"),
            (
                f"images of {none['name']} named a tumour",
                f"{none['images'] - none['counts'][healthy]} of {none['images']}",
            ),
        ]
    right = sum(row[place] for place, row in enumerate(counts))
    return {
        "classes": [row["name"] for row in rows],
        "rows": rows,
        "lines": lines,
        "errors": sum(row["images"] for row in rows) - right,
    }


def sure_answers(predictions: pd.DataFrame) -> str:
    """Return how many of the test part's answers over 90 % confidence are wrong."""
    sure = predictions[(predictions["split"] == "test") & (predictions["confidence"] > SURE)]
    return f"{int((sure['label'] != sure['predicted']).sum())} of {len(sure)}"


def selective_context(referral: dict, sure: str) -> dict:
    """Return what is gained by referring the unsure: sentences of numbers, and a row for each class.

    Parameters
    ----------
    referral
        The entry ``referral`` of a part in ``metrics.json``.
    sure
        What `sure_answers` returned.
    """
    confidence = referral.get("confidence")
    limit = "any" if confidence is None else percent(confidence)
    lines = [
        ("wished share of errors among those kept", percent(referral.get("wished_error"))),
        ("a case is referred under a confidence of", limit),
    ]
    for name, title in (
        ("kept", "kept"),
        ("accuracy_kept", "right among those kept"),
        ("errors_referred", "of its errors, referred"),
        ("sure_errors", "of its errors, made with a confidence over 90 %"),
    ):
        if name in referral:
            lines.append((title, value("accuracy", referral[name])))
    lines.append(("wrong among the answers with a confidence over 90 %", sure))
    rows = [
        {
            "name": class_title(label),
            "images": counts["n_images"],
            "referred": counts["n_referred"],
            "share": percent(counts["n_referred"] / counts["n_images"], 0) if counts["n_images"] else UNKNOWN,
            "errors_referred": counts["n_errors_referred"],
            "errors_kept": counts["n_errors_kept"],
        }
        for label, counts in (referral.get("per_class") or {}).items()
    ]
    return {"lines": lines, "rows": rows}


def per_class(test: dict) -> dict:
    """Return the table of a part's classes: a column for each metric that is there."""
    classes = test.get("per_class") or {}
    columns = [name for name in CLASS_COLUMNS if any(name in entry for entry in classes.values())]
    rows = [
        {
            "name": class_title(label),
            "images": entry.get("n_images", UNKNOWN),
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
            worse = name in PROPER and is_number(before) and is_number(after) and after > before
            note = " (on these test images the temperature made it worse)" if worse else ""
            lines.append((title, f"{decimal(before)} → {decimal(after)}{note}"))
    return lines
