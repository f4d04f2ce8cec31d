"""How models and protocols are compared."""

from brainmri.reporting.page_comparison import best_leak_free, summary_tables


def run_of(split: str, model: str, test: float, val: float, seed: int = 0) -> dict:
    entry = {"value": test, "low": test - 0.05, "high": min(1.0, test + 0.05)}
    run = {"dataset": "set", "split": split, "protocol": split, "model": model, "seed": seed}
    run |= {"images": 40, "groups": 30, "anchor": "here", "links": {"metrics": {}}}
    return run | {"test": {"accuracy": entry, "macro_f1": entry}, "val": {"macro_f1": {"value": val}}}


def split_of(name: str, free: bool, untested: tuple[str, ...] = ()) -> dict:
    split = {"dataset": "set", "name": name, "protocol": name, "leakage": {"free": free}}
    return split | {"classes_without_test": list(untested)}


SPLITS = [split_of("random", False), split_of("grouped", True)]
RUNS = [
    run_of("random", "a", 0.97, 0.97),
    run_of("random", "b", 0.99, 0.98),
    run_of("grouped", "a", 0.85, 0.90),
    run_of("grouped", "b", 0.88, 0.80),
]


def table_of(runs: list[dict], splits: list[dict] = SPLITS) -> dict:
    (table,) = summary_tables([{"name": "set"}], splits, runs)
    return table


def test_the_leak_free_split_comes_first():
    table = table_of(RUNS)
    assert [column["name"] for column in table["columns"]] == ["grouped", "random"]


def test_a_test_part_of_all_classes_comes_before_one_that_lacks_some():
    splits = [split_of("published_clean", True, ("no_tumor",)), *SPLITS]
    table = table_of([run_of("published_clean", "a", 0.3, 0.9), *RUNS], splits)
    assert [column["name"] for column in table["columns"]] == ["grouped", "published_clean", "random"]
    assert table["base"] == "grouped"


def test_of_two_leak_free_test_parts_the_larger_comes_first():
    small = run_of("published_clean", "a", 0.3, 0.9) | {"images": 20}
    table = table_of([small, *RUNS], [split_of("published_clean", True), *SPLITS])
    assert table["base"] == "grouped"


def test_the_best_model_is_chosen_on_validation_and_told_on_test():
    best = best_leak_free(table_of(RUNS), SPLITS, RUNS)
    assert (best["model"], best["split"]) == ("a", "grouped")
    assert best["accuracy"]["text"] == "85.0 %"
    assert best["validation"] == "90.0 %"


def test_without_a_leak_free_split_no_model_is_best():
    splits = [split_of("random", False)]
    runs = RUNS[:2]
    assert best_leak_free(table_of(runs, splits), splits, runs) is None


def test_seeds_of_one_model_share_a_cell():
    runs = [run_of("grouped", "a", 0.8, 0.8), run_of("grouped", "a", 0.9, 0.9, seed=1)]
    (cell,) = table_of(runs, SPLITS[1:])["rows"][0]["cells"]
    assert cell["seeds"] == 2
    assert cell["accuracy"]["text"] == "85.0 %"
    assert cell["accuracy"]["range"] == "80.0–90.0"
    assert cell["accuracy"]["seeds"] == "2 seeds: 80.0–90.0, SD 7.1"


def test_a_class_that_is_not_tested_is_named_beside_the_numbers_that_leave_it_out():
    splits = [split_of("grouped", True, ("no_tumor",))]
    table = table_of(RUNS, splits)
    assert table["columns"][0]["untested"] == "no tumor"
    assert best_leak_free(table, splits, RUNS)["untested"] == "no tumor"


def test_one_of_several_folds_is_told_with_all_of_them():
    splits = [split_of(f"cv-fold{fold}", True) | {"folds": {"folds": 3}} for fold in range(3)]
    runs = [run_of(f"cv-fold{fold}", "a", 0.7 + 0.1 * fold, 0.9) for fold in range(3)]
    folds = best_leak_free(table_of(runs, splits), splits, runs)["folds"]
    assert folds["count"] == 3
    assert (folds["accuracy"]["text"], folds["accuracy"]["range"]) == ("80.0 %", "70.0–90.0")
    assert best_leak_free(table_of(RUNS), SPLITS, RUNS)["folds"] is None
