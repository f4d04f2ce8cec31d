"""The page: gathers what the artefacts say into plain dictionaries and fills the template with it."""

import base64
import hashlib
import platform
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from brainmri import __version__
from brainmri.reporting.embedding import Artefacts
from brainmri.reporting.names import class_title
from brainmri.reporting.page_audit import copies_context
from brainmri.reporting.page_claims import claim_rows
from brainmri.reporting.page_comparison import best_leak_free, comparison_rows, summary_tables
from brainmri.reporting.page_data import dataset_context, split_context
from brainmri.reporting.page_external import external_context
from brainmri.reporting.page_jobs import jobs_context
from brainmri.reporting.page_leakage import against_base, leakage_context
from brainmri.reporting.page_models import run_context
from brainmri.reporting.page_overlap import overlap_rows
from brainmri.reporting.page_pairs import (
    baseline_lines,
    baseline_rows,
    baseline_warnings,
    beside_models,
    not_told_apart,
    pair_tables,
)
from brainmri.reporting.page_probes import probe_warnings, probes_context
from brainmri.reporting.page_warnings import seed_notes, warning_places, warnings_of, with_sources
from brainmri.study import Study


def page_context(study: Study, folder: Path) -> dict:
    """Return all that the template prints.

    Parameters
    ----------
    study
        The study.
    folder
        The page's folder, which links are relative to.

    Raises
    ------
    BrainmriError
        If an artefact that the study names is missing or cannot be read.
    """
    artefacts = Artefacts(folder)
    datasets = [dataset_context(study, dataset, artefacts) for dataset in study.datasets]
    splits = [split_context(study, dataset, split, artefacts) for dataset, split in study.dataset_splits()]
    runs = [run_context(study, run, artefacts) for run in study.runs()]
    tables = summary_tables(datasets, splits, runs)
    audits = [copies_context(study, table["dataset"], artefacts) for table in tables]
    claims = claim_rows(study, runs, tables)
    best = [best for table in tables if (best := best_leak_free(table, splits, runs))]
    pairs = pair_tables(study, artefacts)
    best = [leader | {"alike": not_told_apart(pairs, leader)} for leader in best]
    beside, baselines = beside_models(study), baseline_rows(study, artefacts)
    unbeaten = baseline_warnings(beside, artefacts.link(study.folder / "pairs.parquet"), splits)
    external = external_context(study, tables, best, artefacts)
    unbeaten += external["warnings"] if external else []
    probed = probes_context(study, artefacts)
    unbeaten += [*probe_warnings(probed, splits), *seed_notes(study.seeds)]
    warnings = warnings_of(datasets, splits, runs, claims, unbeaten)
    leakage = leakage_context(study, best, artefacts)
    comparison = artefacts.link(study.folder / "comparison.parquet")
    figure = study.folder / "figures" / "comparison.svg"
    alt = "Accuracy and macro-F1 with intervals, of every model and protocol; the table has the numbers"
    return {
        "study": study.name,
        # Those that a model of the study can know.
        "class_names": [
            class_title(name)
            for name in study.class_names
            if not all(name in split["absent_classes"] for split in splits)
        ],
        "seeds": study.seeds,
        "datasets": datasets,
        "audits": audits,
        "overlaps": overlap_rows(study, artefacts),
        "splits": splits,
        "runs": runs,
        "tables": tables,
        "best": best,
        "external": external,
        "leakage": leakage,
        "against_base": against_base(tables, leakage),
        "pairs": pairs,
        "baselines": baselines,
        "baseline_lines": {table["dataset"]: baseline_lines(table, baselines) for table in tables},
        "beside": beside,
        "probes": probed,
        "warnings": with_sources(warnings, warning_places(datasets, splits, runs)),
        "comparison": {
            "rows": comparison_rows(runs, splits),
            "figure": artefacts.figure(figure, alt),
            "link": comparison,
        },
        "claims": claims,
        "versions": versions(runs),
        "jobs": jobs_context(study),
        "artefacts": sorted(artefacts.shown.values(), key=lambda link: link["name"]),
    }


def versions(runs: list[dict]) -> list[tuple[str, str]]:
    """Return the versions that made the page and, where they were recorded, those that trained the models."""
    found = {"brainmri (this page)": {__version__}, "Python (this page)": {platform.python_version()}}
    for run in runs:
        metadata = run["metadata"]
        recorded = {"brainmri (training)": metadata.get("brainmri_version")}
        for name, version in (metadata.get("versions") or {}).items():
            recorded[f"{name} (training)"] = version
        for name, version in recorded.items():
            if version is not None:
                found.setdefault(name, set()).add(str(version))
    return [(name, ", ".join(sorted(values))) for name, values in found.items()]


def rendered(context: dict) -> str:
    """Return the page as HTML: nothing outside it is needed to read it.

    Parameters
    ----------
    context
        What `page_context` returned.
    """
    environment = Environment(
        loader=PackageLoader("brainmri.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    source = {name: environment.loader.get_source(environment, name)[0] for name in ("style.css", "page.js")}
    # Only this very script may run: a name in a data set that held another could not.
    digest = hashlib.sha256(source["page.js"].encode()).digest()
    return environment.get_template("page.html.j2").render(
        **context,
        style=Markup(source["style.css"]),
        script=Markup(source["page.js"]),
        script_digest=base64.b64encode(digest).decode("ascii"),
    )
