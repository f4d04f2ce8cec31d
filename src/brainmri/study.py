"""A study: which data sets, splits, models and seeds it crosses, and where their artefacts lie."""

from dataclasses import dataclass, field, fields
from itertools import combinations
from pathlib import Path

from brainmri.errors import BrainmriError


@dataclass(frozen=True)
class Run:
    """One training: a model on a split of a data set with a seed."""

    dataset: str
    split: str
    model: str
    seed: int
    study_folder: Path

    @property
    def folder(self) -> Path:
        """Where the run's artefacts lie."""
        return self.study_folder / self.place

    @property
    def figures(self) -> Path:
        """Where the run's figures lie."""
        return self.study_folder / "figures" / self.place

    @property
    def place(self) -> Path:
        """The run's folder relative to the study's."""
        return Path(self.dataset, self.split, self.model, f"seed{self.seed}")


@dataclass(frozen=True)
class Study:
    """The names that a study crosses, as configured.

    Parameters
    ----------
    name
        The configuration's key `study`.
    datasets
        Data sets by name; the key `splits` of one restricts the splits that it takes part in.
    splits
        Split settings by name.
    models
        Recipes by name.
    seeds
        Seeds of the trainings.
    class_names
        The canonical classes in the order of their label index.
    claims
        Published figures that the report prints beside ours.
    explain
        How much is explained: `images` of each training; none where 0 or missing.
    external
        Whether each model is tested on every other fetched data set.
    probes
        What is probed: `epochs` of each short training (none where 0 or missing), `model` (the first where
        null or not in the study), `splits` (all where null).
    archives_dir
        Where the zip of a Kaggle set is looked for before it is downloaded.
    weights_dir
        Where the pretrained weights of an architecture are looked for before they are downloaded.
    data_dir
        Where what is known about the data sets lies.
    results_dir
        Where the studies' folders lie.
    logs_dir
        Where the logs of all jobs lie, and beside them what the jobs tell of themselves.
    """

    name: str
    datasets: dict[str, dict]
    splits: dict[str, dict]
    models: dict[str, dict]
    seeds: list[int]
    class_names: list[str]
    claims: list[dict] = field(default_factory=list)
    explain: dict = field(default_factory=dict)
    external: bool = False
    probes: dict = field(default_factory=dict)
    archives_dir: str = "data/archives"
    weights_dir: str = "data/weights"
    data_dir: Path = Path("data")
    results_dir: Path = Path("results")
    logs_dir: Path = Path("logs")

    @classmethod
    def from_config(cls, config: dict) -> "Study":
        """Return the study that a checked configuration describes."""
        names = [item.name for item in fields(cls) if item.name in config]
        return cls(name=config["study"], **{name: config[name] for name in names})

    @property
    def folder(self) -> Path:
        """Where the study's results lie."""
        return self.results_dir / self.name

    def data_folder(self, dataset: str) -> Path:
        """Where what is known about a data set lies."""
        return self.data_dir / dataset

    def members_of(self, dataset: str) -> list[str]:
        """Return the names of the data sets that one is pooled from; none where it is fetched."""
        return list((self.datasets[dataset].get("source") or {}).get("datasets") or [])

    def fetched(self) -> list[str]:
        """Return the names of the data sets that have files of their own."""
        return [dataset for dataset in self.datasets if not self.members_of(dataset)]

    def pooled(self) -> list[str]:
        """Return the names of the data sets that are pooled from others."""
        return [dataset for dataset in self.datasets if self.members_of(dataset)]

    def raw_folder(self, dataset: str) -> Path:
        """Return the folder that the paths in a data set's inventory start from."""
        return self.data_dir if self.members_of(dataset) else self.data_folder(dataset) / "raw"

    def local_archive(self, dataset: str) -> Path | None:
        """Return the archive that a data set is read from, where one lies on this machine."""
        source = self.datasets[dataset]["source"]
        if "kaggle" in source:
            return present(Path(self.archives_dir, f"{source['kaggle']}.zip"))
        return present(source.get("archive"))

    def source_directory(self, dataset: str) -> Path | None:
        """Return the folder that a data set is copied from, whether it lies on this machine or not."""
        directory = self.datasets[dataset]["source"].get("directory")
        return Path(directory) if directory else None

    def label_table(self, dataset: str) -> Path | None:
        """Return the table that labels a data set, where it lies here and not among the raw files."""
        table = present(self.datasets[dataset]["layout"]["table"])
        return None if table and self.raw_folder(dataset).resolve() in table.resolve().parents else table

    def local_weights(self, model: str) -> Path | None:
        """Return the pretrained weights that a model starts from, where they lie on this machine."""
        recipe = self.models[model]
        if recipe.get("pretrained") is True:
            return present(Path(self.weights_dir, f"{recipe['architecture']}.safetensors"))
        return present(recipe.get("pretrained"))

    def dataset_folder(self, dataset: str) -> Path:
        """Where the study's results on a data set lie."""
        return self.folder / dataset

    def split_folder(self, dataset: str, split: str) -> Path:
        """Where the study's results on a split of a data set lie."""
        return self.dataset_folder(dataset) / split

    def dataset_figures(self, dataset: str) -> Path:
        """Where the figures of a data set lie."""
        return self.folder / "figures" / dataset

    def split_figures(self, dataset: str, split: str) -> Path:
        """Where the figures of a split lie."""
        return self.dataset_figures(dataset) / split

    def overlapping_pairs(self) -> list[tuple[str, str]]:
        """Return every pair of fetched data sets, whose images are compared, in alphabetical order."""
        return list(combinations(sorted(self.fetched()), 2))

    def overlap_path(self, dataset: str, other: str) -> Path:
        """Where the images that two data sets share are told."""
        return self.data_folder(dataset) / "overlap" / f"{other}.parquet"

    def overlap_of(self, dataset: str, other: str) -> Path:
        """Where the images that two data sets share are told, whichever is named first."""
        return self.overlap_path(*sorted((dataset, other)))

    def common_classes(self, dataset: str, other: str) -> list[str]:
        """Return the classes that two fetched data sets can both have, as far as their settings tell."""
        mapped = [self.datasets[name].get("classes") or self.class_names for name in (dataset, other)]
        return [name for name in self.class_names if all(name in own for own in mapped)]

    def tested_outside(self, dataset: str) -> list[str]:
        """Return the other data sets that models of one are tested on: fetched, with two common classes.

        Models of pooled sets are tested on none: the protocol `leave_one_out` leaves a member out for them.
        """
        if not self.external or self.members_of(dataset):
            return []
        others = [other for other in self.fetched() if other != dataset]
        return [other for other in others if len(self.common_classes(dataset, other)) > 1]

    def external_tests(self) -> list[tuple[Run, str]]:
        """Return every training with every other data set that it is tested on."""
        return [(run, other) for run in self.runs() for other in self.tested_outside(run.dataset)]

    def external_path(self, run: Run, other: str) -> Path:
        """Where it is told what a training says of another data set."""
        return run.folder / "external" / f"{other}.parquet"

    def prepared_folder(self, dataset: str, other: str) -> Path:
        """Where another data set's images lie, cropped as one is: where both crops are equal, one serves."""
        folder = self.data_folder(other)
        alike = self.datasets[dataset].get("crop") == self.datasets[other].get("crop")
        return folder if alike else folder / "alike" / dataset

    def models_tested_outside(self) -> list[str]:
        """Return the models that have a matrix of data sets."""
        return list(dict.fromkeys(run.model for run, _ in self.external_tests()))

    def external_figure(self, model: str) -> Path:
        """Where a model's matrix of data sets lies."""
        return self.folder / "figures" / "external" / f"{model}.svg"

    def splits_of(self, dataset: str) -> list[str]:
        """Return the names of the splits that a data set takes part in: those it names, else all that fit."""
        named = self.datasets[dataset].get("splits")
        if named is not None:
            return list(named)
        tests = {name: split.get("test_dataset") for name, split in self.splits.items()}
        members = self.members_of(dataset)
        return [name for name, tested in tests.items() if tested is None or tested in members]

    def image_sizes(self) -> list[int]:
        """Return the sizes (pixels a side) in which the models want their images, ascending."""
        for name, recipe in self.models.items():
            if "image_size" not in recipe:
                raise BrainmriError(f"The model '{name}' of the study '{self.name}' lacks its image_size.")
        return sorted({recipe["image_size"] for recipe in self.models.values()})

    def dataset_splits(self) -> list[tuple[str, str]]:
        """Return every (data set, split) of the study, in the order of the configuration."""
        return [(dataset, split) for dataset in self.datasets for split in self.splits_of(dataset)]

    def probed(self) -> list[tuple[str, str]]:
        """Return every (data set, split) that is probed, in the order of the configuration."""
        if not self.probes.get("epochs"):
            return []
        splits = self.probes.get("splits")
        return [place for place in self.dataset_splits() if splits is None or place[1] in splits]

    def probed_model(self) -> str:
        """Return the name of the model that is probed."""
        named = self.probes.get("model")
        return named if named in self.models else next(iter(self.models))

    def probes_folder(self, dataset: str, split: str) -> Path:
        """Where the probes of a split lie."""
        return self.split_folder(dataset, split) / "probes" / self.probed_model()

    def probes_figure(self, dataset: str, split: str) -> Path:
        """Where the figure of the probes of a split lies."""
        return self.split_figures(dataset, split) / "probes" / self.probed_model() / "probes.png"

    def runs(self) -> list[Run]:
        """Return every training of the study, in the order of the configuration."""
        return [
            Run(dataset, split, model, seed, self.folder)
            for dataset, split in self.dataset_splits()
            for model in self.models
            for seed in self.seeds
        ]


def present(file: Path | str | None) -> Path | None:
    """Return a file that is named and lies on this machine, else None."""
    return Path(file) if file and Path(file).exists() else None
