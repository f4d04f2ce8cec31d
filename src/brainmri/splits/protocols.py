"""The protocols: to which part each image goes, or why it is left out.

Each takes the files of a data set and the settings, and returns `split` and `reason` (null where the image is
used) for the images that can be drawn, those whose `split` is null, under their row labels.
"""

import numpy as np
import pandas as pd

from brainmri.errors import BrainmriError, nearest
from brainmri.splits.assignment import assign_groups
from brainmri.splits.settings import SplitSettings

GROUP_IN_TRAIN = "its group reaches into the source's training part"


def grouped(files: pd.DataFrame, settings: SplitSettings) -> pd.DataFrame:
    """Draw whole groups, so that no copy and no patient is on two sides."""
    images = drawable(files)
    if settings.folds is None:
        return placed(images, drawn(images, settings.shares(), settings.seed))
    if settings.fold is None:
        raise BrainmriError(f"folds is {settings.folds}: say with fold, from 0, which of them to write.")
    # All folds come from one draw, which does not depend on `fold`: so each image is tested once.
    folds = [f"fold {index}" for index in range(settings.folds)]
    fold = drawn(images, dict.fromkeys(folds, 1 / settings.folds), settings.seed)
    parts = np.full(len(images), "test", object)
    others = fold != folds[settings.fold]
    parts[others] = drawn(images[others], settings.shares(), settings.seed)
    return placed(images, parts)


def random(files: pd.DataFrame, settings: SplitSettings) -> pd.DataFrame:
    """Draw single images, whatever their group: what the reference systems do."""
    images = drawable(files)
    return placed(
        images, assign_groups(images["image_id"], images["label"], settings.shares(), settings.seed)
    )


def published(files: pd.DataFrame, settings: SplitSettings) -> pd.DataFrame:
    """Keep the source's test part; draw validation, by whole groups if not asked otherwise, from the rest."""
    images = drawable(files)
    source = images["source_split"]
    if not (source == "test").any() or not (source == "train").any():
        raise BrainmriError(
            f"The protocol '{settings.protocol}' needs the source's own train and test parts, and this data "
            "set has none: use 'random' or 'grouped', or name its folders under layout."
        )
    parts = source.to_numpy(object, copy=True)
    in_train = (source == "train").to_numpy()
    training = images[in_train]
    units = training["group_id" if settings.val_by == "groups" else "image_id"]
    parts[in_train] = assign_groups(units, training["label"], settings.shares(), settings.seed)
    result = placed(images, parts)
    leave_out(result, source.isna(), "the source puts it in no part")
    return result


def published_clean(files: pd.DataFrame, settings: SplitSettings) -> pd.DataFrame:
    """Do as `published`, without the test images whose group reaches into the source's training part."""
    result = published(files, settings)
    # All its files count, those too that are not trained on: they are in what the source calls training.
    is_known = in_a_group_with(files, files["source_split"] == "train")
    is_test = result["split"] == "test"
    leave_out(result, is_test & is_known[result.index], GROUP_IN_TRAIN)
    if not (result["split"] == "test").any():
        raise BrainmriError(
            f"Each of the {is_test.sum()} images of the source's test part has a copy in its training part: "
            f"the protocol '{settings.protocol}' leaves nothing to test on. Use 'grouped'."
        )
    return result


def leave_one_out(files: pd.DataFrame, settings: SplitSettings) -> pd.DataFrame:
    """Test on one member of a pooled set what the others taught, without what they have in common."""
    images, test_dataset = drawable(files), settings.test_dataset
    dataset = files["dataset"]
    if test_dataset not in (members := sorted(dataset.unique())):
        raise BrainmriError(
            f"test_dataset: '{test_dataset}' is no member of this pooled data set. "
            f"{nearest(test_dataset, members)}"
        )
    is_test = (dataset == test_dataset)[images.index]
    result = placed(images, np.where(is_test, "test", None))
    for rows, others, name in (
        (is_test, ~is_test, "the training sets"),
        (~is_test, is_test, f"the test set {test_dataset}"),
    ):
        for label in sorted(
            set(images.loc[rows, "label"].unique()) - set(images.loc[others, "label"].unique())
        ):
            leave_out(result, rows & (images["label"] == label), f"the class {label} is not in {name}")
    leave_out_copies(result, files, [member for member in members if member != test_dataset])
    if not (result["split"] == "test").any():
        raise BrainmriError(
            f"No image of {test_dataset} is left to test on: each has a copy in another member, or a class "
            "that they lack. Let another member test."
        )
    rest = images[result["split"].isna()]
    result.loc[rest.index, "split"] = drawn(rest, settings.shares(), settings.seed)
    return result


def leave_out_copies(result: pd.DataFrame, files: pd.DataFrame, others: list[str]) -> None:
    """Exclude the test images whose group holds a file of another member, and name these; in place."""
    found = pd.Series("", index=result.index, dtype=object)
    for member in others:
        in_it = in_a_group_with(files, files["dataset"] == member)[result.index] & (result["split"] == "test")
        found[in_it] = found[in_it].map(
            lambda names, member=member: f"{names} and {member}" if names else member
        )
    for names in sorted(set(found) - {""}):
        leave_out(result, found == names, f"its group reaches into {names}")


def drawable(files: pd.DataFrame) -> pd.DataFrame:
    """Return the images that can be drawn: those without a part yet."""
    return files.loc[files["split"].isna(), ["image_id", "label", "source_split", "group_id"]]


def in_a_group_with(files: pd.DataFrame, marked: pd.Series) -> pd.Series:
    """Tell of each file whether its group holds a marked file."""
    group, names = pd.factorize(files["group_id"])
    # The last place is that of files without a group (-1), which are with no other.
    holds = np.zeros(len(names) + 1, bool)
    holds[group[(marked & (group >= 0)).to_numpy(bool)]] = True
    return pd.Series(holds[group], index=files.index)


def drawn(images: pd.DataFrame, shares: dict[str, float], seed: int) -> np.ndarray:
    """Return the part of each image, whole groups on one side."""
    return assign_groups(images["group_id"], images["label"], shares, seed)


def placed(images: pd.DataFrame, parts: np.ndarray) -> pd.DataFrame:
    """Return `split` and an empty `reason` for the images."""
    return pd.DataFrame(
        {"split": parts, "reason": pd.Series(None, images.index, object)}, index=images.index, dtype=object
    )


def leave_out(result: pd.DataFrame, rows: pd.Series, reason: str) -> None:
    """Exclude some images for a reason; in place."""
    result.loc[rows, ["split", "reason"]] = ["excluded", reason]


DRAWERS = {
    "grouped": grouped,
    "random": random,
    "published": published,
    "published_clean": published_clean,
    "leave_one_out": leave_one_out,
}
