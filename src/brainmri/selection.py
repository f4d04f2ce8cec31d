"""A part of a study, chosen by the key `only`: its page, its tables and its claims are then of that part."""

from collections.abc import Iterator

from brainmri.errors import nearest
from brainmri.splits.folds import fold_names, with_folds

KINDS = ("datasets", "splits", "models")


def unknown_choices(config: dict) -> Iterator[str]:
    """Yield a sentence for each name under `only` that the study does not have."""
    known = {kind: config[kind].keys() for kind in KINDS}
    known["splits"] = known["splits"] | with_folds(config["splits"]).keys()
    for kind in KINDS:
        for name in config["only"][kind] or []:
            if name not in known[kind]:
                yield f"only.{kind}: the study has no '{name}' there. {nearest(name, known[kind])}"


def selected(config: dict, folded: dict) -> Iterator[str]:
    """Leave in a checked configuration what `only` names; in place.

    Parameters
    ----------
    config
        The configuration, its folds written out as splits.
    folded
        Its splits as they were written, which `only` may name too.

    Yields
    ------
    str
        A sentence where nothing is left.
    """
    only = config["only"]
    if only["models"] is not None:
        config["models"] = chosen(config["models"], only["models"])
    if only["splits"] is not None:
        wished = [own for name in only["splits"] for own in fold_names(name, folded.get(name, {}))]
        config["splits"] = chosen(config["splits"], wished)
    if only["datasets"] is not None or only["splits"] is not None:
        config["datasets"] = chosen_datasets(config)
    if not config["datasets"]:
        yield "only: none of these data sets takes part in one of these splits; name others."
    config["claims"] = [
        claim
        for claim in config["claims"]
        if claim["model"] in config["models"] and claim["dataset"] in (None, *config["datasets"])
    ]


def chosen_datasets(config: dict) -> dict[str, dict]:
    """Return the data sets that are named and take part in a split, and the members of pooled ones."""
    datasets, splits = config["datasets"], config["splits"]
    wished = datasets if config["only"]["datasets"] is None else config["only"]["datasets"]
    own = {}
    for name in wished:
        named = datasets[name]["splits"]
        own[name] = named if named is None else [split for split in named if split in splits]
    kept = {name for name in own if own[name] != []}
    members = {member for name in kept for member in datasets[name]["source"].get("datasets") or []}
    return {
        name: dataset | {"splits": own.get(name, []) if name in kept else []}
        for name, dataset in datasets.items()
        if name in kept | members
    }


def chosen(entries: dict, names) -> dict:
    """Return the entries of these names, in their own order."""
    return {name: entry for name, entry in entries.items() if name in set(names)}
