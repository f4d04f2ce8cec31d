"""The jobs of a study: each rule with its wildcards, its log and what it makes, as the workflow has them.

`brainmri status` and the page read the jobs' own records by it. tests/workflow compares it with what
Snakemake plans and makes.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from brainmri.errors import BrainmriError
from brainmri.study import Run, Study

# What a study is, beside its logs, since the workflow last ran it.
REMEMBERED = "study.json"
# Pixels a side of the whole images in which copies are looked for.
AUDIT_SIZE = 256
DATA, OF_SPLIT = "{data}/{dataset}", "{study}/{dataset}/{split}"
RUN, FIGURES = OF_SPLIT + "/{model}/seed{seed}", "{study}/figures/{dataset}"
FIGURES_OF_RUN = FIGURES + "/{split}/{model}/seed{seed}"
COPIES = [f"{DATA}/{name}.parquet" for name in ("duplicates", "groups", "rejected")]
SHEETS = ("groups", "across", "conflicts", "weakest", "rejected", "neighbours")
# What each rule makes, as workflow/rules say it. A rule that is not listed is known by its record alone.
MADE = {
    "fetch": [f"{DATA}/fetch.json"],
    "checksum": [f"{DATA}/checksums.parquet"],
    "inventory": [f"{DATA}/inventory.parquet"],
    "pool": [f"{DATA}/fetch.json", f"{DATA}/inventory.parquet", f"{DATA}/audit.json", *COPIES],
    "crop": [f"{DATA}/images_{{size}}.npy", f"{DATA}/crops_{{size}}.parquet"],
    "crop_alike": [
        f"{DATA}/alike/{{other}}/{name}" for name in ("images_{size}.npy", "crops_{size}.parquet")
    ],
    "shrink": [f"{DATA}/whole_{AUDIT_SIZE}.npy", f"{DATA}/whole_{AUDIT_SIZE}.parquet"],
    "audit": [f"{DATA}/audit.json", *COPIES],
    "overlap": [f"{DATA}/overlap/{{other}}.parquet"],
    "split": [f"{OF_SPLIT}/manifest.parquet", f"{OF_SPLIT}/split.json"],
    "baselines": [f"{OF_SPLIT}/baselines.json", f"{OF_SPLIT}/baselines.parquet"],
    "draw_split": [f"{FIGURES}/{{split}}/class_counts.svg"],
    "train": [f"{RUN}/{name}" for name in ("model.safetensors", "model.json", "history.parquet")],
    "predict_split": [f"{RUN}/predictions.parquet", f"{RUN}/calibration.json"],
    "evaluate": [f"{RUN}/metrics.json", f"{RUN}/curves.parquet"],
    "plot_data": [f"{RUN}/plots/history.csv", f"{RUN}/plots/confusion.csv"],
    "draw_model": [
        f"{FIGURES_OF_RUN}/{name}"
        for name in ("curves.svg", "confusion_matrix.svg", "gallery.png", "gallery.parquet")
    ],
    "draw_curves": [
        f"{FIGURES_OF_RUN}/{name}.svg"
        for name in ("roc", "precision_recall", "reliability", "risk_coverage", "decision")
    ],
    "explain": [f"{RUN}/explain/explain.parquet", f"{RUN}/explain/explain.json"],
    "draw_explain": [f"{RUN}/explain/panel.png"],
    "probes": [f"{OF_SPLIT}/probes/{{model}}/probes.{ending}" for ending in ("json", "parquet")],
    "draw_probes": [f"{FIGURES}/{{split}}/probes/{{model}}/probes.png"],
    "predict_external": [f"{RUN}/external/{{other}}.parquet"],
    "draw_external": ["{study}/figures/external/{model}.svg"],
    "compare": [f"{{study}}/{name}.parquet" for name in ("comparison", "pairs", "leakage", "external")],
    "draw_comparison": ["{study}/figures/comparison.svg"],
    "draw_dataset": [f"{FIGURES}/samples.png", f"{FIGURES}/crops.png"],
    "draw_audit": [f"{FIGURES}/copies/{sheet}.png" for sheet in SHEETS],
    "draw_quality": [f"{FIGURES}/quality.png"],
    "draw_pairs": [f"{FIGURES}/{{split}}/pairs.svg"],
    "report": ["{study}/report/index.html"],
}
# These lie with their data set's logs, and serve every study.
LOGS_OF_DATA = {
    **{rule: rule for rule in ("fetch", "checksum", "inventory", "pool", "shrink", "audit")},
    "crop": "crop_{size}",
    "crop_alike": "crop_alike_{other}_{size}",
    "overlap": "overlap-{other}",
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
    listed = [job_of(study, rule, wildcards) for rule, wildcards in planned(study)]
    return [*listed, *other_jobs(study), job_of(study, "report", {})]


def job_of(study: Study, rule: str, wildcards: dict) -> Job:
    """Return the job of a listed rule."""
    told = {name: str(value) for name, value in wildcards.items()}
    if rule in LOGS_OF_DATA:
        log = study.logs_dir / "data" / told["dataset"] / LOGS_OF_DATA[rule].format(**told)
    else:
        values = [f"seed{value}" if name == "seed" else value for name, value in told.items()]
        log = study.logs_dir.joinpath(study.name, rule, *(["-".join(values)] if values else []))
    folders = {"data": study.data_dir, "study": study.folder}
    outputs = [Path(pattern.format(**folders, **told)) for pattern in MADE[rule]]
    return Job(rule, told, log.with_name(f"{log.name}.log"), tuple(outputs))


def planned(study: Study) -> Iterator[tuple[str, dict]]:
    """Yield each job of a study, but its report: rule and wildcards."""
    for dataset in study.datasets:
        yield from data_jobs(study, dataset)
    for dataset, other in study.overlapping_pairs():
        yield "overlap", {"dataset": dataset, "other": other}
    for dataset, split in study.dataset_splits():
        yield from each(("split", "baselines", "draw_split"), dataset=dataset, split=split)
    of_run = ("train", "predict_split", "evaluate", "plot_data", "draw_model", "draw_curves")
    of_run += ("explain", "draw_explain") if study.explain.get("images") else ()
    for run in study.runs():
        yield from each(of_run, **wildcards_of(run))
    for dataset, split in study.probed():
        yield from each(("probes", "draw_probes"), dataset=dataset, split=split, model=study.probed_model())
    for run, other in study.external_tests():
        yield "predict_external", wildcards_of(run) | {"other": other}
    for model in study.models_tested_outside():
        yield "draw_external", {"model": model}
    yield from each(("compare", "draw_comparison"))
    for dataset in study.datasets:
        yield from each(("draw_dataset", "draw_audit", "draw_quality"), dataset=dataset)
    for dataset, split in study.dataset_splits():
        yield "draw_pairs", {"dataset": dataset, "split": split}


def each(rules: Iterable[str], **wildcards) -> Iterator[tuple[str, dict]]:
    """Yield several rules with the same wildcards."""
    yield from ((rule, wildcards) for rule in rules)


def wildcards_of(run: Run) -> dict:
    """Return what tells a training from the others."""
    return {name: getattr(run, name) for name in ("dataset", "split", "model", "seed")}


def data_jobs(study: Study, dataset: str) -> Iterator[tuple[str, dict]]:
    """Yield what is done once to a data set, for every study: rule and wildcards."""
    is_pooled = bool(study.members_of(dataset))
    yield from each(("pool",) if is_pooled else ("fetch", "checksum", "inventory"), dataset=dataset)
    sizes = study.image_sizes()
    tested = {run.dataset for run, other in study.external_tests() if other == dataset}
    own, alike = {sizes[-1]}, []
    for place in sorted(tested):
        if study.prepared_folder(place, dataset) == study.data_folder(dataset):
            own |= set(sizes)
        else:
            alike += [place]
    for size in sizes if study.splits_of(dataset) else sorted(own):
        yield "crop", {"dataset": dataset, "size": size}
    for other in alike:
        for size in sizes:
            yield "crop_alike", {"dataset": dataset, "other": other, "size": size}
    yield from each(("shrink",) if is_pooled else ("shrink", "audit"), dataset=dataset)


def other_jobs(study: Study) -> Iterator[Job]:
    """Yield the jobs of rules that are not listed here, as far as they have left a record."""
    for record in sorted((study.logs_dir / study.name).rglob("*.jsonl")):
        named = record.parent.name if record.parent.name != study.name else record.stem
        if named not in MADE:
            wildcards = {"of": record.stem} if named != record.stem else {}
            yield Job(named, wildcards, record.with_suffix(".log"), ())
    for dataset in study.datasets:
        for record in sorted((study.logs_dir / "data" / dataset).glob("*.jsonl")):
            # crop_64, crop_alike_north_64 and overlap-north are those of rules that are listed.
            if not any(re.fullmatch(rf"{name}([-_].*)?", record.stem) for name in MADE):
                named = re.split(r"-|_\d", record.stem)[0]
                wildcards = {"dataset": dataset} | ({"of": record.stem} if named != record.stem else {})
                yield Job(named, wildcards, record.with_suffix(".log"), ())


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
