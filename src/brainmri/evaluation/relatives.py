"""Which images of one data set are relatives of those that a model of another set knows.

A relative is a copy, a neighbouring slice, or whatever shares a group with one: the groups of both sets are
put together wherever `overlap` found a pair between them, and what then hangs together is one.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from brainmri.artefacts import read_parquet
from brainmri.audit.groups import group_ids
from brainmri.errors import BrainmriError

LEARNT_PARTS = ("train", "val")


def pairs_between(path: Path, dataset: str, other: str) -> pd.DataFrame:
    """Return the pairs of `overlap` as `own` (image of `dataset`) and `foreign` (image of `other`).

    Parameters
    ----------
    path
        The table of the two sets, whose first is the one before the other in the alphabet.
    dataset, other
        Their names.
    """
    sides = {"image_id_a": "own", "image_id_b": "foreign"}
    if other < dataset:
        sides = {"image_id_a": "foreign", "image_id_b": "own"}
    return read_parquet(path, list(sides)).rename(columns=sides)


def relatives(manifest: pd.DataFrame, groups: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Tell of each image of a foreign set whether the model's own set holds a relative of it.

    Parameters
    ----------
    manifest
        `image_id`, `split` and `group_id` of the set that the model is from; files without a group are no
        one's relatives.
    groups
        `image_id` and `group_id` of the foreign set.
    pairs
        What `pairs_between` returned. All kinds count, neighbours too.

    Returns
    -------
    DataFrame
        By the foreign set's `image_id`, bool: `learnt`, whether a relative trained or validated the model,
        and `shared`, whether any file of its set is one.

    Raises
    ------
    BrainmriError
        If a pair names an image that its set does not have.
    """
    own = manifest.dropna(subset=["group_id"]).set_index("image_id")
    foreign = groups.set_index("image_id")["group_id"]
    for side, known in (("own", own.index), ("foreign", foreign.index)):
        unknown = pairs.loc[~pairs[side].isin(known), side]
        if len(unknown):
            raise BrainmriError(
                f"The pairs of copies between the two sets name '{unknown.iloc[0]}', which is no usable "
                "image of its set: run the stages audit, overlap and split again."
            )
    # The two sets may use the same names, so each gets a mark.
    own_nodes, foreign_nodes = "0" + own["group_id"], "1" + foreign
    nodes = pd.Index(own_nodes.unique()).append(pd.Index(foreign_nodes.unique()))
    links = [
        tuple(
            nodes.get_indexer(names.reindex(pairs[side]))
            for names, side in ((own_nodes, "own"), (foreign_nodes, "foreign"))
        )
    ]
    family = pd.Series(group_ids(nodes.to_series(index=range(len(nodes))), links), index=nodes)
    own_family, foreign_family = family.reindex(own_nodes), family.reindex(foreign_nodes).to_numpy()
    learnt = own_family[own["split"].isin(LEARNT_PARTS).to_numpy()]
    return pd.DataFrame(
        {"learnt": np.isin(foreign_family, learnt), "shared": np.isin(foreign_family, own_family)},
        index=foreign.index,
    )
