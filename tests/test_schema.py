"""The schema of the configuration says what the settings say, and describes every key."""

import inspect
import subprocess
import sys
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType
from typing import Literal, get_args, get_origin, get_type_hints

import pytest
from helpers import ROOT, SCHEMA
from jsonschema import Draft202012Validator

from brainmri.images.box import CropSettings
from brainmri.images.layout import LayoutSettings
from brainmri.mapping import LIMITS, alternatives_of
from brainmri.sources.phantom import phantom
from brainmri.sources.settings import SourceSettings
from brainmri.sources.synthetic.settings import PhantomSettings
from brainmri.splits.settings import SplitSettings
from brainmri.training.recipe import Recipe

DEFINED = SCHEMA["$defs"]
DATASET = DEFINED["dataset"]["properties"]
TYPES = {
    int: "integer",
    float: "number",
    bool: "boolean",
    str: "string",
    NoneType: "null",
    dict: "object",
    list: "array",
}


def schema_of(settings: type) -> dict:
    """Return the JSON Schema of a settings dataclass."""
    hints, properties = get_type_hints(settings), {}
    for item in fields(settings):
        default = item.default if item.default_factory is MISSING else item.default_factory()
        properties[item.name] = schema_of_hint(hints[item.name], item.metadata)
        if default is not MISSING:
            properties[item.name]["default"] = {} if is_dataclass(default) else default
    return {"type": "object", "additionalProperties": False, "properties": properties}


def schema_of_hint(hint, limits) -> dict:
    """Return the JSON Schema of what a type and its limits allow."""
    kinds = [get_origin(kind) or kind for kind in alternatives_of(hint)]
    words = [word for kind in alternatives_of(hint) if get_origin(kind) is Literal for word in get_args(kind)]
    [nested] = [schema_of(kind) for kind in kinds if is_dataclass(kind)] or [None]
    if nested and words:
        return {"oneOf": [{"enum": words}, nested]}
    if nested:
        return nested | ({"type": ["object", "null"]} if NoneType in kinds else {})
    if words:
        return {"enum": words + [True, False] * (bool in kinds) + [None] * (NoneType in kinds)}
    found = {"type": [TYPES[kind] for kind in kinds]}
    if list not in kinds:
        return found | limits
    of_numbers = {word: limits[word] for word in LIMITS if word in limits}
    entry = next(get_args(kind)[0] for kind in alternatives_of(hint) if get_origin(kind) is list)
    found |= {word: limits[word] for word in limits if word not in LIMITS}
    found["items"] = {"type": TYPES[entry], **of_numbers}
    return found | (of_numbers if {int, float} & set(kinds) else {})


def bare(schema):
    """Return a schema without descriptions, with its references resolved and its words in one order."""
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        schema = DEFINED[schema["$ref"].removeprefix("#/$defs/")] | schema
    told = {}
    for key, value in schema.items():
        if key == "properties":
            told[key] = {name: bare(subschema) for name, subschema in value.items()}
        elif key in ("type", "enum"):
            told[key] = sorted(map(str, value if isinstance(value, list) else [value]))
        elif key == "oneOf":
            told[key] = [bare(branch) for branch in value]
        # Which names and paths there are is Snakemake's matter, not that of settings.
        elif key not in ("description", "$ref", "required", "pattern"):
            told[key] = bare(value)
    return told


@pytest.mark.parametrize(
    ("schema", "settings"),
    [
        (DEFINED["model"], Recipe),
        (DATASET["layout"], LayoutSettings),
        (DATASET["crop"], CropSettings),
        (DEFINED["phantom"], PhantomSettings),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_schema_and_settings_say_the_same(schema, settings):
    written, own = bare(schema)["properties"], bare(schema_of(settings))["properties"]
    written.pop("recipe", None)  # spelt out before anything else is looked at
    for name in schema.get("required", []):
        own[name].pop("default")
    assert written == own


@pytest.mark.parametrize("settings", [SplitSettings, SourceSettings])
def test_schema_and_settings_have_the_same_keys_and_defaults(settings):
    schema = DEFINED[settings.__name__.removesuffix("Settings").lower()]["properties"]
    assert schema.keys() == {item.name for item in fields(settings)}
    told = {name: entry["default"] for name, entry in schema.items() if "default" in entry}
    assert told == {item.name: item.default for item in fields(settings) if item.name in told}


def object_schemas(schema: dict, place: str = "") -> dict[str, dict]:
    """Return every object schema with named properties, by its place."""
    found = {place: schema} if "properties" in schema else {}
    for key, value in schema.items():
        if isinstance(value, dict):
            found |= object_schemas(value, f"{place}/{key}")
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, dict):
                    found |= object_schemas(item, f"{place}/{key}")
    return found


def test_every_key_has_a_description():
    for place, schema in object_schemas(SCHEMA).items():
        for key, subschema in schema["properties"].items():
            reference = subschema.get("$ref", "").removeprefix("#/$defs/")
            described = subschema.get("description") or SCHEMA["$defs"].get(reference, {}).get("description")
            assert described, f"{place}/{key}"


def test_schema_and_phantom_generator_have_the_same_options_and_defaults():
    options = {
        name: parameter.default
        for name, parameter in inspect.signature(phantom).parameters.items()
        if name not in ("output", "truth", "workers")
    }
    schema = SCHEMA["$defs"]["phantom"]["properties"]
    assert {name: schema[name]["default"] for name in schema} == options


def test_the_table_of_keys_in_the_readme_is_up_to_date():
    command = [sys.executable, ROOT / "workflow/schemas/describe.py", "--check"]
    assert subprocess.run(command).returncode == 0, "run workflow/schemas/describe.py"


def test_the_schema_is_a_valid_schema_of_known_words():
    Draft202012Validator.check_schema(SCHEMA)
    words = {"$schema", "$defs", "$ref", *Draft202012Validator.VALIDATORS, "title", "description", "default"}
    for place, schema in object_schemas(SCHEMA).items():
        for key, subschema in schema["properties"].items():
            assert set(subschema) <= words, f"{place}/{key}"
