"""Shortcuts: how well what is known of a file, and where the head lies in its picture, predict the class.

Size, channels, bytes and compression are known without a look at the picture; the head's box is found in it,
and told apart.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from brainmri.artefacts import read_parquet
from brainmri.images.box import CropSettings, find_box
from brainmri.images.store import open_images
from brainmri.intervals import wilson_interval

FOLDS = 5
TREES = 100
SEED = 0
# Images that a leaf of a tree holds at least: fewer, and single files are learned by heart.
LEAF_OF_FOREST, LEAF_OF_FEATURE = 2, 5
BOX = ("box_left", "box_top", "box_right", "box_bottom", "box_area")


def shortcut_counts(inventory: Path, grouped: pd.DataFrame, images: Path | None) -> dict:
    """Return what `metadata_shortcut` finds in the files of a data set.

    Parameters
    ----------
    inventory
        The data set's `inventory.parquet`.
    grouped
        `groups.parquet`: the usable images, sorted by `image_id`, with their groups.
    images
        The packed array of the whole images, from which the head's box is taken; without it, there is none.
    """
    rows = grouped[["image_id", "group_id"]].merge(read_parquet(inventory, unique="image_id"), on="image_id")
    boxes = None if images is None else head_boxes(open_images(images))
    return metadata_shortcut(rows, boxes, rows["group_id"].to_numpy())


def metadata_shortcut(rows: pd.DataFrame, boxes: np.ndarray | None, groups: np.ndarray) -> dict:
    """Return how well file metadata and the head's box predict the class, whole groups held out.

    A forest of trees learns from size, channels, bytes, JPEG quality and the head's box on four fifths of the
    groups and is asked about the last fifth; another learns the same without the box, which only the picture
    tells. What they score over the most frequent class can be had without looking at the brain, and so may a
    part of a network's accuracy.

    Parameters
    ----------
    rows
        N usable rows of the inventory; of its columns, those that are there are used. Rows without label
        do not count.
    boxes : ndarray of float, shape (N, 5), or None
        What `head_boxes` returned.
    groups : ndarray of str, shape (N,)
        The group of each image.

    Returns
    -------
    dict
        ``metadata_shortcut_accuracy``: ``{"all": accuracy, class: recall}``, or None where it cannot be
        measured; ``metadata_shortcut``: the interval, ``majority_share``, ``balanced_accuracy``,
        ``without_box`` (the accuracy without the head's box) with ``without_box_low`` and
        ``without_box_high``, ``features`` (the accuracy of each alone, best first), ``folds``,
        ``images``, ``groups``, ``left_out`` (classes of fewer groups than folds);
        or the ``reason`` why it cannot be measured.
    """
    labels = rows["label"].astype(object) if "label" in rows else pd.Series(None, rows.index, dtype=object)
    groups_of_class = pd.Series(groups, index=rows.index).groupby(labels).nunique()
    left_out = sorted(groups_of_class.index[groups_of_class < FOLDS])
    counted = labels.isin(groups_of_class.index[groups_of_class >= FOLDS]).to_numpy()
    features = feature_table(rows, boxes).loc[counted]
    features = features[[name for name, column in features.items() if len(column.unique()) > 1]]
    reason = None
    if len(groups_of_class) - len(left_out) < 2:
        reason = f"fewer than two classes have images of {FOLDS} groups or more"
    elif features.empty:
        reason = "all files are alike in their metadata"
    if reason:
        details = {"reason": reason, "left_out": left_out}
        return {"metadata_shortcut_accuracy": None, "metadata_shortcut": details}
    return measured(features, labels[counted].to_numpy(), np.asarray(groups)[counted], left_out)


def measured(features: pd.DataFrame, labels: np.ndarray, groups: np.ndarray, left_out: list[str]) -> dict:
    """Cross-validate the forest and a tree for each feature, and return the document."""
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.tree import DecisionTreeClassifier

    names, truth = np.unique(labels, return_inverse=True)
    group = np.unique(groups, return_inverse=True)[1]
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=SEED)
    folds = list(splitter.split(features, truth, group))

    def right(columns: list[str], classifier) -> np.ndarray:
        values = features[columns].to_numpy(np.float32)
        correct = np.zeros(len(truth), bool)
        for train, test in folds:
            correct[test] = classifier.fit(values[train], truth[train]).predict(values[test]) == truth[test]
        return correct

    tree = DecisionTreeClassifier(min_samples_leaf=LEAF_OF_FEATURE, random_state=SEED)
    correct = right(list(features), forest())
    outside = [name for name in features if name not in BOX]
    alone = {name: float(right([name], tree).mean()) for name in features}
    recall = {name: float(correct[truth == index].mean()) for index, name in enumerate(names)}
    low, high = grouped_interval(correct, group)
    majority = truth == np.bincount(truth).argmax()
    blind = right(outside, forest()) if outside else majority
    blind_low, blind_high = grouped_interval(blind, group)
    return {
        "metadata_shortcut_accuracy": {"all": float(correct.mean()), **recall},
        "metadata_shortcut": {
            "low": low,
            "high": high,
            "majority_share": float(majority.mean()),
            "balanced_accuracy": float(np.mean(list(recall.values()))),
            "without_box": float(blind.mean()),
            "without_box_low": blind_low,
            "without_box_high": blind_high,
            "features": dict(sorted(alone.items(), key=lambda entry: (-entry[1], entry[0]))),
            "folds": FOLDS,
            "images": len(truth),
            "groups": int(group.max() + 1),
            "left_out": left_out,
        },
    }


def forest():
    """Return the forest of trees, untrained; missing values are a branch of their own.

    One thread: the order in which threads add up would shape the last digits.
    """
    from sklearn.ensemble import ExtraTreesClassifier

    return ExtraTreesClassifier(TREES, min_samples_leaf=LEAF_OF_FOREST, random_state=SEED, n_jobs=1)


def feature_table(rows: pd.DataFrame, boxes: np.ndarray | None) -> pd.DataFrame:
    """Return the features, one column each, as floats; what is not known is NaN."""
    known = {
        name: rows[name].astype("Float64").to_numpy(float, na_value=np.nan)
        for name in ("width", "height", "channels", "bytes", "jpeg_quality")
        if name in rows
    }
    if {"width", "height"} <= set(known):
        known["aspect"] = known["width"] / known["height"]
    if {"width", "height", "bytes"} <= set(known):
        known["bytes_per_pixel"] = known["bytes"] / (known["width"] * known["height"])
    if "format" in rows:
        known["format"] = pd.Categorical(rows["format"]).codes.astype(float)
    if boxes is not None:
        known |= dict(zip(BOX, np.asarray(boxes, float).T, strict=True))
    return pd.DataFrame(known, index=rows.index)


def head_boxes(images: np.ndarray) -> np.ndarray:
    """Return left, top, right, bottom and area of the head's box, as shares of the image: shape (N, 5)."""
    side = images.shape[1]
    shares = np.zeros((len(images), len(BOX)))
    for place, image in zip(shares, images, strict=True):
        box, _ = find_box(np.asarray(image), CropSettings())
        edges = np.array([box.left, box.top, box.right, box.bottom]) / side
        place[:] = (*edges, box.area / side**2)
    return shares


def grouped_interval(correct: np.ndarray, group: np.ndarray) -> tuple[float, float]:
    """Return the 95 % Wilson interval of a share, at the number of images that whole groups are worth.

    Parameters
    ----------
    correct : ndarray of bool, shape (N,)
    group : ndarray of int, shape (N,)
        From 0 to G - 1.
    """
    share, sizes = correct.mean(), np.bincount(group)
    spread = np.bincount(group, weights=correct) - share * sizes
    count = len(sizes)
    # The variance of a ratio of group totals; where all answers agree, a group counts as one image.
    variance = count / max(count - 1, 1) * np.sum(spread**2) / len(correct) ** 2
    size = min(share * (1 - share) / variance, len(correct)) if variance > 0 else count
    return wilson_interval(float(share), float(size))
