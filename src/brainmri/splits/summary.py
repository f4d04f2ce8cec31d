"""What came out of a split beside what was wished: the document `split.json`."""

import pandas as pd

from brainmri.splits.assignment import share_deviation
from brainmri.splits.settings import SplitSettings

PARTS = ("train", "val", "test")


def split_summary(manifest: pd.DataFrame, settings: SplitSettings, class_names: list[str]) -> dict:
    """Return the images and groups of each part, their shares, and what was left out for which reason.

    Shares are those of the images that were drawn: under ``published`` a part that the source gives has
    none, and train and val share its training part.

    Parameters
    ----------
    manifest
        Every file with `label`, `label_index`, `split`, `reason` and `group_id`.
    settings
        Protocol, shares and seed.
    class_names
        The study's classes.
    """
    known = set(manifest.loc[manifest["label_index"].notna(), "label"])
    # Numbers in place of the names, of which there may be millions.
    used = manifest.loc[manifest["split"] != "excluded", ["label", "split"]].astype("category")
    used["group_id"] = pd.factorize(manifest.loc[used.index, "group_id"])[0]
    wished = settings.wished_shares()
    drawn = used[used["split"].isin(list(wished))]
    parts = {part: part_summary(used, drawn, part, wished.get(part)) for part in PARTS}
    reasons = manifest.loc[manifest["split"] == "excluded", "reason"].value_counts()
    return {
        "protocol": settings.protocol,
        "folds": settings.folds,
        "fold": settings.fold,
        "test_dataset": settings.test_dataset,
        "source_split": settings.source_split,
        "seed": settings.seed,
        "images": len(used),
        "groups": int(used["group_id"].nunique()),
        "parts": parts,
        "largest_deviation": None if drawn.empty else share_deviation(drawn["split"], drawn["label"], wished),
        "classes_without_test": classes_without_test(manifest),
        "absent_classes": [name for name in class_names if name not in known],
        "excluded": {reason: int(reasons[reason]) for reason in sorted(reasons.index)},
    }


def part_summary(used: pd.DataFrame, drawn: pd.DataFrame, part: str, wished: float | None) -> dict:
    """Return the images and groups of one part, in all and by class; shares where the part was drawn."""

    def counted(images: pd.DataFrame, among: pd.DataFrame) -> dict:
        rows = images[images["split"] == part]
        share = None if wished is None or among.empty else float((among["split"] == part).mean())
        return {"images": len(rows), "groups": int(rows["group_id"].nunique()), "share": share}

    by_class = dict(iter(drawn.groupby("label", observed=True)))
    classes = {
        label: counted(images, by_class.get(label, drawn[:0]))
        for label, images in used.groupby("label", observed=True)
    }
    return {**counted(used, drawn), "wished_share": wished, "classes": classes}


def classes_without_test(manifest: pd.DataFrame) -> list[str]:
    """Return the classes that are trained on and not tested on, sorted."""
    labels = {
        part: set(manifest.loc[manifest["split"] == part, "label"].unique()) for part in ("train", "test")
    }
    return sorted(labels["train"] - labels["test"])
