"""Groups of images that must stay on one side of a split: one patient's, and all copies of a picture."""

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def group_ids(image_ids: pd.Series, links: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return the group of each image: the connected components of the links.

    Parameters
    ----------
    image_ids
        Unique identifiers of N images, strings.
    links
        Pairs of index arrays (int, equal length): image ``a[i]`` belongs with image ``b[i]``.

    Returns
    -------
    numpy.ndarray
        Shape (N,), strings: the smallest `image_id` of the group, so that the names do not
        depend on the order of the rows.
    """
    count = len(image_ids)
    a, b = (
        (np.concatenate([np.empty(0, int), *side]) for side in zip(*links, strict=True))
        if links
        else ([], [])
    )
    graph = coo_array((np.ones(len(a), bool), (a, b)), shape=(count, count))
    _, component = connected_components(graph, directed=False)
    return image_ids.groupby(component).transform("min").to_numpy()


def links_by_value(values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Link every row to the first row with the same value; missing values link nothing."""
    codes, _ = pd.factorize(values)
    known = np.flatnonzero(codes >= 0)
    _, first = np.unique(codes[known], return_index=True)
    return known, known[first][codes[known]]
