"""Labels that mean nothing: seeded, whole groups alike, as many as before."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainmri.errors import BrainmriError
from brainmri.splits.shuffle import shuffled_labels

NAMES = np.array(["glioma", "meningioma", "pituitary"])


def manifest_of(groups: int, images: int, seed: int = 0) -> pd.DataFrame:
    """Return a manifest of groups, whose images lie in any part; the last one is excluded."""
    generator = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), images)
    index = group % 3
    split = generator.choice(["train", "train", "val", "test"], len(group)).astype(object)
    split[-1] = "excluded"
    split[:9] = "train"
    return pd.DataFrame(
        {
            "image_id": [f"{number:04d}" for number in range(len(group))],
            "label": NAMES[index],
            "label_index": index,
            "split": split,
            "group_id": [f"g{own}" for own in group],
        }
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(12, 60), st.integers(1, 4), st.integers(0, 2**31))
def test_groups_share_a_label_and_each_label_has_as_many_groups_as_before(groups, images, seed):
    manifest = manifest_of(groups, images)
    altered = shuffled_labels(manifest, seed)
    used = manifest["split"] != "excluded"
    own, drawn = manifest[used], altered[used]
    assert drawn.groupby("group_id")["label"].nunique().max() == 1
    counts = [
        table.drop_duplicates("group_id")["label"].value_counts().sort_index().tolist()
        for table in (own, drawn)
    ]
    assert counts[0] == counts[1]
    assert (NAMES[drawn["label_index"].to_numpy(int)] == drawn["label"]).all()
    unchanged = ["image_id", "split", "group_id"]
    assert altered[unchanged].equals(manifest[unchanged])
    assert altered.loc[~used, "label"].equals(manifest.loc[~used, "label"])
    assert set(drawn.loc[drawn["split"] == "train", "label"]) == set(own["label"])


def test_the_seed_and_not_the_order_of_the_rows_decides():
    manifest = manifest_of(40, 2)
    turned = manifest.sample(frac=1, random_state=1)
    assert shuffled_labels(turned, 3).sort_index().equals(shuffled_labels(manifest, 3))
    assert not shuffled_labels(manifest, 4)["label"].equals(shuffled_labels(manifest, 3)["label"])


def test_where_a_group_has_images_of_two_labels_each_share_keeps_together():
    manifest = manifest_of(30, 4)
    manifest.loc[manifest.index % 4 >= 2, "label_index"] = (manifest["label_index"] + 1) % 3
    manifest["label"] = NAMES[manifest["label_index"]]
    altered = shuffled_labels(manifest, 0)
    shares = [manifest["group_id"], manifest["label"]]
    used = manifest["split"] != "excluded"
    assert altered[used].groupby([own[used] for own in shares])["label"].nunique().max() == 1


def test_a_class_that_no_draw_can_train_is_told():
    # One group trains, so that only one of the two classes can.
    manifest = manifest_of(2, 6).assign(split=["train"] * 6 + ["test"] * 6)
    with pytest.raises(BrainmriError, match="left without a training image"):
        shuffled_labels(manifest, 0)
