"""Groups of images that must stay on one side of a split: one patient's, and all copies of a picture."""

from collections.abc import Collection

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from brainmri.audit.copies import NEIGHBOUR


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
    a, b = (np.concatenate([np.empty(0, int), *(link[side] for link in links)]) for side in (0, 1))
    graph = coo_array((np.ones(len(a), bool), (a, b)), shape=(count, count))
    _, component = connected_components(graph, directed=False)
    return image_ids.groupby(component).transform("min").to_numpy()


def links_by_value(values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Link every row to the first row with the same value; missing values link nothing."""
    codes, _ = pd.factorize(values)
    known = np.flatnonzero(codes >= 0)
    _, first = np.unique(codes[known], return_index=True)
    return known, known[first][codes[known]]


def is_linking(pairs: pd.DataFrame, images: pd.DataFrame, unlinked: Collection[str]) -> np.ndarray:
    """Tell which pairs put two images into one group: all but some kinds, and neighbours of known patients.

    Where one source names the patients of both images, neighbours tell nothing that it does not know better.

    Parameters
    ----------
    pairs
        `image_id_a`, `image_id_b`, `kind`.
    images
        `image_id`, `patient_id`; `dataset` where several sets are pooled: names of patients hold within one.
    unlinked
        Kinds that link nothing.
    """
    source = images["dataset"] if "dataset" in images else pd.Series("", images.index)
    naming = source.where(images["patient_id"].notna()).set_axis(images["image_id"])
    ends = [naming.reindex(pairs[side]).to_numpy(object) for side in ("image_id_a", "image_id_b")]
    both_known = pd.notna(ends[0]) & (ends[0] == ends[1])
    is_moot = both_known & pairs["kind"].eq(NEIGHBOUR).to_numpy()
    return ~(is_moot | pairs["kind"].isin(list(unlinked)).to_numpy())


def weakest_links(links: pd.DataFrame, group: np.ndarray) -> pd.DataFrame:
    """Return, for each group of two images or more, the weakest link without which it would fall apart.

    That is the weakest edge of the group's maximum spanning tree: of all ways to connect two of its images,
    the best one is never weaker.

    Parameters
    ----------
    links
        `a` and `b` (index of an image), `similarity` (0-1); the row labels are kept.
    group : ndarray of str, shape (N,)
        The group of each image, as `group_ids` returns it for these links.

    Returns
    -------
    pandas.DataFrame
        `link` (row label in `links`) and `similarity`; one row a group, by `group_id`.
    """
    links = links[links["a"] != links["b"]]
    low, high = (np.sort(links[["a", "b"]].to_numpy(), axis=1).T) if len(links) else ([], [])
    links = links.assign(a=low, b=high).sort_values(["similarity", "a", "b"], ascending=[False, True, True])
    links = links[~links.duplicated(["a", "b"])]
    # The tree wants small weights and takes 0 for no edge.
    weights = coo_array((2 - links["similarity"], (links["a"], links["b"])), shape=(len(group),) * 2)
    tree = coo_array(minimum_spanning_tree(weights.tocsr()))
    edges = pd.DataFrame({"a": tree.row, "b": tree.col}).merge(
        links.rename_axis("link").reset_index(), on=["a", "b"]
    )
    edges["group_id"] = group[edges["a"].to_numpy(int)]
    edges = edges.sort_values(["group_id", "similarity", "a", "b"]).drop_duplicates("group_id")
    return edges.set_index("group_id")[["link", "similarity"]]
