"""A tiny phantom study, stage by stage as plain functions, for tests that hurt its inputs or its disk."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from brainmri.audit.audit import audit
from brainmri.audit.overlap import overlap
from brainmri.audit.pool import pool
from brainmri.evaluation.baselines import baselines
from brainmri.evaluation.compare import compare
from brainmri.evaluation.evaluate import evaluate
from brainmri.evaluation.explain import explain
from brainmri.evaluation.plot_data import plot_data
from brainmri.evaluation.predict_external import predict_external
from brainmri.evaluation.predict_split import predict_split
from brainmri.evaluation.probes import probes
from brainmri.images.box import CropSettings
from brainmri.images.crop import crop
from brainmri.images.inventory import inventory
from brainmri.images.layout import LayoutSettings
from brainmri.reporting.draw_audit import draw_audit
from brainmri.reporting.draw_comparison import draw_comparison
from brainmri.reporting.draw_curves import draw_curves
from brainmri.reporting.draw_dataset import draw_dataset
from brainmri.reporting.draw_explain import draw_explain
from brainmri.reporting.draw_external import draw_external
from brainmri.reporting.draw_model import draw_model
from brainmri.reporting.draw_pairs import draw_pairs
from brainmri.reporting.draw_probes import draw_probes
from brainmri.reporting.draw_quality import draw_quality
from brainmri.reporting.draw_split import draw_split
from brainmri.reporting.report import report
from brainmri.sources.checksum import checksum
from brainmri.sources.fetch import fetch
from brainmri.sources.settings import SourceSettings
from brainmri.splits.settings import SplitSettings
from brainmri.splits.split import split
from brainmri.study import Study
from brainmri.training.recipe import recipe_from
from brainmri.training.train import train

SIZE, WHOLE = 32, 256
CLASSES = ["glioma", "meningioma", "pituitary", "no_tumor"]
MODEL = {
    "architecture": "cnn",
    "image_size": SIZE,
    "cnn": {"channels": [4], "normalise": [0.3, 0.3]},
    "epochs": 1,
    "augment": "none",
}
PHANTOM = {"patients": 24, "slices": 2, "size": 64, "seed": 1}
# The second data set.
OTHER = {"patients": 12, "slices": 1, "size": 64, "seed": 2}
SPLIT = {"protocol": "grouped", "train": 0.5, "val": 0.25, "test": 0.25}
SHEETS = ("groups", "across", "conflicts", "weakest", "rejected", "neighbours")


@dataclass(frozen=True)
class Stage:
    """One stage of the study.

    Parameters
    ----------
    name
        Of the stage, and what it is of where it stands twice.
    reads, writes
        Its files, by the argument that names them.
    call
        The function with its settings; it takes the files by name.
    """

    name: str
    reads: dict[str, Path | list[Path]]
    writes: dict[str, Path]
    call: Callable

    def run(self, **replaced: Path) -> None:
        """Run the stage, with some of its files replaced by others."""
        self.call(**{**self.reads, **self.writes, **replaced})


def study_below(root: Path) -> Study:
    """Return the names of the study whose folders lie below `root`."""
    return Study(
        name="tiny",
        datasets={"phantom": {"source": {"phantom": PHANTOM}, "splits": None}},
        splits={"grouped": SPLIT},
        models={"cnn": MODEL},
        seeds=[0],
        class_names=CLASSES,
        explain={"images": 2},
        data_dir=root / "data",
        results_dir=root / "results",
    )


def stages_below(root: Path) -> dict[str, Stage]:
    """Return the stages of the study in their order, by name."""
    study = study_below(root)
    data = study.data_folder("phantom")
    stages = data_stages(study)
    stages.append(
        Stage(
            "overlap",
            {"inventories": [data / "inventory.parquet"] * 2, "images": [data / f"whole_{WHOLE}.npy"] * 2},
            {"output": data / "overlap.parquet"},
            partial(overlap, workers=1),
        )
    )
    stages += [*result_stages(study, root), *figure_stages(study)]
    stages.append(
        Stage("report", {}, {"output": study.folder / "report" / "index.html"}, partial(report, study))
    )
    return {stage.name: stage for stage in stages}


def all_stages(root: Path) -> dict[str, Stage]:
    """Return the stages, with those of two data sets (`overlap` is of these) and the probes, by name."""
    study = study_below(root)
    first = {name: stage for name, stage in stages_below(root).items() if name != "overlap"}
    more = [*outside_stages(study, root), *probe_stages(study, root)]
    return first | {stage.name: stage for stage in more}


def data_stages(study: Study, dataset: str = "phantom", phantom: dict = PHANTOM) -> list[Stage]:
    """Return the stages from the source to the copies in a data set."""
    data = study.data_folder(dataset)
    source = SourceSettings(phantom={**phantom, "workers": 1})
    listed, raw = data / "inventory.parquet", data / "raw"
    return [
        Stage(
            "fetch",
            {},
            {"raw": raw, "output": data / "fetch.json"},
            partial(fetch, dataset, source),
        ),
        Stage(
            "checksum",
            {},
            {"output": data / "checksums.parquet"},
            partial(checksum, dataset, raw, record=data / "fetch.json", workers=1),
        ),
        Stage(
            "inventory",
            {"checksums": data / "checksums.parquet"},
            {"output": listed},
            partial(inventory, raw, layout=LayoutSettings(patient_pattern="(P[0-9]+)_"), workers=1),
        ),
        Stage(
            "crop",
            {"inventory": listed},
            {"images": data / f"images_{SIZE}.npy", "crops": data / f"crops_{SIZE}.parquet"},
            partial(crop, raw, size=SIZE, workers=1),
        ),
        Stage(
            "shrink",
            {"inventory": listed},
            {"images": data / f"whole_{WHOLE}.npy", "crops": data / f"whole_{WHOLE}.parquet"},
            partial(crop, raw, size=WHOLE, settings=CropSettings(method="none"), workers=1),
        ),
        Stage(
            "audit",
            {"inventory": listed, "images": data / f"whole_{WHOLE}.npy"},
            {name: data / f"{name}.parquet" for name in ("duplicates", "groups", "rejected")}
            | {"output": data / "audit.json"},
            partial(audit, workers=1),
        ),
    ]


def result_stages(study: Study, root: Path) -> list[Stage]:
    """Return the stages from the manifest to the comparison."""
    data, folder, run = (
        study.data_folder("phantom"),
        study.split_folder("phantom", "grouped"),
        study.runs()[0],
    )
    manifest, images = folder / "manifest.parquet", data / f"images_{SIZE}.npy"
    model = {"model": run.folder / "model.safetensors", "metadata": run.folder / "model.json"}
    predicted = {name: run.folder / f"{name}.parquet" for name in ("predictions",)}
    calibrated = {"calibration": run.folder / "calibration.json"}
    identity = {"dataset": "phantom", "split": "grouped", "protocol": "grouped"}
    train_one = partial(
        train,
        recipe=recipe_from(MODEL),
        checkpoint_dir=root / "state" / "checkpoints",
        cache_dir=root / "state" / "arithmetic",
        device="cpu",
        threads=1,
    )
    return [
        Stage(
            "split",
            {"inventory": data / "inventory.parquet", "groups": data / "groups.parquet"},
            {"output": manifest},
            partial(split, settings=SplitSettings(**SPLIT), class_names=CLASSES),
        ),
        Stage(
            "train",
            {"manifest": manifest, "images": images},
            {**model, "history": run.folder / "history.parquet"},
            train_one,
        ),
        Stage(
            "predict_split",
            {"manifest": manifest, "images": images, **model},
            predicted | calibrated,
            partial(predict_split, device="cpu", threads=1),
        ),
        Stage(
            "evaluate",
            predicted | calibrated,
            {"output": run.folder / "metrics.json", "curves": run.folder / "curves.parquet"},
            partial(evaluate, **identity, model="cnn", seed=0, resamples=100),
        ),
        Stage(
            "explain",
            predicted
            | calibrated
            | {"manifest": manifest, "images": images, "crops": data / f"crops_{SIZE}.parquet"}
            | model
            | {"truth": data / "truth.parquet"},
            {
                name: run.folder / "explain" / f"explain.{end}"
                for name, end in (("table", "parquet"), ("summary", "json"))
            },
            partial(explain, count=2, resamples=100, device="cpu", threads=1),
        ),
        Stage(
            "baselines",
            {
                "manifest": manifest,
                "inventory": data / "inventory.parquet",
                "images": data / f"whole_{WHOLE}.npy",
            },
            {"output": folder / "baselines.json", "predictions": folder / "baselines.parquet"},
            partial(baselines, **identity, resamples=100),
        ),
        Stage(
            "compare",
            {
                "metrics": [run.folder / "metrics.json"],
                "predictions": [run.folder / "predictions.parquet"],
                "baselines": [folder / "baselines.parquet"],
            },
            {"output": study.folder / "comparison.parquet"}
            | {name: study.folder / f"{name}.parquet" for name in ("pairs", "leakage", "external")},
            partial(compare, resamples=100),
        ),
    ]


def outside_stages(study: Study, root: Path) -> list[Stage]:
    """Return the stages that a second data set is for, which `data_stages` has made before."""
    run, folder = study.runs()[0], root / "outside"
    datasets = ["other", "phantom"]
    own, other = study.data_folder("phantom"), study.data_folder("other")
    shared, tested = study.overlap_path(*datasets), folder / "other.parquet"

    def of_both(name: str) -> list[Path]:
        return [other / name, own / name]

    pooled = ("inventory", "rejected", "groups")
    return [
        Stage(
            "overlap",
            {"inventories": of_both("inventory.parquet"), "images": of_both(f"whole_{WHOLE}.npy")},
            {"output": shared},
            partial(overlap, workers=1),
        ),
        Stage(
            "pool",
            {"inventories": of_both("inventory.parquet"), "duplicates": of_both("duplicates.parquet")}
            | {"rejections": of_both("rejected.parquet"), "audits": of_both("audit.json")}
            | {"records": of_both("fetch.json"), "overlaps": [shared]},
            {name: folder / "pool" / f"{name}.parquet" for name in pooled}
            | {"pairs": folder / "pool" / "duplicates.parquet"}
            | {"record": folder / "pool" / "fetch.json", "output": folder / "pool" / "audit.json"},
            partial(pool, "both", datasets),
        ),
        Stage(
            "predict_external",
            {"manifest": study.split_folder("phantom", "grouped") / "manifest.parquet"}
            | {"predictions": run.folder / "predictions.parquet"}
            | {"calibration": run.folder / "calibration.json"}
            | {"model": run.folder / "model.safetensors", "metadata": run.folder / "model.json"}
            | {"inventory": other / "inventory.parquet", "groups": other / "groups.parquet"}
            | {"overlap": shared, "images": other / f"images_{SIZE}.npy"}
            | {"crops": other / f"crops_{SIZE}.parquet"},
            {"output": tested},
            partial(predict_external, "phantom", "grouped", "cnn", 0, "other", device="cpu", threads=1),
        ),
        Stage(
            "compare of two data sets",
            {"metrics": [run.folder / "metrics.json"]}
            | {"predictions": [run.folder / "predictions.parquet"], "applied": [tested]},
            {name: folder / f"{name}.parquet" for name in ("pairs", "leakage", "external")}
            | {"output": folder / "comparison.parquet"},
            partial(compare, resamples=100),
        ),
        Stage(
            "draw_external",
            {"external": folder / "external.parquet"},
            {"output": folder / "cnn.svg"},
            partial(draw_external, model="cnn"),
        ),
    ]


def probe_stages(study: Study, root: Path) -> list[Stage]:
    """Return the stages of the probes."""
    reads = {
        "manifest": study.split_folder("phantom", "grouped") / "manifest.parquet",
        "images": study.data_folder("phantom") / f"images_{SIZE}.npy",
    }
    folder, state = root / "probes", root / "state"
    return [
        Stage(
            "probes",
            reads,
            {"output": folder / "probes.json", "predictions": folder / "probes.parquet"},
            partial(
                probes,
                recipe=recipe_from(MODEL),
                dataset="phantom",
                split="grouped",
                protocol="grouped",
                model="cnn",
                epochs=1,
                resamples=100,
                device="cpu",
                threads=1,
                work_dir=state / "probes",
                cache_dir=state / "arithmetic",
            ),
        ),
        Stage(
            "draw_probes",
            {"probes": folder / "probes.parquet", **reads},
            {"output": folder / "probes.png"},
            partial(draw_probes, "phantom", "grouped"),
        ),
    ]


def figure_stages(study: Study) -> list[Stage]:
    """Return the stages that draw."""
    data, folder, run = (
        study.data_folder("phantom"),
        study.split_folder("phantom", "grouped"),
        study.runs()[0],
    )
    figures, listed = study.dataset_figures("phantom"), data / "inventory.parquet"
    images, manifest = data / f"images_{SIZE}.npy", folder / "manifest.parquet"
    sheets = dict(
        zip(
            ("largest_groups", "across", "conflicts", "weakest", "strongest_rejected", "neighbours"),
            [figures / "copies" / f"{name}.png" for name in SHEETS],
            strict=True,
        )
    )
    return [
        Stage(
            "draw_dataset",
            {"inventory": listed, "images": images, "crops": data / f"crops_{SIZE}.parquet"},
            {"samples": figures / "samples.png", "before_after": figures / "crops.png"},
            partial(draw_dataset, "phantom", data / "raw"),
        ),
        Stage(
            "draw_quality",
            {"inventory": listed},
            {"output": figures / "quality.png"},
            partial(draw_quality, "phantom", data / "raw"),
        ),
        Stage(
            "draw_audit",
            {"inventory": listed, "images": data / f"whole_{WHOLE}.npy"}
            | {name: data / f"{name}.parquet" for name in ("duplicates", "groups", "rejected")},
            sheets,
            partial(draw_audit, "phantom"),
        ),
        Stage(
            "draw_split",
            {"manifest": manifest},
            {"class_counts": study.split_figures("phantom", "grouped") / "class_counts.svg"},
            partial(draw_split, "phantom", "grouped"),
        ),
        Stage(
            "draw_pairs",
            {"pairs": study.folder / "pairs.parquet"},
            {"output": study.split_figures("phantom", "grouped") / "pairs.svg"},
            partial(draw_pairs, dataset="phantom", split="grouped"),
        ),
        Stage(
            "draw_model",
            {name: run.folder / f"{name}.parquet" for name in ("history", "predictions")}
            | {"metrics": run.folder / "metrics.json", "images": images, "manifest": manifest}
            | {"metadata": run.folder / "model.json"},
            {"curves": run.figures / "curves.svg", "confusion_matrix": run.figures / "confusion_matrix.svg"}
            | {"gallery": run.figures / "gallery.png", "gallery_table": run.figures / "gallery.parquet"},
            partial(draw_model, "phantom", "grouped", "cnn", 0),
        ),
        Stage(
            "draw_curves",
            {"curves": run.folder / "curves.parquet", "metrics": run.folder / "metrics.json"},
            {
                name: run.figures / f"{name}.svg"
                for name in ("roc", "precision_recall", "reliability", "risk_coverage", "decision")
            },
            partial(draw_curves, "phantom", "grouped", "cnn", 0),
        ),
        Stage(
            "plot_data",
            {name: run.folder / f"{name}.parquet" for name in ("history", "predictions")},
            {"curves": run.folder / "plots/history.csv", "confusion": run.folder / "plots/confusion.csv"},
            plot_data,
        ),
        Stage(
            "draw_explain",
            {"table": run.folder / "explain" / "explain.parquet", "images": images},
            {"output": run.folder / "explain" / "panel.png"},
            partial(draw_explain, "phantom", "grouped", "cnn", 0),
        ),
        Stage(
            "draw_comparison",
            {"comparison": study.folder / "comparison.parquet"},
            {"output": study.folder / "figures" / "comparison.svg"},
            draw_comparison,
        ),
    ]
