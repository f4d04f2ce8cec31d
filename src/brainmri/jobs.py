"""The jobs of a study: each rule with its wildcards, its log and what it makes, as the workflow has them.

`brainmri status` and the page read the jobs' own records by it. tests/workflow compares it with what
Snakemake plans and makes.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from brainmri.errors import BrainmriError
from brainmri.study import Run, Study

# What a study is, beside its logs, since the workflow last ran it.
REMEMBERED = "study.json"
# Pixels a side of the whole images in which copies are looked for.
AUDIT_SIZE = 256
# The rules whose jobs are listed here. Of any other rule, what left a record is a job.
LISTED = {
    *("fetch", "checksum", "inventory", "crop", "shrink", "crop_alike", "audit", "overlap", "pool"),
    *("split", "baselines", "train", "probes", "predict_split", "predict_external", "evaluate", "plot_data"),
    *("explain", "compare", "draw_dataset", "draw_quality", "draw_audit", "draw_split", "draw_model"),
    *("draw_curves", "draw_explain", "draw_probes", "draw_pairs", "draw_external", "draw_comparison"),
    "report",
}


@dataclass(frozen=True)
class Job:
    """One job of the workflow.

    Parameters
    ----------
    rule
        The rule's name.
    wildcards
        What tells it from the rule's other jobs.
    log
        Its log; its record lies beside it.
    outputs
        What it makes; empty where that is not known.
    """

    rule: str
    wildcards: dict[str, str]
    log: Path
    outputs: tuple[Path, ...]

    @property
    def record(self) -> Path:
        """Where the job tells of itself, as `brainmri.events` writes it."""
        return self.log.with_suffix(".jsonl")

    @property
    def is_done(self) -> bool:
        """Whether all that it makes is there."""
        return all(path.is_file() for path in self.outputs)

    def __str__(self) -> str:
        return " ".join([self.rule, *[f"{key}={value}" for key, value in self.wildcards.items()]])


def jobs_of(study: Study) -> list[Job]:
    """Return every job of a study, in the order in which its stages run."""
    places = study.dataset_splits()
    return [
        *[job for dataset in study.datasets for job in data_jobs(study, dataset)],
        *overlap_jobs(study),
        *[job for place in places for job in split_jobs(study, *place)],
        *[job for run in study.runs() for job in run_jobs(study, run)],
        *[job for place in study.probed() for job in probe_jobs(study, *place)],
        *external_jobs(study),
        *study_jobs(study),
        *[job for dataset in study.datasets for job in drawing_jobs(study, dataset)],
        *[drawn_pairs(study, *place) for place in places],
        *other_jobs(study),
        report_job(study),
    ]


def data_jobs(study: Study, dataset: str) -> Iterator[Job]:
    """Yield what is done once to a data set, for every study."""
    folder, logs = study.data_folder(dataset), study.logs_dir / "data" / dataset

    def job(rule: str, *outputs: str) -> Job:
        return Job(rule, {"dataset": dataset}, logs / f"{rule}.log", tuple(folder / name for name in outputs))

    tables = [f"{name}.parquet" for name in ("duplicates", "groups", "rejected")]
    if study.members_of(dataset):
        yield job("pool", "fetch.json", "inventory.parquet", "audit.json", *tables)
    else:
        yield job("fetch", "fetch.json")
        yield job("checksum", "checksums.parquet")
        yield job("inventory", "inventory.parquet")
    sizes = study.image_sizes()
    tested = {run.dataset for run, other in study.external_tests() if other == dataset}
    own, alike = {sizes[-1]}, []
    for place in sorted(tested):
        if study.prepared_folder(place, dataset) == folder:
            own |= set(sizes)
        else:
            alike += [(place, size) for size in sizes]
    for size in sizes if study.splits_of(dataset) else sorted(own):
        outputs = (folder / f"images_{size}.npy", folder / f"crops_{size}.parquet")
        yield Job("crop", {"dataset": dataset, "size": str(size)}, logs / f"crop_{size}.log", outputs)
    for other, size in alike:
        place = study.prepared_folder(other, dataset)
        outputs = (place / f"images_{size}.npy", place / f"crops_{size}.parquet")
        wildcards = {"dataset": dataset, "other": other, "size": str(size)}
        yield Job("crop_alike", wildcards, logs / f"crop_alike_{other}_{size}.log", outputs)
    yield job("shrink", f"whole_{AUDIT_SIZE}.npy", f"whole_{AUDIT_SIZE}.parquet")
    if not study.members_of(dataset):
        yield job("audit", "audit.json", *tables)


def overlap_jobs(study: Study) -> Iterator[Job]:
    """Yield the comparisons of two data sets."""
    for dataset, other in study.overlapping_pairs():
        log = study.logs_dir / "data" / dataset / f"overlap-{other}.log"
        wildcards = {"dataset": dataset, "other": other}
        yield Job("overlap", wildcards, log, (study.overlap_path(dataset, other),))


def split_jobs(study: Study, dataset: str, split: str) -> Iterator[Job]:
    """Yield what is done to a split of a data set."""
    folder, logs = study.split_folder(dataset, split), study.logs_dir / study.name
    made = {
        "split": [folder / "manifest.parquet", folder / "split.json"],
        "baselines": [folder / "baselines.json", folder / "baselines.parquet"],
        "draw_split": [study.split_figures(dataset, split) / "class_counts.svg"],
    }
    for rule, outputs in made.items():
        log = logs / rule / f"{dataset}-{split}.log"
        yield Job(rule, {"dataset": dataset, "split": split}, log, tuple(outputs))


def probe_jobs(study: Study, dataset: str, split: str) -> Iterator[Job]:
    """Yield what is done with the probes of a split."""
    folder, model = study.probes_folder(dataset, split), study.probed_model()
    made = {
        "probes": (folder / "probes.json", folder / "probes.parquet"),
        "draw_probes": (study.probes_figure(dataset, split),),
    }
    for rule, outputs in made.items():
        log = study.logs_dir / study.name / rule / f"{dataset}-{split}-{model}.log"
        yield Job(rule, {"dataset": dataset, "split": split, "model": model}, log, outputs)


def external_jobs(study: Study) -> Iterator[Job]:
    """Yield the tests of trainings on other data sets, and the figures of them."""
    for run, other in study.external_tests():
        wildcards = {"dataset": run.dataset, "split": run.split, "model": run.model, "seed": str(run.seed)}
        name = f"{run.dataset}-{run.split}-{run.model}-seed{run.seed}-{other}.log"
        log = study.logs_dir / study.name / "predict_external" / name
        yield Job("predict_external", wildcards | {"other": other}, log, (study.external_path(run, other),))
    for model in study.models_tested_outside():
        log = study.logs_dir / study.name / "draw_external" / f"{model}.log"
        yield Job("draw_external", {"model": model}, log, (study.external_figure(model),))


def run_jobs(study: Study, run: Run) -> Iterator[Job]:
    """Yield a training and what is done with its model."""
    made = {
        "train": [run.folder / name for name in ("model.safetensors", "model.json", "history.parquet")],
        "predict_split": [run.folder / name for name in ("predictions.parquet", "calibration.json")],
        "evaluate": [run.folder / name for name in ("metrics.json", "curves.parquet")],
        "plot_data": [run.folder / "plots" / name for name in ("history.csv", "confusion.csv")],
        "draw_model": [
            run.figures / name
            for name in ("curves.svg", "confusion_matrix.svg", "gallery.png", "gallery.parquet")
        ],
        "draw_curves": [
            run.figures / f"{name}.svg"
            for name in ("roc", "precision_recall", "reliability", "risk_coverage", "decision")
        ],
    }
    if study.explain.get("images"):
        folder = run.folder / "explain"
        made["explain"] = [folder / "explain.parquet", folder / "explain.json"]
        made["draw_explain"] = [folder / "panel.png"]
    wildcards = {"dataset": run.dataset, "split": run.split, "model": run.model, "seed": str(run.seed)}
    name = f"{run.dataset}-{run.split}-{run.model}-seed{run.seed}.log"
    for rule, outputs in made.items():
        yield Job(rule, wildcards, study.logs_dir / study.name / rule / name, tuple(outputs))


def study_jobs(study: Study) -> Iterator[Job]:
    """Yield what is done once over all trainings."""
    made = {
        "compare": [
            study.folder / f"{name}.parquet" for name in ("comparison", "pairs", "leakage", "external")
        ],
        "draw_comparison": [study.folder / "figures" / "comparison.svg"],
    }
    for rule, outputs in made.items():
        yield Job(rule, {}, study.logs_dir / study.name / f"{rule}.log", tuple(outputs))


def drawing_jobs(study: Study, dataset: str) -> Iterator[Job]:
    """Yield the figures of a data set."""
    folder = study.dataset_figures(dataset)
    sheets = ("groups", "across", "conflicts", "weakest", "rejected", "neighbours")
    made = {
        "draw_dataset": [folder / "samples.png", folder / "crops.png"],
        "draw_audit": [folder / "copies" / f"{sheet}.png" for sheet in sheets],
        "draw_quality": [folder / "quality.png"],
    }
    for rule, outputs in made.items():
        log = study.logs_dir / study.name / rule / f"{dataset}.log"
        yield Job(rule, {"dataset": dataset}, log, tuple(outputs))


def drawn_pairs(study: Study, dataset: str, split: str) -> Job:
    """Return the job that draws the models of a split against each other."""
    log = study.logs_dir / study.name / "draw_pairs" / f"{dataset}-{split}.log"
    output = study.split_figures(dataset, split) / "pairs.svg"
    return Job("draw_pairs", {"dataset": dataset, "split": split}, log, (output,))


def other_jobs(study: Study) -> Iterator[Job]:
    """Yield the jobs of rules that are not listed here, as far as they have left a record."""
    for record in sorted((study.logs_dir / study.name).rglob("*.jsonl")):
        named = record.parent.name if record.parent.name != study.name else record.stem
        if named not in LISTED:
            wildcards = {"of": record.stem} if named != record.stem else {}
            yield Job(named, wildcards, record.with_suffix(".log"), ())
    for dataset in study.datasets:
        for record in sorted((study.logs_dir / "data" / dataset).glob("*.jsonl")):
            # crop_64, crop_alike_north_64 and overlap-north are those of rules that are listed.
            if not any(re.fullmatch(rf"{name}([-_].*)?", record.stem) for name in LISTED):
                named = re.split(r"-|_\d", record.stem)[0]
                wildcards = {"dataset": dataset} | ({"of": record.stem} if named != record.stem else {})
                yield Job(named, wildcards, record.with_suffix(".log"), ())


def report_job(study: Study) -> Job:
    """Return the job that writes the page."""
    page = study.folder / "report" / "index.html"
    return Job("report", {}, study.logs_dir / study.name / "report.log", (page,))


def document_of(study: Study) -> dict:
    """Return what a study is, as JSON holds it; where files lie on a machine is no part of it."""
    names = [item.name for item in fields(Study) if not item.name.endswith("_dir")]
    return {name: getattr(study, name) for name in names}


def remember(study: Study) -> None:
    """Keep what a study is beside its logs; it is no artefact, and nothing is made from it."""
    # Not above: it takes pandas along, and `brainmri status` shall start at once.
    from brainmri.artefacts import write_text

    document = json.dumps(document_of(study), ensure_ascii=False)
    write_text(document + "\n", study.logs_dir / study.name / REMEMBERED)


def remembered(path: Path) -> Study:
    """Return the study that `remember` kept.

    Raises
    ------
    BrainmriError
        If the file is missing, or holds no study.
    """
    try:
        study = Study(**json.loads(path.read_text(encoding="utf-8")))
        jobs_of(study)
    except (OSError, ValueError, TypeError, AttributeError, KeyError, IndexError) as error:
        raise BrainmriError(
            f"{path} tells of no study ({error}): name its configuration with --configfile, or run it again."
        ) from None
    return study
