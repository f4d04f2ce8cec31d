"""Models against each other and against the baselines."""

import pandas as pd
import pytest

from brainmri.artefacts import read_parquet
from brainmri.reporting.draw_pairs import draw_pairs, matrices
from brainmri.reporting.page_pairs import (
    baseline_lines,
    baseline_rows,
    baseline_warnings,
    beside_models,
    not_told_apart,
    p_text,
    pair_row,
)


def row_of(model="a", other="b", difference=-0.03, p_value=0.004) -> dict:
    row = {"model": model, "other": other, "seeds": 2, "test": "permutation"}
    row |= {
        "n_model_alone_right": 5.0,
        "n_other_alone_right": 20.5,
        "p_value": p_value,
        "p_value_holm": p_value,
    }
    for name in ("accuracy", "macro_f1"):
        row |= {name: 0.9 + difference, f"{name}_other": 0.9, f"{name}_difference": difference}
        row |= {f"{name}_difference_low": difference - 0.01, f"{name}_difference_high": difference + 0.02}
        row |= {f"{name}_difference_lowest_seed": difference - 0.005}
        row |= {f"{name}_difference_highest_seed": difference + 0.005}
    return row


def test_the_better_model_comes_first_and_all_turns_with_it():
    row = pair_row(row_of())
    assert (row["better"], row["other"]) == ("b", "a")
    assert row["accuracy"]["text"] == "+3.0" and row["accuracy"]["range"] == "1.0 to 4.0"
    assert row["over_seeds"] == "2.5 to 3.5"
    assert row["alone"] == "20.5 and 5"
    straight = pair_row(row_of("b", "a", 0.03) | {"n_model_alone_right": 20.5, "n_other_alone_right": 5.0})
    assert straight["accuracy"]["text"] == "+3.0" and straight["accuracy"]["range"] == "2.0 to 5.0"


@pytest.mark.parametrize(("p_value", "is_sure"), [(0.0499, True), (0.05, False)])
def test_only_what_the_adjusted_test_tells_apart_differs(p_value, is_sure):
    assert pair_row(row_of(p_value=p_value))["significant"] == is_sure
    assert p_text(0.0004) == "< 0.001"


def test_beside_the_chosen_model_stand_those_that_may_be_as_good():
    rows = [
        pair_row(row_of("a", "b", p_value=0.3)),
        pair_row(row_of("c", "a")),
        pair_row(row_of("b", "c", 0.03, 0.3)),
    ]
    tables = [{"dataset": "set", "split": "grouped", "rows": rows}]
    leader = {"dataset": "set", "split": "grouped", "model": "a"}
    assert not_told_apart(tables, leader) == ["b"]
    assert not_told_apart(tables, leader | {"split": "random"}) == []


def test_the_matrix_is_ordered_and_mirrored():
    rows = pd.DataFrame([row_of("a", "b", -0.05), row_of("a", "c", -0.02, 0.3), row_of("b", "c", 0.03)])
    rows["accuracy"], rows["accuracy_other"] = [0.85, 0.85, 0.9], [0.9, 0.87, 0.87]
    models, difference, sure = matrices(rows)
    assert models == ["b", "c", "a"]
    assert difference[0, 2] == 0.05 and difference[2, 0] == -0.05
    assert sure[0, 2] and sure[2, 0] and not sure[1, 2]


def test_one_model_alone_gives_a_figure_that_says_so(study, tmp_path):
    draw_pairs(study.folder / "pairs.parquet", tmp_path / "none.svg", "phantom", "no such split")
    draw_pairs(study.folder / "pairs.parquet", tmp_path / "again.svg", "phantom", "grouped")
    assert (tmp_path / "none.svg").read_text().startswith("<?xml")
    drawn = study.split_figures("phantom", "grouped") / "pairs.svg"
    assert (tmp_path / "again.svg").read_bytes() == drawn.read_bytes()


def beside_of(number: float, name="nearest_neighbour") -> dict:
    row = {"name": name, "title": name.replace("_", " "), "value": "97.2 %", "own": "95.0 %"}
    row |= {"number": number, "text": f"{100 * number:+.1f}", "range": "", "p_value_holm": "0.010"}
    return row | {"beaten": number > 0, "worse": False}


def split_of(free=True) -> dict:
    return {"dataset": "set", "name": "grouped", "leakage": {"free": free}}


def test_models_that_do_not_beat_a_baseline_are_warned_of_by_name():
    beside = {
        ("set", "grouped", "good"): [beside_of(0.02), beside_of(0.4, "metadata")],
        ("set", "grouped", "bad"): [beside_of(-0.02), beside_of(-0.01, "metadata")],
        ("set", "grouped", "worse"): [beside_of(-0.2)],
    }
    (warning,) = baseline_warnings(beside, {}, [split_of()])
    assert warning["where"] == "set, grouped" and warning["level"] == "warning"
    assert warning["text"].startswith(
        "worse (95.0 %: -20.0 points, ; p after Holm 0.010), bad (95.0 %: -2.0 points, ; p after Holm 0.010) "
        "are not shown to beat nearest neighbour (97.2 % accuracy): "
    )
    assert "worth more than looking up the most similar picture" in warning["text"]
    assert "good" not in warning["text"]
    (leaking,) = baseline_warnings(beside, {}, [split_of(free=False)])
    assert leaking["text"].endswith("memory of the training images may do as well.")


def test_a_model_that_is_shown_to_be_worse_than_a_baseline_is_told_so():
    beside = {("set", "grouped", name): [beside_of(-0.03) | {"worse": name != "a"}] for name in "abcdef"}
    doubted, worse = baseline_warnings(beside, {}, [split_of()])
    assert " is not shown to beat nearest neighbour" in doubted["text"] and doubted["text"].startswith("a (")
    assert " and 2 more do worse than nearest neighbour (97.2 % accuracy): " in worse["text"]


@pytest.mark.parametrize(
    ("high", "p_value", "worse"), [(-0.01, 0.045, True), (-0.01, 0.08, False), (0.01, 0.045, False)]
)
def test_worse_than_a_baseline_is_what_interval_and_adjusted_test_agree_on(monkeypatch, high, p_value, worse):
    row = row_of("a", "nearest_neighbour", -0.03, p_value) | {"dataset": "set", "split": "grouped"}
    row |= {"other_kind": "baseline", "accuracy_difference_high": high}
    monkeypatch.setattr("brainmri.reporting.page_pairs.read_pairs", lambda _: pd.DataFrame([row]))
    ((told,),) = beside_models(None).values()
    assert told["worse"] == worse and not told["beaten"]


@pytest.mark.parametrize(
    ("low", "p_value", "beaten"), [(0.01, 0.02, True), (0.01, 0.08, False), (-0.01, 0.02, False)]
)
def test_a_baseline_is_beaten_where_interval_and_adjusted_test_agree(monkeypatch, low, p_value, beaten):
    row = row_of("a", "nearest_neighbour", 0.03, p_value) | {"dataset": "set", "split": "grouped"}
    row |= {"other_kind": "baseline", "accuracy_difference_low": low}
    monkeypatch.setattr("brainmri.reporting.page_pairs.read_pairs", lambda _: pd.DataFrame([row]))
    ((told,),) = beside_models(None).values()
    assert told["beaten"] == beaten


def test_each_model_of_the_study_stands_beside_each_baseline(study, page):
    beside = beside_models(study)
    assert len(beside) == 4
    assert all(len(rows) == 3 for rows in beside.values())
    found = [warning["where"] for warning in baseline_warnings(beside, {}, [])]
    assert ("phantom, random" in found) == any(
        not row["beaten"] for key, rows in beside.items() if key[1] == "random" for row in rows
    )
    table = read_parquet(study.folder / "pairs.parquet")
    assert set(table["other_kind"]) == {"model", "baseline"}
    assert "nearest neighbour" in page and "majority class" in page


def test_the_summary_table_has_a_line_for_each_baseline(study):
    class Links:
        def link(self, path):
            return {"name": str(path)}

    columns = [{"name": "grouped"}, {"name": "random"}]
    lines = baseline_lines({"dataset": "phantom", "columns": columns}, baseline_rows(study, Links()))
    assert list(lines) == ["majority class of training", "file metadata and box", "nearest neighbour"]
    assert all(len(cells) == 4 for cells in lines.values())
    assert lines["majority class of training"][0]["text"].endswith("%")
