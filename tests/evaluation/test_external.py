"""external.parquet: every model on every data set, beside its own test part among the same classes."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from external_study import NAMES, TEMPERATURE, identity_of, judged, write_outside, write_own

from brainmri.artefacts import read_json, read_parquet, write_parquet
from brainmri.cli import main
from brainmri.errors import BrainmriError
from brainmri.evaluation.cells import METRICS
from brainmri.evaluation.external import EXTERNAL_SCHEMA, external_table
from brainmri.evaluation.probabilities import log_losses

THREE = NAMES[:3]
RESAMPLES = 200


def study(folder, at_home=0.9, outside=0.6, classes=NAMES, seeds=(0,)):
    """Write trainings on north that are tested on south; return metrics, predictions and tables."""
    files = []
    for seed in seeds:
        identity = identity_of(seed=seed)
        place = folder / f"seed{seed}"
        own = write_own(place, judged(60, at_home, NAMES, seed), identity, RESAMPLES)
        there = judged(80, outside, classes, 10 + seed)
        files.append((*own, write_outside(place, there, identity, "south", classes)))
    return tuple(list(paths) for paths in zip(*files, strict=True))


def table_of(files):
    return external_table(*files, resamples=RESAMPLES, seed=0)


def row_of(table, tested_on, metric="accuracy", seed=None, classes=None):
    own = table[(table["tested_on"] == tested_on) & (table["metric"] == metric)]
    own = own[own["seed"].isna() if seed is None else own["seed"] == seed]
    own = own if classes is None else own[own["classes"] == ", ".join(classes)]
    (row,) = own.to_dict("records")
    return row


def test_a_cell_tells_both_numbers_their_difference_and_what_was_left_out(tmp_path):
    table = table_of(study(tmp_path))
    assert list(table.columns) == EXTERNAL_SCHEMA.names
    assert len(table) == 2 * 2 * len(METRICS)
    row = row_of(table, "south", seed=0)
    own, there = judged(60, 0.9, NAMES, 0), judged(80, 0.6, NAMES, 10)
    assert row["value"] == pytest.approx((there["label"] == there["predicted"]).mean())
    assert row["own"] == pytest.approx((own["label"] == own["predicted"]).mean())
    assert row["difference"] == pytest.approx(row["value"] - row["own"])
    assert row["difference_low"] < row["difference"] < row["difference_high"] < 0
    assert (row["n_images"], row["n_groups"], row["own_n_images"], row["own_n_groups"]) == (160, 80, 120, 60)
    counts = [row[name] for name in ("n_copies_learnt", "n_copies_shared", "n_label_conflicts")]
    assert counts == [3, 1, 1] and (row["n_other_classes"], row["n_unusable"]) == (1, 1)
    assert row["classes"] == ", ".join(NAMES)
    assert row["low"] < row["value"] < row["high"]


def test_the_diagonal_is_what_metrics_json_says(tmp_path):
    files = study(tmp_path)
    table, document = table_of(files), read_json(files[0][0])["test"]
    for name in METRICS:
        row = row_of(table, "north", name)
        for key in ("value", "low", "high"):
            assert row[key] == pytest.approx(document[name][key], rel=1e-12), (name, key)
        assert np.isnan(row["difference"]) and np.isnan(row["n_copies_learnt"])


def test_classes_that_one_set_lacks_are_left_out_at_home_too(tmp_path):
    table = table_of(study(tmp_path, classes=THREE))
    row = row_of(table, "south")
    own = judged(60, 0.9, NAMES, 0)
    own = own[own["label"].isin(THREE)]
    logits = own[[f"logit_{name}" for name in THREE]].to_numpy()
    right = np.array(THREE)[logits.argmax(axis=1)] == own["label"]
    assert row["own"] == pytest.approx(right.mean()) and row["own_n_images"] == len(own)
    # Once in all its classes, and once in those of the cell.
    restricted = row_of(table, "north", classes=THREE)
    assert (restricted["value"], restricted["n_images"]) == (row["own"], len(own))
    assert row_of(table, "north", classes=NAMES)["n_images"] == 120


def test_seeds_are_averaged_and_told_apart(tmp_path):
    table = table_of(study(tmp_path, seeds=(0, 1, 2)))
    each = [row_of(table, "south", seed=seed) for seed in range(3)]
    mean = row_of(table, "south")
    assert (mean["seeds"], each[0]["seeds"]) == (3, 1)
    assert mean["value"] == pytest.approx(np.mean([row["value"] for row in each]))
    differences = [row["difference"] for row in each]
    assert mean["difference_lowest_seed"] == pytest.approx(min(differences))
    assert mean["difference_highest_seed"] == pytest.approx(max(differences))


def test_both_sides_of_a_difference_vary_on_their_own(tmp_path):
    table = table_of(study(tmp_path, seeds=(0, 1)))
    for name in METRICS:
        row = row_of(table, "south", name)
        below = np.hypot(row["value"] - row["low"], row["own_high"] - row["own"])
        above = np.hypot(row["high"] - row["value"], row["own"] - row["own_low"])
        assert row["difference"] - row["difference_low"] == pytest.approx(below)
        assert row["difference_high"] - row["difference"] == pytest.approx(above)


def test_losses_outside_are_at_the_temperature_of_the_training(tmp_path):
    row = row_of(table_of(study(tmp_path)), "south", "log_loss", seed=0)
    there = judged(80, 0.6, NAMES, 10)
    logits = there[[f"logit_{name}" for name in NAMES]].to_numpy(float)
    truth = pd.Index(NAMES).get_indexer(there["label"])
    assert row["value"] == pytest.approx(log_losses(logits / TEMPERATURE, truth).mean())


def test_the_majority_is_that_of_the_tested_images(tmp_path):
    identity = identity_of()
    own = write_own(tmp_path, judged(60, 0.9, NAMES, 0), identity)
    there = judged(80, 0.9, NAMES, 1)
    there = there[(there["label"] == NAMES[1]) | (there["group_id"] < "g020")]
    outside = write_outside(tmp_path, there, identity, "south", NAMES)
    row = row_of(table_of([[path] for path in (*own, outside)]), "south")
    assert row["majority_share"] == pytest.approx((there["label"] == NAMES[1]).mean())


def test_two_groups_a_class_give_wide_intervals_and_no_fault(tmp_path):
    identity = identity_of()
    own = write_own(tmp_path, judged(60, 0.9, NAMES, 0), identity)
    there = write_outside(tmp_path, judged(2, 1.0, NAMES[:2], 1), identity, "south", NAMES[:2])
    row = row_of(table_of([[path] for path in (*own, there)]), "south")
    assert row["value"] == 1 and row["low"] < 0.5
    assert row["difference_low"] < 0 < row["difference_high"]


def test_where_nothing_is_left_there_is_a_cell_without_numbers(tmp_path):
    identity = identity_of()
    own = write_own(tmp_path, judged(60, 0.9, NAMES, 0), identity)
    there = write_outside(tmp_path, judged(80, 0.9, NAMES, 1)[:0], identity, "south", [], copies=160)
    table = table_of([[path] for path in (*own, there)])
    row = row_of(table, "south")
    assert (row["n_images"], row["n_copies_learnt"], row["classes"]) == (0, 160, "")
    assert np.isnan(row["value"]) and np.isnan(row["difference"])
    assert row_of(table, "north")["n_images"] == 120


def test_a_study_of_one_data_set_has_an_empty_table_with_types(tmp_path):
    metrics, predictions = write_own(tmp_path, judged(60, 0.9, NAMES, 0), identity_of())
    arguments = ["compare", "--metrics", str(metrics), "--output", str(tmp_path / "comparison.parquet")]
    arguments += ["--external", str(tmp_path / "external.parquet"), "--resamples", "100"]
    assert main(arguments) == 1
    assert main([*arguments, "--predictions", str(predictions)]) == 0
    table = pq.read_table(tmp_path / "external.parquet")
    assert table.num_rows == 0
    assert table.schema.remove_metadata().equals(EXTERNAL_SCHEMA)


def test_the_command_line_writes_the_matrix(tmp_path):
    metrics, predictions, applied = ([str(path) for path in paths] for paths in study(tmp_path))
    arguments = ["--metrics", *metrics, "--predictions", *predictions, "--applied", *applied]
    arguments += ["--output", str(tmp_path / "comparison.parquet"), "--resamples", "100"]
    assert main(["compare", *arguments, "--external", str(tmp_path / "external.parquet")]) == 0
    assert set(read_parquet(tmp_path / "external.parquet")["tested_on"]) == {"north", "south"}


def test_what_does_not_belong_together_is_refused(tmp_path):
    metrics, predictions, applied = study(tmp_path, seeds=(0, 1))
    with pytest.raises(BrainmriError, match="name both of each"):
        table_of((metrics[:1], predictions, applied))
    with pytest.raises(BrainmriError, match=r"whose metrics\.json is not given: cnn on north, grouped"):
        table_of((metrics[:1], predictions[:1], applied))
    other = write_outside(tmp_path / "seed1", judged(70, 0.9, NAMES, 1), identity_of(seed=1), "south", NAMES)
    with pytest.raises(BrainmriError, match="do not tell of the same images"):
        table_of((metrics, predictions, [applied[0], other]))
    east = write_outside(tmp_path / "seed1", judged(70, 0.9, NAMES, 1), identity_of(seed=1), "east", NAMES)
    with pytest.raises(BrainmriError, match="not tested on east with every"):
        table_of((metrics, predictions, [applied[0], east]))
    table = read_parquet(applied[0])
    write_parquet(table.drop(columns="reason"), applied[0], config={})
    with pytest.raises(BrainmriError, match=r"lacks reason\. Run predict_external again"):
        table_of((metrics, predictions, applied))
