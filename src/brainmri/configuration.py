"""Check a study's configuration before any job starts; each mistake becomes one sentence."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import asdict

from jsonschema import Draft202012Validator, ValidationError, validators

from brainmri.errors import BrainmriError, nearest, shown
from brainmri.images.box import CropSettings
from brainmri.images.layout import LayoutSettings
from brainmri.labels import FOLDER_WORDS
from brainmri.plain import strange_parts
from brainmri.selection import selected, unknown_choices
from brainmri.sources.settings import SourceSettings
from brainmri.sources.synthetic.settings import PhantomSettings
from brainmri.splits.folds import fold_names, with_folds
from brainmri.splits.settings import SplitSettings
from brainmri.texts import with_numbers
from brainmri.training.recipe import recipe_from
from brainmri.training.standard import with_standard

# Mistakes told at once, and characters of them.
MOST_TOLD, LONGEST_TOLD = 20, 1200
# These folders of the results belong to no data set, split or model.
RESERVED_NAMES = ("report", "figures", "probes")
BOUND_WORDS = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "above",
    "exclusiveMaximum": "below",
}


def checked(config: dict, schema: dict) -> dict:
    """Return the configuration with every default filled in.

    Parameters
    ----------
    config
        As read from YAML.
    schema
        The JSON Schema (draft 2020-12) of the configuration.

    Returns
    -------
    dict
        A copy of `config`, complete; a split of k folds has become k splits, and what the key `only` leaves
        out is gone.

    Raises
    ------
    BrainmriError
        With one sentence for each mistake: the key, its place, the nearest valid one.
    """
    refuse(list(strange_parts(config)))
    config = with_numbers(deepcopy(config), schema, schema)
    spell_out_standard(config)
    errors = sorted(
        filling_validator(schema).iter_errors(config), key=lambda error: [str(p) for p in error.path]
    )
    if not errors:
        name_folders_in_lists(config)
    mistakes = [sentence(error) for error in errors] or list(impossible_wishes(config))
    refuse(mistakes)
    folded = config["splits"]
    make_folds_splits(config)
    refuse(list(selected(config, folded)))
    return config


def refuse(mistakes: list[str]) -> None:
    """Raise BrainmriError with the mistakes, if there are any: as many as a person reads at once."""
    told = list(dict.fromkeys(mistakes))
    if told:
        shown = [told[0]]
        for mistake in told[1:MOST_TOLD]:
            if sum(map(len, shown)) + len(mistake) > LONGEST_TOLD:
                break
            shown.append(mistake)
        if len(shown) < len(told):
            shown.append(f"and {len(told) - len(shown)} more.")
        raise BrainmriError("the configuration is at fault:\n  " + "\n  ".join(shown))


def spell_out_standard(config: dict) -> None:
    """Replace `recipe: standard` by what it stands for; in place, before defaults are filled in."""
    models = config.get("models")
    if isinstance(models, dict):
        config["models"] = {
            name: with_standard(model) if isinstance(model, dict) else model for name, model in models.items()
        }


def name_folders_in_lists(config: dict) -> None:
    """Turn `glioma: folder` into `glioma: [folder]`; in place."""
    for dataset in config["datasets"].values():
        for name, mapped in (dataset["classes"] or {}).items():
            if isinstance(mapped, str):
                dataset["classes"][name] = [mapped]


def make_folds_splits(config: dict) -> None:
    """Turn a split `cv` of k folds into the splits `cv-fold0`, `cv-fold1` and so on; in place."""
    for choosing in (*config["datasets"].values(), config["probes"]):
        if choosing["splits"] is not None:
            wished = [
                own for name in choosing["splits"] for own in fold_names(name, config["splits"].get(name, {}))
            ]
            choosing["splits"] = list(dict.fromkeys(wished))
    config["splits"] = with_folds(config["splits"])


def filling_validator(schema: dict):
    """Return a validator that also sets the defaults of missing keys, as the jsonschema FAQ shows."""
    check_properties = Draft202012Validator.VALIDATORS["properties"]

    def fill_and_check(validator, properties, instance, schema):
        if isinstance(instance, dict):
            for key, subschema in properties.items():
                if "default" in subschema:
                    instance.setdefault(key, deepcopy(subschema["default"]))
        yield from check_properties(validator, properties, instance, schema)

    return validators.extend(Draft202012Validator, {"properties": fill_and_check})(schema)


def sentence(error: ValidationError) -> str:
    """Say in one sentence what a JSON Schema error means, and where."""
    while error.validator == "oneOf" and (branch := fitting_branch(error)):
        error = branch
    place = ".".join(map(str, error.absolute_path)) or "the configuration"
    value, wish = error.instance, error.validator_value
    match error.validator:
        case "additionalProperties":
            known = error.schema.get("properties", {})
            unknown = next(key for key in value if key not in known)
            return f"{place}: unknown key {shown(unknown)}. {nearest(unknown, known)}"
        case "required":
            missing = next(key for key in wish if key not in value)
            return f"{place}: the key '{missing}' is missing."
        case "type":
            names = [wish] if isinstance(wish, str) else wish
            is_misread = "string" in names and isinstance(value, int | float)
            quoted = "; YAML reads yes, no and digits so: put it in quotes" if is_misread else ""
            return f"{place}: {shown(value)} is no {' or '.join(names)}{quoted}."
        case "enum":
            return f"{place}: {shown(value)} is not allowed. {nearest(value, [str(item) for item in wish])}"
        case "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum":
            return f"{place}: {value} is impossible; it must be {BOUND_WORDS[error.validator]} {wish}."
        case "minItems" | "minProperties" | "minLength":
            return f"{place}: it needs at least {wish} entr{'y' if wish == 1 else 'ies'}."
        case "uniqueItems":
            return f"{place}: an entry stands twice."
        case "pattern":
            return f"{place}: {shown(value)} is no valid name ({error.schema.get('description', wish)})"
        case _:
            return f"{place}: {error.message[:300].rstrip('.')}."


def fitting_branch(error: ValidationError) -> ValidationError | None:
    """Return the error of that `oneOf` branch which fits the value's type; of a number, the one of text."""
    for branch in error.context:
        if branch.path or branch.validator not in ("type", "enum"):
            return branch
        if branch.validator == "enum" and isinstance(branch.instance, str):
            return branch
    texts = (branch for branch in error.context if branch.validator_value == "string")
    return next(texts, None) if isinstance(error.instance, int | float) else None


def impossible_wishes(config: dict) -> Iterator[str]:
    """Yield a sentence for each wish that is well-formed but cannot be met."""
    yield from (
        f"{kind}.{name}: '{name}' is the name of a folder of the results; choose another."
        for kind in ("datasets", "splits", "models")
        for name in config[kind]
        if name in RESERVED_NAMES
    )
    for name, dataset in config["datasets"].items():
        yield from impossible_dataset(f"datasets.{name}", dataset, config)
        yield from impossible_pool(f"datasets.{name}", dataset, config)
    for name, split in config["splits"].items():
        yield from refused(f"splits.{name}", lambda split=split: SplitSettings(**split))
        yield from (
            f"splits.{fold}: the split '{name}' has a fold of this name; choose another."
            for fold in fold_names(name, split)
            if fold != name and fold in config["splits"]
        )
    yield from untestable(config)
    for name, recipe in config["models"].items():
        yield from refused(f"models.{name}", lambda recipe=recipe: recipe_from(recipe))
    fetched = [dataset for dataset in config["datasets"].values() if not dataset["source"].get("datasets")]
    mapped = set().union(*((dataset["classes"] or FOLDER_WORDS) for dataset in fetched))
    for name in config["class_names"]:
        if name not in mapped:
            yield (
                f"class_names: no folder of any data set maps to '{name}'. {nearest(name, mapped)} Map one "
                f"under classes, or leave '{name}' out of class_names (the default names four)."
            )
    yield from impossible_claims(config)
    yield from impossible_probes(config)
    yield from unknown_choices(config)


def impossible_dataset(place: str, dataset: dict, config: dict) -> Iterator[str]:
    """Yield what cannot be met in one data set."""
    yield from refused(place, lambda: SourceSettings(**dataset["source"]))
    phantom = dataset["source"].get("phantom") or {}
    yield from refused(f"{place}.source.phantom", lambda: PhantomSettings(**phantom))
    yield from refused(place, lambda: LayoutSettings(**dataset["layout"]))
    yield from refused(place, lambda: CropSettings(**dataset["crop"]))
    splits = config["splits"].keys() | with_folds(config["splits"]).keys()
    for split in dataset["splits"] or []:
        if split not in splits:
            yield f"{place}.splits: there is no split '{split}'. {nearest(split, splits)}"
    folders: dict[str, str] = {}
    for name, mapped in (dataset["classes"] or {}).items():
        if name not in (known := config["class_names"]):
            yield f"{place}.classes: '{name}' is no class of this study. {nearest(name, known)}"
        for folder in mapped:
            other = folders.setdefault(folder, name)
            if other != name:
                yield f"{place}.classes: the folder '{folder}' is mapped to both '{other}' and '{name}'."


def impossible_pool(place: str, dataset: dict, config: dict) -> Iterator[str]:
    """Yield what cannot be met in a data set pooled from others, or wished of one that is not."""
    known, members = config["datasets"], dataset["source"].get("datasets") or []
    for member in members:
        if member not in known:
            yield f"{place}.source.datasets: there is no data set '{member}'. {nearest(member, known)}"
        elif known[member]["source"].get("datasets"):
            yield f"{place}.source.datasets: '{member}' is itself pooled from others; name its members."
    if members and (dataset["layout"] != asdict(LayoutSettings()) or dataset["classes"]):
        yield f"{place}: a pooled data set is read as its members are; give layout and classes there."
    for name in dataset["splits"] or []:
        tested = config["splits"].get(name, {}).get("test_dataset")
        if tested is not None and tested not in members:
            yield f"{place}.splits: '{name}' tests on '{tested}', which is not among the members of this set."


def untestable(config: dict) -> Iterator[str]:
    """Yield the splits that leave out a data set which no pooled one has, and say where nothing is split."""
    datasets = config["datasets"].values()
    members = {member for dataset in datasets for member in dataset["source"].get("datasets") or []}
    for name, split in config["splits"].items():
        tested = split["test_dataset"]
        if tested is not None and tested not in members:
            yield (
                f"splits.{name}.test_dataset: no data set is pooled from '{tested}' and others. "
                f"{nearest(tested, members)}"
            )
    if all(dataset["splits"] == [] for dataset in datasets):
        yield "datasets: none takes part in a split; name one under the key splits of one of them."


def impossible_claims(config: dict) -> Iterator[str]:
    """Yield the published figures that nothing of this study could stand beside."""
    protocols = [split["protocol"] for split in config["splits"].values()]
    for index, claim in enumerate(config["claims"]):
        for key, kind, known in (
            ("model", "model", config["models"]),
            ("dataset", "data set", config["datasets"]),
            ("protocol", "split of the protocol", set(protocols)),
        ):
            name = claim[key]
            if name is not None and name not in known:
                yield f"claims.{index}.{key}: there is no {kind} '{name}'. {nearest(name, known)}"
        if claim["part"] == "train" and claim["metric"] != "accuracy":
            metric = claim["metric"]
            yield f"claims.{index}.metric: of the training part accuracy alone is recorded, not {metric}."


def impossible_probes(config: dict) -> Iterator[str]:
    """Yield the names under `probes` that the study does not have."""
    model, splits = config["probes"]["model"], config["splits"].keys() | with_folds(config["splits"]).keys()
    if model is not None and model not in config["models"]:
        yield f"probes.model: there is no model '{model}'. {nearest(model, config['models'])}"
    for split in config["probes"]["splits"] or []:
        if split not in splits:
            yield f"probes.splits: there is no split '{split}'. {nearest(split, splits)}"


def refused(place: str, make) -> Iterator[str]:
    """Yield the sentence with which a settings class refuses its values, if it does."""
    try:
        make()
    except BrainmriError as error:
        yield f"{place}: {error}"
