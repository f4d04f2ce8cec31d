"""Which models of a study are tested on which other data sets."""

from dataclasses import replace
from pathlib import Path

import pytest

from brainmri.errors import BrainmriError
from brainmri.study import Study

NAMES = ["glioma", "meningioma", "pituitary", "no_tumor"]


def study_of(external: bool = True) -> Study:
    classes = {
        "all": None,
        "tumours": {name: [name] for name in NAMES[:3]},
        "two": {name: [name] for name in NAMES[2:]},
    }
    datasets = {name: {"source": {}, "classes": own, "splits": ["grouped"]} for name, own in classes.items()}
    datasets["both"] = {"source": {"datasets": ["all", "two"]}, "classes": None, "splits": None}
    return Study("s", datasets, {"grouped": {}}, {"a": {}, "b": {}}, [0, 1], NAMES, external=external)


def test_models_are_tested_on_fetched_sets_with_two_classes_in_common():
    study = study_of()
    # `tumours` and `two` have one class in common; a pooled set leaves a member out instead.
    told = {name: study.tested_outside(name) for name in study.datasets}
    assert told == {"all": ["tumours", "two"], "tumours": ["all"], "two": ["all"], "both": []}
    assert len(study.external_tests()) == (2 + 1 + 1) * 2 * 2
    assert study.models_tested_outside() == ["a", "b"]
    run = study.runs()[0]
    assert study.external_path(run, "two") == Path("results/s/all/grouped/a/seed0/external/two.parquet")
    assert (
        study.overlap_of("two", "all")
        == study.overlap_of("all", "two")
        == Path("data/all/overlap/two.parquet")
    )


def test_a_table_among_the_raw_files_is_no_input_that_must_lie_here_before_the_fetch(tmp_path):
    raw = tmp_path / "data/all/raw"
    raw.mkdir(parents=True)
    for table, told in ((tmp_path / "labels.csv", True), (raw / "labels.csv", False)):
        table.touch()
        study = replace(study_of(), data_dir=tmp_path / "data")
        study.datasets["all"]["layout"] = {"table": str(table)}
        assert study.label_table("all") == (table if told else None)


def test_a_model_without_an_image_size_is_told_by_name():
    with pytest.raises(BrainmriError, match="The model 'a' of the study 's' lacks its image_size"):
        study_of().image_sizes()


def test_nothing_is_tested_outside_where_it_is_not_wished():
    assert study_of(external=False).external_tests() == []
