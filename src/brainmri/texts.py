"""Texts that mean numbers: Snakemake's `--config 'seeds=[0, 1]'` reads what stands in brackets as text."""

import json

from brainmri.plain import fault_of

JSON_TYPES = {bool: {"boolean"}, int: {"integer", "number"}, float: {"number"}, type(None): {"null"}}


def with_numbers(value, schema: dict, root: dict):
    """Return a value in which a text is the number, truth value or null that the schema wants in its place.

    Parameters
    ----------
    value
        Any part of a configuration, which may be at fault: what cannot be read is left as it is.
    schema
        The JSON Schema of this part.
    root
        The whole schema, for its references.
    """
    branches = branches_of(schema, root)
    if isinstance(value, dict):
        return {key: with_numbers(entry, entry_schema(key, branches), root) for key, entry in value.items()}
    if isinstance(value, list):
        items = next((branch["items"] for branch in branches if "items" in branch), {})
        return [with_numbers(item, items, root) for item in value]
    return read_text(value, branches) if isinstance(value, str) else value


def branches_of(schema: dict, root: dict) -> list[dict]:
    """Return a schema with its reference merged in, or those of which one must hold."""
    schema = resolved(schema, root)
    return [inner for branch in schema.get("oneOf", []) for inner in branches_of(branch, root)] or [schema]


def resolved(schema: dict, root: dict) -> dict:
    """Return a schema with its reference, if it has one, merged in."""
    reference = schema.get("$ref", "").removeprefix("#/$defs/")
    return {**root["$defs"][reference], **schema} if reference else schema


def entry_schema(key, branches: list[dict]) -> dict:
    """Return the schema of one key of an object, empty where none is known."""
    for branch in branches:
        if key in branch.get("properties", {}):
            return branch["properties"][key]
        if isinstance(branch.get("additionalProperties"), dict):
            return branch["additionalProperties"]
    return {}


def read_text(text: str, branches: list[dict]):
    """Return what a text means where a value of that type is wanted, else the text."""
    if any(text in branch.get("enum", []) for branch in branches):
        return text
    try:
        # No configuration holds a value that is no finite number.
        value = json.loads(text, parse_constant=lambda word: word)
    except (ValueError, RecursionError):  # brackets in brackets, thousands deep
        return text
    if fault_of(value) is not None:
        return text
    types = set()
    for branch in branches:
        named = branch.get("type", [])
        types |= {named} if isinstance(named, str) else set(named)
        types |= {kind for item in branch.get("enum", []) for kind in JSON_TYPES.get(type(item), ())}
    if not types:  # the arguments of another library, of which the schema knows nothing
        return value if type(value) in JSON_TYPES else text
    wanted = types - {"integer", "number"} if "string" in types else types
    return value if JSON_TYPES.get(type(value), set()) & wanted else text
