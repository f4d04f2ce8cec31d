"""leakage.parquet: how much of a protocol's number goes when the leak does."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import norm
from tested_study import NAMES, images_of, write_tested, wrong_at

from brainmri.artefacts import read_json, read_parquet, write_json
from brainmri.cli import main
from brainmri.errors import BrainmriError
from brainmri.evaluation.bootstrap import resampled_weights
from brainmri.evaluation.evaluate import evaluate
from brainmri.evaluation.leakage import LEAKAGE_SCHEMA, drawn_together, leakage_table
from brainmri.evaluation.tested import JudgedSplit, read_tested
from brainmri.intervals import wilson_interval

PUBLISHED, GROUPED = images_of(40), images_of(40, start=20)
CLEAN = PUBLISHED[PUBLISHED["group_id"] >= "g020"].reset_index(drop=True)


def table_of(files, resamples=200):
    metrics, predictions = zip(*files, strict=True)
    return leakage_table(read_tested(list(metrics), list(predictions), []), resamples, seed=0)


def test_a_row_tells_both_numbers_their_difference_and_what_the_parts_share(tmp_path):
    table = table_of(
        [
            write_tested(tmp_path, PUBLISHED, wrong_at(PUBLISHED, 0), "published", "cnn"),
            write_tested(tmp_path, GROUPED, wrong_at(GROUPED, *range(16)), "grouped", "cnn"),
        ]
    )
    (row,) = table.to_dict("records")
    assert list(table.columns) == LEAKAGE_SCHEMA.names
    assert (row["split"], row["free_split"], row["model"]) == ("published", "grouped", "cnn")
    assert (row["n_shared_images"], row["n_shared_groups"]) == (40, 20)
    assert row["accuracy"] == 79 / 80 and row["accuracy_free"] == 64 / 80
    assert row["accuracy_difference"] == pytest.approx(15 / 80)
    assert 0 < row["accuracy_difference_low"] < 15 / 80 < row["accuracy_difference_high"] < 0.4
    assert row["accuracy_low"] < row["accuracy"] < row["accuracy_high"]
    assert row["absent_classes"] == ""


@pytest.mark.parametrize("images", [1, 2])
def test_the_interval_of_each_number_is_that_of_metrics_json(tmp_path, images):
    # The same images on both sides: only then are groups drawn together drawn as those of one part are.
    own = images_of(40, images)
    files = [
        write_tested(tmp_path, own, wrong_at(own, *places), split, "cnn")
        for split, places in (("published", [3]), ("grouped", [0, 5, 6, 17]))
    ]
    write_json({"temperature": 1.0, "referral_confidence": 0.5}, tmp_path / "calibration.json")
    for measured, predictions in files:
        identity = read_json(measured)["identity"]
        evaluate(predictions, tmp_path / "calibration.json", measured, **identity, resamples=200)
    (row,) = table_of(files, resamples=200).to_dict("records")
    for (measured, _), side in zip(files, ("", "_free"), strict=True):
        for name in ("accuracy", "balanced_accuracy", "macro_f1"):
            known = read_json(measured)["test"][name]
            found = row[f"{name}{side}_low"], row[f"{name}{side}_high"]
            assert found == pytest.approx((known["low"], known["high"]), rel=1e-9)


def test_the_pairs_are_those_that_mean_something(tmp_path):
    images = {"published": PUBLISHED, "published_clean": CLEAN, "random": PUBLISHED, "grouped": GROUPED}
    files = [
        write_tested(tmp_path, own, wrong_at(own, 0, 1), split, model)
        for split, own in images.items()
        for model in ("a", "b")
    ]
    table = table_of(files)
    assert {tuple(row) for row in table[["split", "free_split"]].to_numpy()} == {
        ("published", "grouped"),
        ("published", "published_clean"),
        ("random", "grouped"),
    }
    assert len(table) == 6


def test_of_a_part_of_the_same_images_only_the_rest_can_differ(tmp_path):
    # Both are right on all that the clean part has: the difference lies in the copies alone.
    files = [
        write_tested(tmp_path, PUBLISHED, wrong_at(PUBLISHED, 44, 50, 60), "published", "cnn"),
        write_tested(tmp_path, CLEAN, wrong_at(CLEAN, 4, 10, 20), "published_clean", "cnn"),
    ]
    (row,) = table_of(files, resamples=500).to_dict("records")
    assert row["n_shared_images"] == len(CLEAN) == 40
    assert row["accuracy_difference"] == pytest.approx(3 / 40 - 3 / 80)
    width = row["accuracy_difference_high"] - row["accuracy_difference_low"]
    apart = np.hypot(
        row["accuracy_high"] - row["accuracy_low"], row["accuracy_free_high"] - row["accuracy_free_low"]
    )
    assert width < 0.8 * apart


def test_at_equal_class_mix_another_mix_is_no_difference(tmp_path):
    # A third of the gliomas is wrong, in the copies too; the clean part holds few of the easy classes.
    published = images_of(120, images=1)
    rare = published["truth"].isin([1, 2]) & (published["group_id"] >= "g030")
    clean = published[~rare & (published["group_id"] >= "g024")].reset_index(drop=True)
    hard = [
        np.flatnonzero((own["truth"] == 0) & (own["group_id"].str[1:].astype(int) % 3 == 0))
        for own in (published, clean)
    ]
    files = [
        write_tested(tmp_path, published, wrong_at(published, *hard[0]), "published", "cnn"),
        write_tested(tmp_path, clean, wrong_at(clean, *hard[1]), "published_clean", "cnn"),
    ]
    (row,) = table_of(files, resamples=500).to_dict("records")
    assert row["accuracy_difference"] > 0.05
    assert row["balanced_accuracy_difference"] == pytest.approx(0)
    for name in ("accuracy", "macro_f1"):
        assert row[f"{name}_equal_mix"] == pytest.approx(row[f"{name}_free"])
        assert row[f"{name}_equal_mix_difference"] == pytest.approx(0)
        assert row[f"{name}_equal_mix_difference_low"] < 0 < row[f"{name}_equal_mix_difference_high"]
    assert row["few_groups_classes"] == f"{NAMES[1]}, {NAMES[2]}"


def test_where_both_parts_have_the_classes_alike_nothing_is_weighted(tmp_path):
    files = [
        write_tested(tmp_path, PUBLISHED, wrong_at(PUBLISHED, 0), "published", "cnn"),
        write_tested(tmp_path, GROUPED, wrong_at(GROUPED, *range(16)), "grouped", "cnn"),
    ]
    (row,) = table_of(files).to_dict("records")
    for name in ("accuracy", "macro_f1"):
        for ending in ("", "_difference"):
            assert row[f"{name}_equal_mix{ending}"] == pytest.approx(row[name + ending])


def test_a_class_that_one_part_lacks_is_left_out_of_both_and_named(tmp_path):
    without = CLEAN[CLEAN["truth"] != 3].reset_index(drop=True)
    files = [
        write_tested(tmp_path, PUBLISHED, wrong_at(PUBLISHED, 3 * 2), "published", "cnn"),
        write_tested(tmp_path, without, wrong_at(without), "published_clean", "cnn"),
    ]
    (row,) = table_of(files).to_dict("records")
    assert row["absent_classes"] == NAMES[3]
    assert row["n_images"] == 60 and row["accuracy"] == 1 and row["accuracy_difference"] == 0
    assert row["accuracy_difference_low"] < 0 < row["accuracy_difference_high"]


def test_a_class_that_the_leaking_part_lacks_is_named_too(tmp_path):
    without = PUBLISHED[PUBLISHED["truth"] != 3].reset_index(drop=True)
    files = [
        write_tested(tmp_path, own, wrong_at(own), split, "cnn")
        for split, own in (("published", without), ("grouped", GROUPED))
    ]
    (row,) = table_of(files).to_dict("records")
    assert row["absent_classes"] == NAMES[3] and row["free_n_images"] == 60


def test_seeds_are_averaged_and_told_apart_for_each_model(tmp_path):
    wrong = {
        ("published", "a"): (0, 2),
        ("published", "b"): (4, 4),
        ("grouped", "b"): (4, 4),
        ("grouped", "a"): (4, 16),
    }
    files = [
        write_tested(tmp_path, images, wrong_at(images, *range(count)), split, model, seed)
        for (split, model), counts in wrong.items()
        for images in (PUBLISHED if split == "published" else GROUPED,)
        for seed, count in enumerate(counts)
    ]
    table = table_of(files)
    mean = table[table["seed"].isna()].set_index("model")
    each = table[table["model"] == "a"].dropna(subset=["seed"])
    assert (mean["seeds"].tolist(), each["seeds"].tolist()) == ([2, 2], [1, 1])
    assert mean.loc["a", "accuracy_free"] == pytest.approx(1 - 10 / 80)
    assert mean["accuracy_difference"].to_dict() == pytest.approx({"a": 9 / 80, "b": 0})
    assert each["accuracy_difference"].tolist() == pytest.approx([4 / 80, 14 / 80])
    assert mean.loc["a", "accuracy_difference_lowest_seed"] == pytest.approx(4 / 80)
    assert mean.loc["a", "accuracy_difference_highest_seed"] == pytest.approx(14 / 80)


def test_the_interval_of_the_leak_free_number_is_of_its_own_images(tmp_path):
    published, free = images_of(120, images=1), images_of(40, images=1, start=200)
    files = [
        write_tested(tmp_path, own, wrong_at(own, *range(4)), split, "cnn")
        for split, own in (("published", published), ("grouped", free))
    ]
    (row,) = table_of(files).to_dict("records")
    assert (row["accuracy_free_low"], row["accuracy_free_high"]) == pytest.approx(wilson_interval(0.9, 40))


def test_parts_with_no_class_in_common_are_refused(tmp_path):
    files = [
        write_tested(tmp_path, own, wrong_at(own), split, "cnn")
        for split, own in (
            ("published", PUBLISHED[PUBLISHED["truth"] < 2].reset_index(drop=True)),
            ("grouped", GROUPED[GROUPED["truth"] > 1].reset_index(drop=True)),
        )
    ]
    with pytest.raises(BrainmriError, match="no class in common"):
        table_of(files)


def test_shared_groups_are_drawn_once_for_both_and_each_part_keeps_its_size():
    parts = [
        SimpleNamespace(group_id=own["group_id"], truth=own["truth"].to_numpy(), class_names=NAMES)
        for own in (PUBLISHED, GROUPED)
    ]
    groups, strata = drawn_together(parts)
    names = [dict(zip(own, part.group_id, strict=True)) for own, part in zip(groups, parts, strict=True)]
    assert len(strata) == 60
    assert all(names[0][index] == names[1][index] for index in names[0].keys() & names[1].keys())
    for weights in resampled_weights(strata, 50, seed=0):
        for own in groups:
            np.testing.assert_allclose(weights[:, own].sum(axis=1), 80)


def test_the_command_line_writes_all_three_tables(tmp_path):
    files = [
        write_tested(tmp_path, own, wrong_at(own, *places), split, model)
        for split, own in (("published", PUBLISHED), ("grouped", GROUPED))
        for model, places in (("a", [0]), ("b", range(9)))
    ]
    for measured, predictions in files:
        write_json({"temperature": 1.0, "referral_confidence": 0.5}, tmp_path / "calibration.json")
        identity = read_json(measured)["identity"]
        evaluate(predictions, tmp_path / "calibration.json", measured, **identity, resamples=100)
    metrics, predictions = ([str(path) for path in paths] for paths in zip(*files, strict=True))
    arguments = ["compare", "--metrics", *metrics, "--output", str(tmp_path / "comparison.parquet")]
    arguments += ["--pairs", str(tmp_path / "pairs.parquet"), "--leakage", str(tmp_path / "leakage.parquet")]
    assert main([*arguments, "--resamples", "100"]) == 1
    assert main([*arguments, "--predictions", *predictions, "--resamples", "100"]) == 0
    assert len(read_parquet(tmp_path / "pairs.parquet")) == 2
    assert len(read_parquet(tmp_path / "leakage.parquet")) == 2


def simulated_clean(generator, groups=120):
    """Draw a published test part, and what is left of it without copies, which rather keeps a hard class."""
    truth = np.repeat(np.arange(4), groups)
    copy = generator.random(len(truth)) < np.array([0.2, 0.8, 0.6, 0.6])[truth]
    right = np.array([0.6, 0.9, 0.85, 0.95])[truth] + np.where(copy, 0.04, -0.04)
    wrong = generator.random(len(truth)) >= right
    predicted = (truth + np.where(wrong, generator.integers(1, 4, size=len(truth)), 0)) % 4
    names = np.array([f"{index}" for index in range(len(truth))])
    return [
        JudgedSplit(
            *("set", split, split, NAMES, names[kept], names[kept], truth[kept], [0]),
            {"cnn": predicted[None, kept]},
            {},
        )
        for split, kept in (("published", np.ones(len(truth), bool)), ("published_clean", ~copy))
    ]


@pytest.mark.slow
def test_the_interval_at_equal_class_mix_holds_the_truth_as_often_as_it_promises():
    generator = np.random.default_rng(0)
    copied, trials, hits = np.array([0.2, 0.8, 0.6, 0.6]), 400, 0
    # In a class with so many copies, the whole part is right more often than the clean one by 0.08 of them.
    truth = (0.08 * copied * (1 - copied)).sum() / (1 - copied).sum()
    for trial in range(trials):
        (row,) = leakage_table(simulated_clean(generator), 200, trial).to_dict("records")
        name = "accuracy_equal_mix_difference"
        hits += row[f"{name}_low"] <= truth <= row[f"{name}_high"]
    assert 0.93 <= hits / trials <= 0.99


def simulated(generator, groups_of_parts, accuracies):
    """Draw two test parts that share groups; a patient that is hard in one is hard in the other."""
    every = max(groups.max() for groups in groups_of_parts) + 1
    of_groups = generator.normal(size=every)
    parts = []
    for groups, accuracy, split in zip(groups_of_parts, accuracies, ("published", "grouped"), strict=True):
        group = np.repeat(groups, 3)
        ease = np.sqrt(0.5) * of_groups[group] + np.sqrt(0.5) * generator.normal(size=len(group))
        truth = group % 4
        wrong = ease >= norm.ppf(accuracy)
        predicted = (truth + np.where(wrong, generator.integers(1, 4, size=len(group)), 0)) % 4
        names = np.array([f"{index}" for index in group])
        parts.append(
            JudgedSplit("set", split, split, NAMES, names, names, truth, [0], {"cnn": predicted[None]}, {})
        )
    return parts


@pytest.mark.slow
@pytest.mark.parametrize("first", [0, 80])  # all, and half, of the groups are in both parts
def test_the_interval_of_leakage_holds_the_truth_as_often_as_it_promises(first):
    generator = np.random.default_rng(0)
    groups = np.arange(160), np.arange(first, first + 160)
    hits, trials = {"accuracy": 0, "balanced_accuracy": 0, "macro_f1": 0}, 400
    for trial in range(trials):
        (row,) = leakage_table(simulated(generator, groups, (0.97, 0.92)), 200, trial).to_dict("records")
        for name in hits:
            hits[name] += row[f"{name}_difference_low"] <= 0.05 <= row[f"{name}_difference_high"]
    for name, count in hits.items():
        assert 0.93 <= count / trials <= 0.97, name
