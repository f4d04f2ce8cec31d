"""Whether artefacts are what brainmri wrote and were made from one another, by the digests they hold."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from brainmri.artefacts import (
    CONTENT_KEY,
    SOURCES_KEY,
    TABLE_SOURCES_KEY,
    any_table_bytes,
    metadata_in,
    read_whole_json,
    sources_in,
)
from brainmri.digests import digest_of, file_digest
from brainmri.errors import BrainmriError
from brainmri.jobs import jobs_of
from brainmri.seals import seal_of
from brainmri.study import Run, Study

# What a model's documents call the digests of its files.
OWN_KEYS = {"manifest_sha256": "manifest.parquet", "weights_sha256": "model.safetensors"}
SEALED = (".json", ".parquet")


@dataclass(frozen=True)
class Sealed:
    """An artefact, and what it says of itself.

    Parameters
    ----------
    path
        A `.json` or `.parquet` file, or a packed array, which says nothing of itself.
    """

    path: Path

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the file."""
        return file_digest(self.path)

    @cached_property
    def _facts(self) -> tuple[str | None, str | None, list]:
        if self.path.suffix == ".npy":
            return "", "", []
        return facts_of_document(self.path) if self.path.suffix == ".json" else facts_of_table(self.path)

    @property
    def is_changed(self) -> bool:
        """Whether its content is not what its own digest was taken of."""
        kept, found, _ = self._facts
        return kept is not None and kept != found

    @property
    def is_unsealed(self) -> bool:
        """Whether it holds no digest of itself, as what an earlier version wrote."""
        return self._facts[0] is None

    def digests_of(self, name: str) -> set[str]:
        """Return the digests of the files of a name that it was made from; none where it does not say."""
        return {digest for source, digest in self._facts[2] if source == name}


def facts_of_document(path: Path) -> tuple[str | None, str | None, list]:
    """Return the digest that a JSON document holds of itself, the one it has, and those of its sources."""
    document = read_whole_json(path)
    if not isinstance(document, dict):
        return None, None, []
    kept = document.pop(CONTENT_KEY, None)
    found = digest_of(document)
    if kept not in (None, found):
        return kept, found, []  # what it says of its sources may be changed as well
    sources = [(name, document[key]) for key, name in OWN_KEYS.items() if isinstance(document.get(key), str)]
    return kept, found, [*sources, *document.get(SOURCES_KEY, [])]


def facts_of_table(path: Path) -> tuple[str | None, str | None, list]:
    """Return the digest that a table holds of its content, the one it has, and those of its sources."""
    data = any_table_bytes(path)
    kept, found = seal_of(data)
    if kept != found:
        return kept, found, []  # what it says of its sources may be changed as well
    metadata = metadata_in(data, path)
    if kept is None:
        # Another program keeps some of what brainmri writes, or nothing; an earlier version knew no sources.
        is_old = b"brainmri.version" in metadata and TABLE_SOURCES_KEY not in metadata
        return None if is_old else "", None, []
    return kept, found, sources_in(metadata, path)


@dataclass
class Integrity:
    """The artefacts of a study, each looked at once."""

    seen: dict[Path, Sealed] = field(default_factory=dict)

    def artefact(self, path: Path) -> Sealed:
        """Return an artefact."""
        return self.seen.setdefault(Path(path), Sealed(Path(path)))

    def faults(self, study: Study) -> dict[Path, str]:
        """Return each file of a study that is not what it was, with what shows it.

        A file that is not there is left to who needs it. Where a file was changed, what was made from it and
        what it was made from are not blamed.
        """
        # What an earlier configuration left beside is no artefact of this study.
        own = {path for job in jobs_of(study) for path in job.outputs}
        pairs = [(made, source) for made, source in derivations(study) if made in own and made.is_file()]
        pairs = [(made, source) for made, source in pairs if source.is_file()]
        standing = [path for path in other_artefacts(study) if path.is_file()]
        found = self.changed([path for pair in pairs for path in pair] + standing)
        for made, source in pairs:
            if made in found or source in found:
                continue
            known = self.artefact(made).digests_of(source.name)
            if known and self.artefact(source).digest not in known:
                found[source] = f"is not the file that {made} was made from"
        for run in study.runs():
            model = run.folder / "model.json"
            outside = [study.external_path(run, other) for other in study.tested_outside(run.dataset)]
            for made in (run.folder / "predictions.parquet", run.folder / "calibration.json", *outside):
                if {model, made} & set(found) or not (model.is_file() and made.is_file()):
                    continue
                known, told = (self.artefact(path).digests_of("model.safetensors") for path in (made, model))
                if known and told and known != told:
                    found[model] = f"describes other weights than {made} was made with"
        return found

    def changed(self, paths: Iterable[Path]) -> dict[Path, str]:
        """Return those of some files whose content is not what was written."""
        wrong = [path for path in dict.fromkeys(paths) if self.artefact(path).is_changed]
        return dict.fromkeys(wrong, "was changed since it was written")

    def unsealed(self) -> list[Path]:
        """Return the files looked at that hold no digest of themselves."""
        return sorted(path for path, artefact in self.seen.items() if artefact.is_unsealed)


def refuse(found: dict[Path, str]) -> None:
    """Raise BrainmriError that names every file at fault; do nothing where there is none.

    Parameters
    ----------
    found
        Each file and what is wrong with it.
    """
    if found:
        told = "; ".join(f"{path} {what}" for path, what in found.items())
        raise BrainmriError(
            f"The page would tell what was not measured: {told}. Delete what is named and run again: it is "
            "made anew."
        )


def derivations(study: Study) -> list[tuple[Path, Path]]:
    """Return what was made from what: pairs of an artefact and one of its sources."""
    pairs = []
    for dataset in study.datasets:
        pairs += data_derivations(study, dataset)
    for names in study.overlapping_pairs():
        path = study.overlap_path(*names)
        pairs += [(path, study.data_folder(name) / "inventory.parquet") for name in names]
    for dataset, split in study.dataset_splits():
        manifest = study.split_folder(dataset, split) / "manifest.parquet"
        inventory, groups = (
            study.data_folder(dataset) / f"{name}.parquet" for name in ("inventory", "groups")
        )
        guesses = manifest.with_name("baselines.parquet")
        pairs += [(manifest, inventory), (manifest, groups), (manifest.with_name("split.json"), manifest)]
        pairs += [(guesses, manifest), (guesses, inventory), (manifest.with_name("baselines.json"), guesses)]
    for place in study.probed():
        said, manifest = (
            study.probes_folder(*place) / "probes.parquet",
            study.split_folder(*place) / "manifest.parquet",
        )
        pairs += [(said, manifest), (said.with_suffix(".json"), manifest), (said.with_suffix(".json"), said)]
    for run in study.runs():
        pairs += run_derivations(study, run)
    return pairs + comparison_derivations(study)


def data_derivations(study: Study, dataset: str) -> list[tuple[Path, Path]]:
    """Return what was made from what of a data set."""
    folder, members = study.data_folder(dataset), study.members_of(dataset)
    inventory, audit = folder / "inventory.parquet", folder / "audit.json"
    tables = [folder / f"{name}.parquet" for name in ("duplicates", "groups", "rejected")]
    pairs = [(audit, source) for source in (inventory, *tables[:2])]
    for size in study.image_sizes():
        crops = folder / f"crops_{size}.parquet"
        pairs += [(crops, inventory), (crops, folder / f"images_{size}.npy")]
    if not members:
        return [*pairs, (inventory, folder / "checksums.parquet"), *[(table, inventory) for table in tables]]
    sources = [
        study.data_folder(member) / f"{name}.parquet"
        for member in members
        for name in ("inventory", "duplicates", "rejected")
    ]
    sources += [study.overlap_path(*two) for two in study.overlapping_pairs() if set(two) <= set(members)]
    return pairs + [(table, source) for table in (inventory, *tables) for source in sources]


def comparison_derivations(study: Study) -> list[tuple[Path, Path]]:
    """Return what was made from what of the tables of all trainings."""
    comparison, *tested = (study.folder / f"{name}.parquet" for name in ("comparison", "pairs", "leakage"))
    metrics = [run.folder / "metrics.json" for run in study.runs()]
    sources = [*metrics, *[run.folder / "predictions.parquet" for run in study.runs()]]
    sources += [study.split_folder(*place) / "baselines.parquet" for place in study.dataset_splits()]
    pairs = [(comparison, source) for source in metrics]
    applied = [study.external_path(*test) for test in study.external_tests()]
    of_runs = sources[: 2 * len(metrics)]
    pairs += [(study.folder / "external.parquet", source) for source in (*of_runs, *applied)]
    return pairs + [(table, source) for table in tested for source in sources]


def run_derivations(study: Study, run: Run) -> list[tuple[Path, Path]]:
    """Return what was made from what of a training."""
    manifest = study.split_folder(run.dataset, run.split) / "manifest.parquet"
    predictions, calibration = run.folder / "predictions.parquet", run.folder / "calibration.json"
    from_manifest = (run.folder / "model.json", run.folder / "history.parquet", predictions, calibration)
    metrics, curves = run.folder / "metrics.json", run.folder / "curves.parquet"
    maps = run.folder / "explain" / "explain.parquet"
    return [
        *[(made, manifest) for made in (*from_manifest, maps)],
        *[(made, source) for made in (metrics, curves, maps) for source in (predictions, calibration)],
        (maps.with_name("explain.json"), maps),
        *[
            (study.external_path(run, other), source)
            for other in study.tested_outside(run.dataset)
            for source in (
                *(manifest, predictions, calibration, study.overlap_of(run.dataset, other)),
                *(study.data_folder(other) / name for name in ("inventory.parquet", "groups.parquet")),
            )
        ],
        *[(run.figures / "gallery.parquet", source) for source in (predictions, metrics)],
    ]


def other_artefacts(study: Study) -> list[Path]:
    """Return the artefacts that the page shows and no other names as its source."""
    return [study.data_folder(dataset) / "fetch.json" for dataset in study.datasets]
