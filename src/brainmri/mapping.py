"""Settings made of mappings, such as those read from YAML or JSON, with errors for people."""

from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from sys import float_info
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from brainmri.errors import BrainmriError, nearest, shown


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
    alternatives = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    for alternative in alternatives:
        if is_dataclass(alternative) and isinstance(value, dict):
            return settings_from(alternative, value, where)
    if any(fits(alternative, value) for alternative in alternatives):
        return value
    allowed = ", ".join(wording(alternative) for alternative in alternatives)
    raise BrainmriError(f"{where} is {shown(value)}; allowed: {allowed}.")


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
