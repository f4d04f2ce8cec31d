"""Which test images are explained: right, wrong and uncertain ones of each class."""

import numpy as np
import pandas as pd

KINDS = ("right", "wrong", "uncertain")
LOWEST = 0.1  # the share of lowest confidence that is called uncertain where no threshold parts the images


def with_kinds(table: pd.DataFrame, threshold: float | None) -> pd.DataFrame:
    """Return the predictions with a column `kind`: uncertain where referred, else right or wrong.

    Parameters
    ----------
    table
        Predictions: `label`, `predicted`, `confidence`.
    threshold
        The confidence under which a case is referred. Where it is None, or no case or every case is
        referred, the tenth of lowest confidence is called uncertain.
    """
    confidence = table["confidence"].to_numpy()
    uncertain = confidence < (np.inf if threshold is None else threshold)
    if uncertain.all() or not uncertain.any():
        uncertain = confidence <= np.quantile(confidence, LOWEST)
    right = (table["label"] == table["predicted"]).to_numpy()
    return table.assign(kind=np.where(uncertain, "uncertain", np.where(right, "right", "wrong")))


def chosen_images(
    table: pd.DataFrame, class_names: list[str], threshold: float | None, count: int, seed: int
) -> pd.DataFrame:
    """Draw images of each class and kind in turn, at random within them.

    Parameters
    ----------
    table
        Predictions of the test part: `image_id`, `label`, `predicted`, `confidence`, ...
    class_names
        The classes in the order of their index.
    threshold
        The confidence under which a case is referred; None where every case is.
    count
        How many images at most.
    seed
        Same seed, same images.

    Returns
    -------
    pandas.DataFrame
        At most `count` rows with a column `kind`, mixed: any beginning holds several classes and kinds.
    """
    if not len(table) or not count:
        return table.head(0).assign(kind=pd.Series(dtype="str"))
    table = with_kinds(table.sort_values("image_id", kind="stable"), threshold).reset_index(drop=True)
    table = table.iloc[np.random.default_rng(seed).permutation(len(table))]
    waiting = {key: list(rows.index) for key, rows in table.groupby(["kind", "label"])}
    classes = len(class_names)
    turns = [
        (kind, class_names[(start + step) % classes])
        for start in range(classes)
        for step, kind in enumerate(KINDS)
    ]
    drawn = []
    while len(drawn) < count and any(waiting.values()):
        drawn += [waiting[turn].pop(0) for turn in turns if waiting.get(turn)]
    return table.loc[drawn[:count]].reset_index(drop=True)
