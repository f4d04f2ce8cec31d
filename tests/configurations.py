"""A valid configuration to change, for tests of what is refused."""

from copy import deepcopy

VALID = {
    "study": "mine",
    "datasets": {"mine": {"source": {"phantom": {}}}},
    "splits": {"grouped": {"protocol": "grouped"}},
    "models": {"cnn": {"architecture": "cnn", "image_size": 64}},
}


def changed(path: str, value) -> dict:
    """Return the valid configuration with one key set; `path` is dotted."""
    config = deepcopy(VALID)
    *parents, last = path.split(".")
    place = config
    for key in parents:
        place = place.setdefault(key, {})
    place[last] = value
    return config
