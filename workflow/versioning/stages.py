"""Write dvc.yaml from config/config.yaml: the stages of the default study, what each reads and makes.

    python workflow/versioning/stages.py

Plain Python, like `brainmri.study`: it knows the configuration, and of files only what git keeps, so that
it writes the same on every machine.
"""

from functools import cache
from pathlib import Path

import jinja2
import yaml

from brainmri.artefacts import write_text
from brainmri.code import PACKAGE, code_of
from brainmri.jobs import AUDIT_SIZE, data_jobs
from brainmri.splits.folds import fold_names
from brainmri.status import configured
from brainmri.study import Study

ROOT = Path(__file__).parents[2]
CONFIG = Path("config/config.yaml")
STAGES = Path("dvc.yaml")


def stages_text(config: Path = CONFIG) -> str:
    """Return what dvc.yaml is for a configuration.

    Parameters
    ----------
    config
        The configuration, a YAML file.

    Raises
    ------
    BrainmriError
        If the configuration is at fault.
    """
    written = yaml.safe_load(config.read_text(encoding="utf-8"))
    study = configured(config)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("dvc.yaml.j2").render(
        study=study,
        audit_size=AUDIT_SIZE,
        shown_size=max(study.image_sizes()),
        sizes=sizes_of(study),
        as_written={
            own: name for name, split in written["splits"].items() for own in fold_names(name, split)
        },
        phantoms=[
            name for name in study.fetched() if study.datasets[name]["source"].get("phantom") is not None
        ],
        locked=[name for name in study.fetched() if Path(f"config/checksums/{name}.sha256").is_file()],
        has_files_outside=has_files_outside(study),
        rules=[file.relative_to(ROOT).as_posix() for file in sorted(ROOT.glob("workflow/rules/*.smk"))],
        # DVC refuses a key that does not stand in the file: the default of such a one stands in the plan.
        keys=lambda *wished: [name for name in wished if name in written],
        code=code_paths,
        listed=lambda paths, indent: "\n".join(f"{' ' * indent}- {path}" for path in paths),
    )


def has_files_outside(study: Study) -> bool:
    """Return whether a study starts from archives, folders or weights, which lie on some machines only."""
    sources = [dataset["source"] for dataset in study.datasets.values()]
    outside = {"kaggle", "archive", "directory"}
    return any(outside & set(source) for source in sources) or any(
        recipe["pretrained"] for recipe in study.models.values()
    )


def sizes_of(study: Study) -> dict[str, list[int]]:
    """Return the sizes in which each data set is packed with its own crop."""
    return {
        dataset: [told["size"] for rule, told in data_jobs(study, dataset) if rule == "crop"]
        for dataset in study.datasets
    }


# Each module is parsed with all that it imports: once for all stages.
@cache
def code_paths(*modules: str) -> list[str]:
    """Return the source files that some modules run through, sorted, as they lie in the repository."""
    files = {file.resolve() for module in modules for file in code_of(module)}
    return sorted((Path("src") / file.relative_to(PACKAGE.resolve().parent)).as_posix() for file in files)


def write_stages() -> None:
    """Write dvc.yaml anew."""
    write_text(stages_text(), STAGES)


if __name__ == "__main__":
    write_stages()
