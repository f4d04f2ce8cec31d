"""Settings made of mappings, such as those read from YAML or JSON, with errors for people."""

from collections.abc import Mapping
from dataclasses import MISSING, field, fields, is_dataclass
from operator import ge, gt, le, lt
from pathlib import Path
from sys import float_info
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from brainmri.errors import BrainmriError, nearest, shown

# How JSON Schema's words for the limits of a number compare it with them.
LIMITS = {"minimum": ge, "maximum": le, "exclusiveMinimum": gt, "exclusiveMaximum": lt}


def is_number(value) -> bool:
    """Tell whether a JSON value is a finite number, as a float can hold it."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= float_info.max


def settings_from(kind: type, document: dict, where: str = ""):
    """Make a settings dataclass of a mapping, such as one read from YAML or JSON.

    Parameters
    ----------
    kind
        The dataclass; its fields that are dataclasses are made of nested mappings.
    document
        The mapping. Keys may be left out where the dataclass has a default.
    where
        The dotted name of the mapping, for messages.

    Raises
    ------
    BrainmriError
        For a key that does not exist (naming the nearest), one that is missing, a value of another type
        than the field's, or one that the dataclass refuses.
    """
    if not isinstance(document, dict):
        raise BrainmriError(f"{where or kind.__name__} is {shown(document)}; allowed: a mapping.")
    dotted = f"{where}." if where else ""
    known = {item.name: item for item in fields(kind)}
    hints = get_type_hints(kind)
    for key in document:
        if key not in known:
            raise BrainmriError(f"There is no key {shown(f'{dotted}{key}')}. {nearest(key, known)}")
    for name, item in known.items():
        if name not in document and item.default is MISSING and item.default_factory is MISSING:
            raise BrainmriError(f"The key '{dotted}{name}' is missing.")
    return kind(**{key: value_of(hints[key], value, dotted + key) for key, value in document.items()})


def value_of(hint, value, where: str):
    """Return `value` as the type `hint` wants it: nested settings made, numbers and lists checked."""
    for alternative in alternatives_of(hint):
        if is_dataclass(alternative) and isinstance(value, dict):
            return settings_from(alternative, value, where)
    if any(fits(alternative, value) for alternative in alternatives_of(hint)):
        return value
    allowed = ", ".join(wording(alternative) for alternative in alternatives_of(hint))
    raise BrainmriError(f"{where} is {shown(value)}; allowed: {allowed}.")


def alternatives_of(hint) -> tuple:
    """Return the types of which a value may be one."""
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def fits(hint, value) -> bool:
    """Say whether a JSON value is of the type `hint`; an int is a float, a bool is neither."""
    origin = get_origin(hint)
    if hint is Any:
        return True
    if origin is Literal:
        return value in get_args(hint)
    if origin is list:
        return isinstance(value, list | tuple) and all(fits(get_args(hint)[0], entry) for entry in value)
    if origin is dict:
        return isinstance(value, dict) and all(isinstance(key, str) for key in value)
    if hint in (int, float):
        kinds = int if hint is int else (int, float)
        return isinstance(value, kinds) and not isinstance(value, bool)
    return isinstance(value, str | Path) if hint in (str, Path) else isinstance(value, hint)


def wording(hint) -> str:
    """Return the words for a type in a message."""
    if get_origin(hint) is Literal:
        return ", ".join(map(str, get_args(hint)))
    if is_dataclass(hint) or get_origin(hint) is dict:
        return "a mapping"
    if get_origin(hint) is list:
        return f"a list, each entry {wording(get_args(hint)[0])}"
    words = {
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        str: "a text",
        type(None): "null",
    }
    return words.get(hint, "a text")


def limited(default, **limits):
    """Return a dataclass field of limited numbers, or lists of them.

    Parameters
    ----------
    default
        What the field is where nothing is given.
    limits
        In the words of JSON Schema: `minimum`, `maximum`, `exclusiveMinimum`, `exclusiveMaximum` of the
        number, or of each entry of a list; `minItems` and `maxItems` of the list.
    """
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=limits)
    return field(default=default, metadata=limits)


def check_settings(settings, where: str = "") -> None:
    """Raise unless each field of a settings dataclass is of its type and within its limits.

    Parameters
    ----------
    settings
        The dataclass.
    where
        What precedes its keys in messages, such as ``"optimizer."``.

    Raises
    ------
    BrainmriError
        ``"head.dropout is 1.5; allowed: 0 up to, not including, 1."``
    """
    hints = get_type_hints(type(settings))
    for item in fields(settings):
        value, key = getattr(settings, item.name), f"{where}{item.name}"
        value_of(hints[item.name], value, key)
        if not is_within(value, item.metadata):
            raise BrainmriError(
                f"{key} is {shown(value)}; allowed: {limits_in_words(hints[item.name], item.metadata)}."
            )


def is_within(value, limits: Mapping) -> bool:
    """Say whether a number, or a list and each of its numbers, keeps its limits; null always does."""
    if isinstance(value, list | tuple):
        fewest, most = limits.get("minItems", 0), limits.get("maxItems", len(value))
        return fewest <= len(value) <= most and all(is_within(entry, limits) for entry in value)
    return value is None or all(LIMITS[word](value, limits[word]) for word in LIMITS.keys() & limits.keys())


def limits_in_words(hint, limits: Mapping) -> str:
    """Return what limits of a field allow: ``"above 0, below 100, or null"``."""
    match limits:
        case {"minimum": low, "maximum": high}:
            span = f"{low} to {high}"
        case {"minimum": low, "exclusiveMaximum": high}:
            span = f"{low} up to, not including, {high}"
        case {"exclusiveMinimum": low, "maximum": high}:
            span = f"above {low}, up to {high}"
        case {"exclusiveMinimum": low, "exclusiveMaximum": high}:
            span = f"above {low}, below {high}"
        case {"minimum": low}:
            span = f"{low} or more"
        case {"exclusiveMinimum": low}:
            span = f"above {low}"
    fewest, most = limits.get("minItems", 0), limits.get("maxItems")
    count = f"{most}" if fewest == most else f"{fewest} to {most}"
    kinds = [get_origin(kind) or kind for kind in alternatives_of(hint)]
    words = {list: f"{count} numbers, each {span}", type(None): "null"}
    return ", or ".join(words.get(kind, span) for kind in kinds)
