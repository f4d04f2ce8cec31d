"""The folds of a k-fold split, each a split with a name of its own."""


def fold_names(name: str, split: dict) -> list[str]:
    """Return the names of the splits that an entry of the configuration stands for.

    Parameters
    ----------
    name
        The name under `splits:`.
    split
        Its settings; with `folds` and no `fold` it stands for that many splits.
    """
    folds, fold = split.get("folds"), split.get("fold")
    return [name] if folds is None or fold is not None else [f"{name}-fold{index}" for index in range(folds)]


def with_folds(splits: dict[str, dict]) -> dict[str, dict]:
    """Return the splits with each k-fold one replaced by its folds, in place and order."""
    return {
        own: split if own == name else split | {"fold": index}
        for name, split in splits.items()
        for index, own in enumerate(fold_names(name, split))
    }
