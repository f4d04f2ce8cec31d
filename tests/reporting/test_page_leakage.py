"""How much of a number was leakage, in words and numbers."""

from brainmri.reporting.page_leakage import first_of_each_protocol, leakage_row, sentence


def row_of(difference=0.042, low=0.029, high=0.056, seeds=1, absent="", free="grouped") -> dict:
    row = {"dataset": "set", "model": "cnn", "split": "published", "protocol": "published"}
    row |= {"free_split": free, "free_protocol": free, "seeds": seeds, "absent_classes": absent}
    row |= {"n_images": 1311, "n_groups": 890, "free_n_images": 1404, "free_n_groups": 590}
    row |= {"n_shared_images": 280, "n_shared_groups": 120}
    for name in ("accuracy", "macro_f1"):
        values = {"": 0.986, "_low": 0.978, "_high": 0.991}
        values |= {"_free": 0.986 - difference, "_free_low": 0.91, "_free_high": 0.97}
        values |= {"_difference": difference, "_difference_low": low, "_difference_high": high}
        values |= {"_difference_lowest_seed": 0.035, "_difference_highest_seed": 0.049}
        row |= {name + suffix: value for suffix, value in values.items()}
    return row


def test_what_was_leakage_is_said_with_its_interval():
    assert sentence(row_of()) == (
        "Of the 98.6 % accuracy of cnn under published, 4.2 points (95 % interval 2.9 to 5.6) were leakage: "
        "under grouped it is 94.4 %."
    )


def test_each_leak_free_protocol_of_the_same_model_is_told():
    row = row_of(difference=0.006, low=-0.01, high=0.02)
    told = sentence(row, row_of(free="published_clean"))
    assert "cannot be told: under grouped it is 98.0 %" in told
    assert told.endswith(
        " Over all classes it is 98.6 %, and 94.4 % under published_clean, a difference of 4.2 points "
        "(95 % interval 2.9 to 5.6)."
    )
    # Compared are the classes that both test: the first number is not the one that was told above.
    told = sentence(row, row_of(free="published_clean", absent="no_tumor"))
    assert "Without no tumor, which only one of the two tests, it is 98.6 %, and 94.4 % under" in told


def test_of_folds_one_is_told_and_what_is_sure_comes_first():
    unsure, clean = row_of(low=-0.01), row_of(free="published_clean")
    folds = [unsure, unsure | {"free_split": "fold1"}, clean, unsure | {"model": "other"}]
    assert first_of_each_protocol(folds) == [clean, unsure]


def test_what_could_be_chance_is_not_called_leakage():
    told = sentence(row_of(difference=0.01, low=-0.004, high=0.02))
    assert "were leakage" not in told
    assert "cannot be told" in told and "−0.4 to 2.0" in told


def test_seeds_and_left_out_classes_are_told():
    told = sentence(row_of(seeds=3, absent="no_tumor", free="published_clean"))
    assert "over seeds 3.5 to 4.9" in told
    assert "leaves out no tumor" in told
    assert sentence(row_of(), row_of(seeds=3)).endswith("5.6; over seeds 3.5 to 4.9).")
    assert leakage_row(row_of())["metrics"][0]["over_seeds"] == ""


def test_a_row_has_both_numbers_with_intervals_and_says_when_it_is_sure():
    row = leakage_row(row_of())
    accuracy = row["metrics"][0]
    assert (accuracy["leaking"]["text"], accuracy["free"]["range"]) == ("98.6 %", "91.0–97.0")
    assert (accuracy["difference"], accuracy["range"], accuracy["certain"]) == ("+4.2", "2.9 to 5.6", True)
    assert not leakage_row(row_of(low=-0.01))["metrics"][0]["certain"]
    assert row["shared"] == "280 images and 120 groups in both"


def test_the_page_tells_it_in_the_summary_and_under_comparison(page):
    summary, rest = page.split('<section id="data"')[0], page.split('<section id="comparison"')[1]
    for part in (summary, rest):
        assert "accuracy of resnet18 under random" in part
    assert rest.index("How much of the numbers was leakage") < rest.index("All trainings")
