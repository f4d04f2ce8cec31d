"""Labels that mean nothing, drawn anew for whole groups: only which patient or copy an image is of tells one.

All images of a group that share a label go on sharing one, in whichever part they lie; which one it is, is
drawn (Yagis et al., Sci. Rep. 11, 2021: 96 % accuracy on random labels where slices of a subject lay on both
sides, 50 % where they did not). Labels drawn image by image would hide that: the copy of a test image in
training would carry a label that says nothing of the test image's, and every score would be chance.
"""

import numpy as np
import pandas as pd

from brainmri.errors import BrainmriError

# Draws before it is given up that each class has a training image.
DRAWS = 100


def shuffled_labels(manifest: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return a manifest whose labels are drawn anew, and say nothing any more.

    Images of a group that share a label still do. Of each label there are as many such shares of groups as
    before; excluded images keep theirs.

    Parameters
    ----------
    manifest
        The rows of a ``manifest.parquet``.
    seed
        Same seed, same labels.

    Raises
    ------
    BrainmriError
        If a class has so few groups that in none of 100 draws each class trains.
    """
    altered, generator = manifest.copy(), np.random.default_rng(seed)
    used = manifest["split"] != "excluded"
    shares = manifest.loc[used, ["group_id", "label", "label_index"]].drop_duplicates(["group_id", "label"])
    # The order of the rows must not matter.
    shares = shares.sort_values(["group_id", "label"], ignore_index=True)
    place = pd.MultiIndex.from_frame(shares[["group_id", "label"]])
    own = place.get_indexer(pd.MultiIndex.from_frame(manifest.loc[used, ["group_id", "label"]]))
    for _ in range(DRAWS):
        drawn = shares.iloc[generator.permutation(len(shares))].reset_index(drop=True).iloc[own]
        for column in ("label", "label_index"):
            altered.loc[used, column] = drawn[column].to_numpy()
        if set(altered.loc[altered["split"] == "train", "label"]) == set(shares["label"]):
            return altered
    raise BrainmriError(
        "Labels cannot be shuffled: a class has so few groups that it is left without a training image. Add "
        "images of it, or leave shuffled labels out."
    )
