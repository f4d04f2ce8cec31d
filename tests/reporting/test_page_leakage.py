"""How much higher a number is with a leak, in words and numbers."""

import pytest

from brainmri.artefacts import read_parquet
from brainmri.reporting.page_leakage import (
    against_base,
    conflicts_kept,
    first_of_each_protocol,
    leakage_row,
    sentence,
)


def row_of(difference=0.042, low=0.029, high=0.056, seeds=1, absent="", free="grouped", few="") -> dict:
    row = {"dataset": "set", "model": "cnn", "split": "published", "protocol": "published"}
    row |= {"free_split": free, "free_protocol": free, "seeds": seeds, "absent_classes": absent}
    row |= {"n_images": 1311, "n_groups": 890, "free_n_images": 1404, "free_n_groups": 590}
    row |= {"n_shared_images": 280, "n_shared_groups": 120, "few_groups_classes": few}
    for name in ("accuracy", "macro_f1"):
        values = {"": 0.986, "_low": 0.978, "_high": 0.991}
        values |= {"_free": 0.986 - difference, "_free_low": 0.91, "_free_high": 0.97}
        values |= {"_difference": difference, "_difference_low": low, "_difference_high": high}
        values |= {"_difference_lowest_seed": 0.035, "_difference_highest_seed": 0.049}
        row |= {name + suffix: value for suffix, value in values.items()}
        # A class that few of the leak-free part are of is easier than the rest.
        row |= {f"{name}_equal_mix{suffix}": value for suffix, value in values.items()}
        row |= {f"{name}_difference": 0.5, f"{name}_equal_mix": 0.97}
    return row


def test_what_is_higher_with_a_leak_is_said_at_equal_class_mix_with_its_interval():
    assert sentence(row_of()) == (
        "At the class mix of grouped, the accuracy of cnn under published (97.0 %; 98.6 % at its own mix) is "
        "4.2 points (95 % interval 2.9 to 5.6) higher than under grouped (94.4 %); patients or copies known "
        "from training are one reason, other test images, other training images and the luck of one training "
        "are others."
    )


def test_the_same_network_differs_neither_in_training_nor_in_luck():
    told = sentence(row_of(free="published_clean"))
    assert "than under published_clean (94.4 %); patients or copies known from training are one" in told
    assert "training images" not in told and "luck" not in told
    assert "the luck of 3 trainings" in sentence(row_of(seeds=3))


def test_each_leak_free_protocol_of_the_same_model_is_told_by_itself():
    row = row_of(difference=0.006, low=-0.01, high=0.02)
    first, second = row, row_of(free="published_clean", absent="no_tumor")
    assert sentence(first, second) == f"{sentence(first)} {sentence(second)}"
    assert sentence(second).startswith(
        "Without no tumor, which one of the two does not test, and at the class"
    )


@pytest.mark.parametrize("free", ["grouped", "published_clean"])
@pytest.mark.parametrize("limits", [(0.01, 0.02), (-0.01, 0.02), (-0.02, -0.01)])
def test_no_difference_is_called_leakage(free, limits):
    told = sentence(row_of(0.0, *limits, free=free))
    assert "leakage" not in told and "worth" not in told and "owes" not in told


def test_less_with_a_leak_is_told_as_what_it_is():
    told = sentence(row_of(difference=-0.132, low=-0.197, high=-0.068))
    assert (
        "cnn scores 13.2 points (difference −13.2, 95 % interval −19.7 to −6.8) less under published" in told
    )
    assert told.endswith("; the two test parts differ in more than copies.")


def test_of_folds_one_is_told_and_what_is_sure_comes_first():
    unsure, clean = row_of(low=-0.01), row_of(free="published_clean")
    folds = [unsure, unsure | {"free_split": "fold1"}, clean, unsure | {"model": "other"}]
    assert first_of_each_protocol(folds) == [clean, unsure]


def test_what_could_be_chance_is_no_difference():
    told = sentence(row_of(difference=0.01, low=-0.004, high=0.02))
    assert "higher" not in told
    assert "is not shown to differ from that under grouped (97.6 %)" in told and "−0.4 to 2.0" in told


def test_seeds_and_left_out_classes_are_told():
    told = sentence(row_of(seeds=3, absent="no_tumor", free="published_clean"))
    assert "over seeds 3.5 to 4.9" in told
    assert "Without no tumor, which one" in told
    assert leakage_row(row_of())["metrics"][0]["over_seeds"] == ""


def test_a_row_has_both_numbers_with_intervals_and_says_when_it_is_sure():
    row = leakage_row(row_of())
    accuracy = row["metrics"][0]
    assert (accuracy["leaking"]["text"], accuracy["free"]["range"]) == ("98.6 %", "91.0–97.0")
    assert (accuracy["difference"], accuracy["range"], accuracy["certain"]) == ("+4.2", "2.9 to 5.6", True)
    assert (accuracy["equal_mix"]["text"], row["few"]) == ("97.0 %", "")
    assert not leakage_row(row_of(low=-0.01))["metrics"][0]["certain"]
    assert leakage_row(row_of(-0.1, -0.2, -0.01))["metrics"][0]["certain"]
    assert leakage_row(row_of(few="no_tumor"))["few"] == "no tumor"
    assert row["shared"] == "280 images and 120 groups in both"


def test_one_number_has_one_interval_on_the_page():
    whole = {"n_images": 1311, "accuracy_low": 0.97, "accuracy_high": 0.99}
    whole |= {"macro_f1_low": 0.96, "macro_f1_high": 0.98}
    known = {("set", "published", "cnn"): whole}
    ranges = [measure["leaking"]["range"] for measure in leakage_row(row_of(), known)["metrics"]]
    assert ranges == ["97.0–99.0", "96.0–98.0"]
    # Without a class it is another number.
    fewer = row_of() | {"n_images": 906}
    assert leakage_row(fewer, known)["metrics"][0]["leaking"]["range"] == "97.8–99.1"


def test_who_keeps_doubtful_labels_is_told():
    row, both = row_of(), {"published": {"conflicts": "keep"}, "grouped": {}}
    assert conflicts_kept(row, both).startswith(
        "published keeps images whose copy has another label, grouped"
    )
    assert conflicts_kept(row, {"published": {}, "grouped": {"conflicts": "exclude"}}) == ""


def test_a_summary_stands_beside_the_split_to_believe_alone():
    rows = [leakage_row(row_of()), leakage_row(row_of(free="published_clean"))]
    found = against_base(
        [{"dataset": "set", "base": "grouped"}], {"tables": [{"dataset": "set", "rows": rows}]}
    )
    assert found == {("set", "published", "cnn"): rows[0]}


def test_points_of_the_summary_are_those_of_equal_class_mix_with_their_interval(study, page):
    table = read_parquet(study.folder / "leakage.parquet")
    summary = page.split('<section id="data"')[0].replace("−", "-")
    for row in table[table["seed"].isna()].to_dict("records"):
        name = "macro_f1_equal_mix_difference"
        low, high = (100 * row[f"{name}_{end}"] for end in ("low", "high"))
        assert f"{100 * row[name]:+.1f} points ({low:.1f} to {high:.1f})" in summary


def test_the_page_tells_it_in_the_summary_and_under_comparison(page):
    summary, rest = page.split('<section id="data"')[0], page.split('<section id="comparison"')[1]
    for part in (summary, rest):
        assert "accuracy of resnet18 under random" in part
    assert rest.index("With leak and without") < rest.index("All trainings")
