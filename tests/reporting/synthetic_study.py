"""A small synthetic study on disk, as the stages before the report leave it."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from synthetic_probes import write_probes

from brainmri.artefacts import read_parquet, write_json, write_parquet
from brainmri.audit.audit import audit
from brainmri.digests import file_digest
from brainmri.evaluation.baselines import baselines
from brainmri.evaluation.compare import compare
from brainmri.evaluation.evaluate import evaluate
from brainmri.reporting.draw_audit import draw_audit
from brainmri.reporting.draw_comparison import draw_comparison
from brainmri.reporting.draw_curves import draw_curves
from brainmri.reporting.draw_dataset import draw_dataset
from brainmri.reporting.draw_model import draw_model
from brainmri.reporting.draw_pairs import draw_pairs
from brainmri.reporting.draw_quality import draw_quality
from brainmri.reporting.draw_split import draw_split
from brainmri.splits.settings import SplitSettings
from brainmri.splits.split import split
from brainmri.study import Study

CLASSES = ["glioma", "meningioma", "pituitary", "no_tumor"]
SIZE = 64
AUDIT_SIZE = 128
PATIENTS = 80
WEIGHTS_DIGEST = "abc" * 21 + "d"
# How far the logit of the true class lies over the others: random splits are to look better.
SKILL = {
    ("grouped", "small-cnn"): 1.8,
    ("grouped", "resnet18"): 2.8,
    ("random", "small-cnn"): 3.2,
    ("random", "resnet18"): 9.0,
}
MODELS = {
    "small-cnn": {"architecture": "cnn", "image_size": SIZE, "epochs": 6, "optimizer": {"name": "adam"}},
    "resnet18": {"architecture": "resnet18", "image_size": SIZE, "epochs": 6, "pretrained": True},
}


def head(generator: np.random.Generator, label: str, black_border: bool) -> np.ndarray:
    """Return a gray ellipse with a bright spot whose place tells the class, uint8."""
    height, width = (96, 110) if black_border else (80, 80)
    image = np.zeros((height, width), np.uint8)
    axes = (30, 36) if black_border else (55, 60)
    centre = (width // 2, height // 2)
    cv2.ellipse(image, centre, axes, 0, 0, 360, 120, -1)
    if label != "no_tumor":
        offset = {"glioma": (-12, -8), "meningioma": (14, -10), "pituitary": (0, 12)}[label]
        cv2.circle(image, (centre[0] + offset[0], centre[1] + offset[1]), 6, 230, -1)
    noise = generator.normal(0, 6, image.shape) * (image > 0)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def write_data(folder: Path, patients: int, with_patients: bool, generator: np.random.Generator) -> None:
    """Write raw files, inventory, packed images, crops, audit and fetch.json of one data set."""
    rows, packed, whole, crops = [], [], [], []
    for number in range(patients):
        label = CLASSES[number % 4]
        for slice_number in range(3):
            part = "Testing" if slice_number == 2 else "Training"
            image_id = f"{part}/{label}/p{number:03d}_{slice_number}.png"
            gray = head(generator, label, black_border=number % 7 != 0)
            if slice_number == 2 and number % 3 == 0:
                gray = cv2.imread(str(folder / "raw" / rows[-1]["path"]), cv2.IMREAD_GRAYSCALE)
            path = folder / "raw" / image_id
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), gray)
            rows.append(
                {
                    "image_id": image_id,
                    "path": image_id,
                    "label": label,
                    "source_split": "test" if part == "Testing" else "train",
                    "bytes": path.stat().st_size,
                    "sha256": file_digest(path),
                    "pixel_sha256": str(hash(gray.tobytes())),
                    "width": gray.shape[1],
                    "height": gray.shape[0],
                    "channels": 1,
                    "format": "PNG",
                    "patient_id": f"p{number:03d}" if with_patients else None,
                    "status": "ok",
                    "reason": None,
                    "remarks": "tiny" if number == 9 else None,
                }
            )
            fallback = number % 7 == 0
            box = (0, 0, gray.shape[1], gray.shape[0]) if fallback else (25, 12, 86, 85)
            whole.append(cv2.resize(gray, (AUDIT_SIZE, AUDIT_SIZE), interpolation=cv2.INTER_AREA))
            packed.append(cv2.resize(gray[box[1] : box[3], box[0] : box[2]], (SIZE, SIZE)))
            share = (box[2] - box[0]) * (box[3] - box[1]) / gray.size
            crops.append(
                {"image_id": image_id, **dict(zip(["left", "top", "right", "bottom"], box, strict=True))}
                | {"area_fraction": share, "fallback": fallback}
            )
    rejected = {
        "image_id": "Training/glioma/broken.jpg",
        "path": "Training/glioma/broken.jpg",
        "label": "glioma",
    }
    rejected |= {"source_split": "train", "bytes": 11, "sha256": "0" * 64, "status": "corrupt"}
    rows.append(rejected | {"reason": "cannot be decoded"})
    (folder / "raw" / rejected["path"]).write_bytes(b"not a jpeg.")
    order = sorted(range(len(crops)), key=lambda index: crops[index]["image_id"])
    inventory = pd.DataFrame(rows).sort_values("image_id", ignore_index=True)
    write_parquet(inventory, folder / "inventory.parquet", config={})
    np.save(folder / f"images_{SIZE}.npy", np.stack([packed[index] for index in order]))
    np.save(folder / f"whole_{AUDIT_SIZE}.npy", np.stack([whole[index] for index in order]))
    table = pd.DataFrame([crops[index] for index in order])
    table.insert(1, "row", range(len(table)))
    write_parquet(table, folder / f"crops_{SIZE}.parquet", config={})
    audit(
        *(
            folder / name
            for name in ("inventory.parquet", "duplicates.parquet", "groups.parquet", "audit.json")
        )
    )
    pairs = read_parquet(folder / "duplicates.parquet")
    # Neighbouring slices that were looked at and not taken for copies.
    rejected = (
        pairs.head(0) if pairs.empty else pairs.head(3).assign(kind="near", similarity=[0.97, 0.96, 0.95])
    )
    write_parquet(rejected.assign(matrix=None), folder / "rejected.parquet", config={})
    document = {"dataset": folder.name, "source": {"phantom": {"patients": patients}}, "licence": "CC0-1.0"}
    write_json({**document, "fetched": "2025-01-01T00:00:00Z", "files": len(rows)}, folder / "fetch.json")


def draw_copies(dataset: str, data: Path, folder: Path) -> None:
    """Draw the sheets of copies of one data set."""
    tables = [data / f"{name}.parquet" for name in ("inventory", "duplicates", "groups", "rejected")]
    sheets = ("groups", "across", "conflicts", "weakest", "rejected", "neighbours")
    images = data / f"whole_{AUDIT_SIZE}.npy"
    draw_audit(dataset, *tables, images, *[folder / f"{name}.png" for name in sheets])


def write_run(study: Study, run, skill: float, generator: np.random.Generator) -> None:
    """Write history, predictions, calibration, metrics and figures of one training."""
    folder = run.folder
    manifest = read_parquet(study.split_folder(run.dataset, run.split) / "manifest.parquet")
    shown = manifest[manifest["split"].isin(["val", "test"])].reset_index(drop=True)
    truth = shown["label_index"].to_numpy(int)
    logits = generator.normal(0, 1, (len(shown), 4))
    logits[np.arange(len(shown)), truth] += skill
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    table = shown[["image_id", "split", "group_id", "label"]].copy()
    table["predicted"] = [CLASSES[index] for index in logits.argmax(axis=1)]
    table["confidence"] = probabilities.max(axis=1)
    for index, name in enumerate(CLASSES):
        table[f"logit_{name}"] = logits[:, index].astype("float32")
        table[f"prob_{name}"] = probabilities[:, index]
    write_parquet(table, folder / "predictions.parquet", config={})
    fitted = {"temperature": 1.2, "referral_confidence": 0.6, "referral_wished_error": 0.05}
    fitted["weights_sha256"] = WEIGHTS_DIGEST
    write_json(fitted, folder / "calibration.json")
    evaluate(
        folder / "predictions.parquet",
        folder / "calibration.json",
        folder / "metrics.json",
        run.dataset,
        run.split,
        study.splits[run.split]["protocol"],
        run.model,
        run.seed,
        resamples=100,
        curves=folder / "curves.parquet",
    )
    epochs = np.arange(1, 7)
    history = {
        "epoch": epochs,
        "train_loss": 1.4 * 0.7**epochs,
        "val_loss": 1.4 * 0.75**epochs + 0.03 * epochs,
    }
    history |= {"train_accuracy": 1 - 0.6 * 0.7**epochs, "val_accuracy": 0.9 - 0.6 * 0.7**epochs}
    history |= {"val_macro_f1": 0.88 - 0.6 * 0.7**epochs, "learning_rate": 0.001 * 0.1 ** (epochs // 4)}
    history |= {"seconds": np.full(6, 2.5), "images_per_second": np.full(6, 60.0)}
    write_parquet(pd.DataFrame(history), folder / "history.parquet", config={})
    metadata = {"brainmri_version": "0.1.0", "architecture": run.model, "seed": run.seed, "device": "cpu"}
    metadata |= {"precision": "fp32", "best_epoch": 6, "parameters": 12345, "weights_sha256": WEIGHTS_DIGEST}
    metadata["classes"] = CLASSES
    metadata["manifest_sha256"] = file_digest(study.split_folder(run.dataset, run.split) / "manifest.parquet")
    write_json(metadata | {"versions": {"torch": "2.7.0", "timm": "1.0.15"}}, folder / "model.json")
    draw_model(
        run.dataset,
        run.split,
        run.model,
        run.seed,
        folder / "history.parquet",
        folder / "predictions.parquet",
        folder / "metrics.json",
        study.data_folder(run.dataset) / f"images_{SIZE}.npy",
        study.split_folder(run.dataset, run.split) / "manifest.parquet",
        run.figures / "curves.svg",
        run.figures / "confusion_matrix.svg",
        run.figures / "gallery.png",
        folder / "model.json",
        run.figures / "gallery.parquet",
    )
    drawn = ("roc", "precision_recall", "reliability", "risk_coverage", "decision")
    draw_curves(
        *(run.dataset, run.split, run.model, run.seed),
        folder / "curves.parquet",
        folder / "metrics.json",
        *[run.figures / f"{name}.svg" for name in drawn],
    )


def write_comparison(study: Study) -> None:
    """Write the baselines, the comparison of everything and its matrices."""
    places = study.dataset_splits()
    for dataset, name in places:
        folder, data = study.split_folder(dataset, name), study.data_folder(dataset)
        baselines(
            folder / "manifest.parquet",
            data / "inventory.parquet",
            data / f"whole_{AUDIT_SIZE}.npy",
            folder / "baselines.json",
            folder / "baselines.parquet",
            *(dataset, name, study.splits[name]["protocol"]),
            resamples=100,
        )
    compare(
        [run.folder / "metrics.json" for run in study.runs()],
        study.folder / "comparison.parquet",
        [run.folder / "predictions.parquet" for run in study.runs()],
        [study.split_folder(*place) / "baselines.parquet" for place in places],
        study.folder / "pairs.parquet",
        study.folder / "leakage.parquet",
        resamples=100,
        external=study.folder / "external.parquet",
    )
    for place in places:
        draw_pairs(study.folder / "pairs.parquet", study.split_figures(*place) / "pairs.svg", *place)


def write_study(
    root: Path, dataset: str = "phantom", seeds: list[int] | None = None, with_patients: bool = True
) -> Study:
    """Write a study of two models on two splits of one data set, without its page."""
    study = Study(
        name="tiny",
        datasets={dataset: {"source": {"phantom": {"patients": PATIENTS}}, "splits": None}},
        splits={"grouped": {"protocol": "grouped", "seed": 0}, "random": {"protocol": "random", "seed": 0}},
        models=MODELS,
        seeds=seeds or [0],
        class_names=CLASSES,
        probes={"epochs": 4},
        claims=[
            {"system": "A notebook", "model": "small-cnn", "protocol": "random", "metric": "accuracy"}
            | {"dataset": None, "value": 0.9626, "remark": "validation was trained on"}
        ],
        data_dir=root / "data",
        results_dir=root / "results",
        logs_dir=root / "logs",
    )
    generator = np.random.default_rng(0)
    data, figures = study.data_folder(dataset), study.dataset_figures(dataset)
    write_data(data, PATIENTS, with_patients, generator)
    draw_dataset(
        dataset,
        data / "raw",
        data / "inventory.parquet",
        data / f"images_{SIZE}.npy",
        data / f"crops_{SIZE}.parquet",
        figures / "samples.png",
        figures / "crops.png",
    )
    draw_copies(dataset, data, figures / "copies")
    draw_quality(dataset, data / "raw", data / "inventory.parquet", figures / "quality.png")
    for name, settings in study.splits.items():
        manifest = study.split_folder(dataset, name) / "manifest.parquet"
        split(
            data / "inventory.parquet", data / "groups.parquet", manifest, SplitSettings(**settings), CLASSES
        )
        draw_split(dataset, name, manifest, study.split_figures(dataset, name) / "class_counts.svg")
    for run in study.runs():
        write_run(study, run, SKILL[run.split, run.model], generator)
    for place in study.probed():
        write_probes(study, *place, data / f"images_{SIZE}.npy")
    write_comparison(study)
    draw_comparison(study.folder / "comparison.parquet", study.folder / "figures" / "comparison.svg")
    return study
