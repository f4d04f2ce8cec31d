"""Which images are explained: all kinds and classes, none twice, the same again."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainmri.evaluation.explain_choice import chosen_images, with_kinds

NAMES = ["glioma", "meningioma", "no_tumor"]


def predictions(count: int, seed: int = 0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "image_id": [f"{index:04}.png" for index in range(count)],
            "label": generator.choice(NAMES, count),
            "predicted": generator.choice(NAMES, count),
            "confidence": generator.uniform(0.34, 1, count),
        }
    )


def test_kinds_are_told_by_the_referral_threshold_first():
    table = pd.DataFrame(
        {"label": ["a", "a", "a"], "predicted": ["a", "b", "b"], "confidence": [0.9, 0.9, 0.5]}
    )
    assert with_kinds(table, 0.6)["kind"].tolist() == ["right", "wrong", "uncertain"]


@pytest.mark.parametrize("threshold", [None, 0.0, 2.0])
def test_where_the_threshold_parts_nothing_the_least_sure_are_uncertain(threshold):
    table = with_kinds(predictions(100), threshold)
    uncertain = table["kind"] == "uncertain"
    assert 1 <= uncertain.sum() <= 20
    assert table.loc[uncertain, "confidence"].max() < table.loc[~uncertain, "confidence"].min()


def test_each_class_and_kind_is_among_the_first(tmp_path):
    chosen = chosen_images(predictions(300), NAMES, 0.6, 9, seed=0)
    assert len(set(zip(chosen["label"], chosen["kind"], strict=True))) == 9
    assert chosen["kind"].head(3).nunique() == 3
    assert chosen["label"].head(3).nunique() == 3


@given(count=st.integers(0, 60), wanted=st.integers(0, 80), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_as_many_as_wished_none_twice_and_the_same_whatever_the_order(count, wanted, seed):
    table = predictions(count, seed)
    chosen = chosen_images(table, NAMES, 0.6, wanted, seed)
    assert len(chosen) == min(count, wanted)
    assert chosen["image_id"].is_unique
    again = chosen_images(table.sample(frac=1, random_state=seed), NAMES, 0.6, wanted, seed)
    assert chosen["image_id"].tolist() == again["image_id"].tolist()
