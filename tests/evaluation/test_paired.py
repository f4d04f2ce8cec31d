"""pairs.parquet: models on the same images, seed by seed and on average, and beside the baselines."""

import numpy as np
import pandas as pd
import pytest
from tested_study import NAMES, images_of, write_tested, wrong_at

from brainmri.artefacts import read_json, write_json, write_parquet
from brainmri.errors import BrainmriError
from brainmri.evaluation.differences import limits_of
from brainmri.evaluation.evaluate import evaluate
from brainmri.evaluation.paired import PAIRS_SCHEMA, pairs_table
from brainmri.evaluation.tested import read_tested

IMAGES = images_of(40)


def table_of(files, baselines=(), resamples=200):
    metrics, predictions = zip(*files, strict=True)
    return pairs_table(read_tested(list(metrics), list(predictions), list(baselines)), resamples, seed=0)


def test_a_pair_tells_both_values_the_difference_and_who_was_right_alone(tmp_path):
    table = table_of(
        [
            write_tested(tmp_path, IMAGES, wrong_at(IMAGES, 0, 1), "grouped", "good"),
            write_tested(tmp_path, IMAGES, wrong_at(IMAGES, 0, *range(20, 36)), "grouped", "bad"),
        ]
    )
    (row,) = table.to_dict("records")
    assert list(table.columns) == PAIRS_SCHEMA.names
    assert (row["model"], row["other"], row["other_kind"]) == ("good", "bad", "model")
    assert (row["n_images"], row["n_groups"], row["seeds"]) == (80, 40, 1)
    assert (row["n_model_alone_right"], row["n_other_alone_right"]) == (16, 1)
    assert row["accuracy_difference"] == pytest.approx(15 / 80)
    assert 0 < row["accuracy_difference_low"] < 15 / 80 < row["accuracy_difference_high"] < 0.4
    # Nine groups differ, eight of them in favour of the one: by 2, and one by 1 against it.
    assert row["test"] == "permutation"
    assert row["p_value"] == row["p_value_holm"] == pytest.approx(2 * 2 / 2**9)
    assert pd.isna(row["seed"])


@pytest.mark.parametrize("images", [1, 2])
def test_the_limits_behind_a_difference_are_those_of_metrics_json(tmp_path, monkeypatch, images):
    own = images_of(40, images)
    files = [
        write_tested(tmp_path, own, wrong_at(own, *places), "grouped", name)
        for name, places in (("a", [3]), ("b", [0, 5, 6, 17]))
    ]
    write_json({"temperature": 1.0, "referral_confidence": 0.5}, tmp_path / "calibration.json")
    for measured, predictions in files:
        identity = read_json(measured)["identity"]
        evaluate(predictions, tmp_path / "calibration.json", measured, **identity, resamples=200)
    limits = {}

    def recorded(name, *others):
        limits[name] = limits_of(name, *others)
        return limits[name]

    monkeypatch.setattr("brainmri.evaluation.paired.limits_of", recorded)
    table_of(files, resamples=200)
    for place, (measured, _) in enumerate(files):
        for name, found in limits.items():
            known = read_json(measured)["test"][name]
            assert tuple(found[place]) == pytest.approx((known["low"], known["high"]), rel=1e-9)


def test_swapped_models_have_the_mirrored_difference(tmp_path):
    generator = np.random.default_rng(0)
    answers = [wrong_at(IMAGES, *generator.choice(80, size, replace=False)) for size in (6, 18)]
    rows = []
    for turn, names in enumerate((("a", "b"), ("b", "a"))):
        files = [
            write_tested(tmp_path / str(turn), IMAGES, own, "grouped", name)
            for own, name in zip(answers, names, strict=True)
        ]
        rows.append(table_of(files if turn == 0 else files[::-1]).iloc[0])
    forth, back = rows
    assert forth["p_value"] == back["p_value"]
    for name in ("accuracy", "balanced_accuracy", "macro_f1"):
        assert forth[f"{name}_difference"] == pytest.approx(-back[f"{name}_difference"])
        assert forth[f"{name}_difference_low"] == pytest.approx(-back[f"{name}_difference_high"])


def test_images_without_copies_get_mcnemar_and_the_family_is_adjusted(tmp_path):
    images = images_of(60, images=1)
    wrong = {"a": range(0), "b": range(8), "c": range(20)}
    files = [
        write_tested(tmp_path, images, wrong_at(images, *places), "grouped", name)
        for name, places in wrong.items()
    ]
    table = table_of(files).set_index(["model", "other"])
    assert set(table["test"]) == {"mcnemar"}
    assert table.loc[("a", "b"), "p_value"] == pytest.approx(2 / 2**8)
    assert table.loc[("a", "c"), "p_value"] == pytest.approx(2 / 2**20)
    assert table.loc[("a", "c"), "p_value_holm"] == pytest.approx(3 * 2 / 2**20)
    assert (table["p_value_holm"] >= table["p_value"]).all()


def test_seeds_are_averaged_and_their_spread_is_told_apart(tmp_path):
    places = {("a", 0): range(2), ("a", 1): range(4), ("b", 0): range(2, 12), ("b", 1): range(2, 6)}
    files = [
        write_tested(tmp_path, IMAGES, wrong_at(IMAGES, *own), "grouped", model, seed)
        for (model, seed), own in places.items()
    ]
    table = table_of(files)
    mean, first, second = (row for _, row in table.iterrows())
    assert pd.isna(mean["seed"]) and (first["seed"], second["seed"]) == (0, 1)
    assert mean["accuracy"] == pytest.approx(1 - 3 / 80)
    assert mean["accuracy_difference"] == pytest.approx(4 / 80)
    assert mean["accuracy_difference_lowest_seed"] == pytest.approx(second["accuracy_difference"]) == 0
    assert mean["accuracy_difference_highest_seed"] == pytest.approx(first["accuracy_difference"])
    assert mean["n_model_alone_right"] == pytest.approx((10 + 2) / 2)
    # Averaging two trainings a model leaves less of chance than either alone.
    assert mean["test"] == "permutation"


def test_baselines_stand_beside_each_model_as_a_family_of_their_own(tmp_path):
    files = [
        write_tested(tmp_path, IMAGES, wrong_at(IMAGES, *places), "grouped", name, seed)
        for name, places in (("good", [0]), ("bad", range(60)))
        for seed in (0, 1)
    ]
    rows = [
        {"dataset": "set", "split": "grouped", "baseline": name, "image_id": image, "predicted": label}
        for name, labels in (
            ("majority", np.full(len(IMAGES), NAMES[0])),
            ("nearest_neighbour", np.array(NAMES)[wrong_at(IMAGES, *range(10, 20))]),
        )
        for image, label in zip(IMAGES["image_id"], labels, strict=True)
    ]
    write_parquet(pd.DataFrame(rows), tmp_path / "baselines.parquet", config={})
    table = table_of(files, [tmp_path / "baselines.parquet"])
    means = table[table["seed"].isna()].set_index(["model", "other"])
    assert means.index.tolist() == [
        ("good", "bad"),
        *((model, other) for model in ("good", "bad") for other in ("majority", "nearest_neighbour")),
    ]
    assert means["other_kind"].tolist() == ["model"] + 4 * ["baseline"]
    assert means.loc[("good", "majority"), "accuracy_other"] == 0.25
    assert means.loc[("good", "nearest_neighbour"), "accuracy_difference_low"] > 0
    assert means.loc[("bad", "nearest_neighbour"), "accuracy_difference_high"] < 0
    assert means.loc[("good", "bad"), "p_value_holm"] == means.loc[("good", "bad"), "p_value"]


@pytest.mark.parametrize("resamples", [100, 300])
def test_the_same_seed_gives_the_same_table(tmp_path, resamples):
    files = [
        write_tested(tmp_path, IMAGES, wrong_at(IMAGES, *places), "grouped", name)
        for name, places in (("a", [0, 5]), ("b", range(60, 70)))
    ]
    pd.testing.assert_frame_equal(table_of(files, resamples=resamples), table_of(files, resamples=resamples))


def test_baselines_of_other_images_are_refused(tmp_path):
    files = [write_tested(tmp_path, IMAGES, wrong_at(IMAGES), "grouped", "a")]
    baselines = tmp_path / "baselines.parquet"
    table = IMAGES[["image_id"]].assign(dataset="set", split="grouped", baseline="m", predicted=NAMES[0])
    for spoilt in (
        table.iloc[1:],
        table.assign(image_id="x" + table["image_id"]),
        table.assign(predicted="cyst"),
    ):
        write_parquet(spoilt, baselines, config={})
        with pytest.raises(BrainmriError, match="does not tell of the tested images"):
            table_of(files, [baselines])
    write_parquet(table.sample(frac=1, random_state=0), baselines, config={})
    assert len(table_of(files, [baselines])) == 1


def test_models_that_were_tested_in_other_groups_are_refused(tmp_path):
    files = [
        write_tested(tmp_path, own, wrong_at(own), "grouped", name)
        for name, own in (("a", IMAGES), ("b", IMAGES.assign(group_id=IMAGES["image_id"])))
    ]
    with pytest.raises(BrainmriError, match="same test images"):
        table_of(files)


def test_what_does_not_belong_together_is_refused(tmp_path):
    right = wrong_at(IMAGES)
    one = write_tested(tmp_path / "one", IMAGES, right, "grouped", "a")
    more = images_of(41)
    with pytest.raises(BrainmriError, match="same test images"):
        table_of([one, write_tested(tmp_path / "two", more, wrong_at(more), "grouped", "b")])
    with pytest.raises(BrainmriError, match="lacks the seed"):
        table_of([one, write_tested(tmp_path / "three", IMAGES, right, "grouped", "b", seed=1)])
    document = read_json(one[0])
    write_json({**document, "test": {"n_images": 80, "accuracy": {"value": 0.5}}}, one[0])
    with pytest.raises(BrainmriError, match="was not measured on"):
        table_of([one])
    with pytest.raises(BrainmriError, match="in the same order"):
        read_tested([one[0]], [], [])
