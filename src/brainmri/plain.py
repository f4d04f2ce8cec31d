"""What a configuration may be made of at all, looked at before anything walks through it.

YAML can name one part many times: forty lines are then more entries than any memory holds, or have no end.
"""

from collections.abc import Iterator

from brainmri.errors import shown

# Far above any study, far below what takes seconds to check.
MOST_ENTRIES = 50_000
DEEPEST = 20
LONGEST_TEXT = 10_000
LARGEST_NUMBER = 2**63


def strange_parts(document) -> Iterator[str]:
    """Yield a sentence for each part of a configuration that is no plain text, number, list or mapping.

    Parameters
    ----------
    document
        As read from YAML.
    """
    waiting, entries = [("", document, 0)], 0
    while waiting:
        place, value, depth = waiting.pop()
        entries += 1
        if depth > DEEPEST:
            yield f"{place}: nothing goes {DEEPEST} levels deep; is it an anchor within itself?"
            return
        if entries > MOST_ENTRIES:
            yield f"{place}: more than {MOST_ENTRIES} entries, anchors written out; write fewer."
            return
        if isinstance(value, dict):
            yield from (
                f"{place or 'the configuration'}: the key {shown(key)} is no text; put it in quotes."
                for key in value
                if not isinstance(key, str)
            )
            waiting += [(dotted(place, key), entry, depth + 1) for key, entry in value.items()]
        elif isinstance(value, list):
            waiting += [(dotted(place, index), entry, depth + 1) for index, entry in enumerate(value)]
        elif (fault := fault_of(value)) is not None:
            yield f"{place}: {shown(value)} {fault}."


def dotted(place: str, key) -> str:
    """Return the dotted name of an entry."""
    return f"{place}.{str(key)[:50]}" if place else str(key)[:50]


def fault_of(value) -> str | None:
    """Return what is wrong with a single value, as the end of a sentence; None where nothing is."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT:
            return f"is a text of over {LONGEST_TEXT} characters; shorten it"
        is_plain = not any("\ud800" <= character <= "\udfff" or character == "\0" for character in value)
        return None if is_plain else "holds characters that no file can; mend its encoding (UTF-8)"
    if isinstance(value, int | float):
        # Not math.isfinite, which overflows; no comparison with what is no number holds.
        return None if abs(value) <= LARGEST_NUMBER else "is no number that can be used"
    return f"is of the kind {type(value).__name__}; allowed: text (in quotes), numbers, lists and mappings"
