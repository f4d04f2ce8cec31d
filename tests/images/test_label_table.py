"""Labels and patients from a table, for images whose folders tell neither."""

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from brainmri.audit.audit import audit
from brainmri.errors import BrainmriError
from brainmri.images.inventory import inventory
from brainmri.images.layout import LayoutSettings, find_places
from brainmri.sources.checksum import checksum
from brainmri.sources.fetch import fetch
from brainmri.sources.settings import SourceSettings
from brainmri.splits.settings import SplitSettings
from brainmri.splits.split import split

CLASSES = {"glioma": ["GBM"], "no_tumor": ["normal"]}
PATHS = ["P1/1.png", "P1/2.png", "P2/1.png"]
GOOD = "path,label,patient\nP1,GBM,1\nP2/1.png,normal,2\n"


def places(tmp_path, text, paths=PATHS, classes=CLASSES, name="labels.csv", **columns):
    """Return what `find_places` tells of some paths and a table with a text."""
    table = tmp_path / name
    table.write_text(text, encoding="utf-8")
    return find_places(paths, LayoutSettings(table=str(table), **columns), classes)


def test_a_set_with_a_table_is_brought_in_inventoried_and_split_by_patient(tmp_path, capsys):
    generator, lines = np.random.default_rng(0), ["file,diagnosis,subject"]
    for number in range(24):
        folder = tmp_path / "export" / f"series{number}"
        folder.mkdir(parents=True)
        for index in range(2):
            cv2.imwrite(str(folder / f"{index}.png"), generator.integers(0, 256, (64, 64), np.uint8))
        lines.append(f"series{number},{('GBM', 'normal')[number % 2]},patient{number // 4}-{number % 2}")
    (tmp_path / "export/series23/odd.png").write_bytes(b"no image")
    (tmp_path / "export/stray").mkdir()
    cv2.imwrite(str(tmp_path / "export/stray/1.png"), generator.integers(0, 256, (64, 64), np.uint8))
    (tmp_path / "labels.csv").write_text("\n".join([*lines, "series99,LGG,patient9"]))

    raw, data = tmp_path / "raw", [tmp_path / f"{name}.parquet" for name in ("c", "i", "d", "g", "m")]
    fetch("clinic", SourceSettings(directory=tmp_path / "export"), raw, tmp_path / "fetch.json")
    checksum("clinic", raw, data[0])
    columns = {"path_column": "file", "label_column": "diagnosis", "patient_column": "subject"}
    layout = LayoutSettings(table=str(tmp_path / "labels.csv"), **columns)
    inventory(raw, data[0], data[1], layout, CLASSES)
    told = capsys.readouterr().out
    assert "1 of 25 paths in" in told and "not in the data set, such as 'series99'" in told
    assert "no class is known for 1 images not in labels.csv" in told
    table = pd.read_parquet(data[1]).set_index("image_id")
    assert table.loc["series2/0.png", ["label", "patient_id"]].tolist() == ["glioma", "patient0-0"]
    assert table.loc["series23/odd.png", "status"] == "corrupt"
    assert table.loc["stray/1.png", ["status", "reason"]].tolist() == ["ok", "not in labels.csv"]

    audit(data[1], data[2], data[3], tmp_path / "audit.json")
    settings = SplitSettings("grouped", train=0.4, val=0.3, test=0.3)
    split(data[1], data[3], data[4], settings, list(CLASSES))
    used = pd.read_parquet(data[4]).query("split != 'excluded'").merge(table["patient_id"], on="image_id")
    assert len(used) == 48
    assert used.groupby("patient_id")["split"].nunique().max() == 1


@pytest.mark.parametrize("name", ["labels.tsv", "labels.csv"])
@pytest.mark.parametrize("sign", ["\t", ";"])
def test_tables_of_other_programs_are_read(tmp_path, name, sign):
    found = places(tmp_path, "\ufeff" + GOOD.replace(",", sign).replace("P2/1", "P2\\1"), name=name)
    assert [(place.label, place.patient_id) for place in found] == [
        *[("glioma", "1")] * 2,
        ("no_tumor", "2"),
    ]


def test_parquet_is_read_numbers_too_and_empty_cells_tell_nothing(tmp_path):
    table = pa.table({"path": PATHS, "label": [1, 2, None], "patient": [7, None, 8]})
    pq.write_table(table, tmp_path / "labels.parquet")
    layout = LayoutSettings(table=str(tmp_path / "labels.parquet"))
    found = find_places(PATHS, layout, {"glioma": ["1"], "no_tumor": ["2"]})
    assert [(place.label, place.patient_id) for place in found] == [
        ("glioma", "7"),
        ("no_tumor", None),
        (None, "8"),
    ]
    assert found[2].reason == "without a label in labels.parquet"


def test_the_row_of_a_file_wins_over_that_of_its_folder_and_paths_may_begin_with_the_root(tmp_path):
    text = "path,label\nset/P1,GBM\nP1/2.png,metastasis\n./P2/1.png,normal\n"
    found = places(tmp_path, text, [f"set/{path}" for path in PATHS], patient_column=None)
    assert [place.label for place in found] == ["glioma", None, "no_tumor"]
    assert found[1].reason == "called 'metastasis' in labels.csv, which `classes` maps to no class"


@pytest.mark.parametrize(
    ("text", "columns", "told"),
    [
        ("", {}, "is no table that can be read"),
        (GOOD.replace("P", "left, P"), {}, "is no table that can be read"),
        ("path,label\nP1,GBM\n", {}, "has no column 'patient'.*layout.patient_column .*or null"),
        (GOOD, {"label_column": "lable"}, "has no column 'lable'. Did you mean 'label'.*layout.label_column"),
        (GOOD.replace("P", "Q"), {}, "2 of 2 paths in .*such as 'Q1': they start below.* as 'P1/1.png' does"),
        (
            GOOD + "P1,LGG,1\n",
            {},
            "names 'P1' twice, with the label 'GBM' of patient '1' and the label 'LGG'",
        ),
        (GOOD + "P1,GBM,3\n", {}, "names 'P1' twice, .* of patient '3'"),
        (GOOD.replace("GBM", "gbm"), {}, "classes.glioma names 'GBM', which .* says of no file"),
    ],
)
def test_a_table_that_is_at_fault_is_told(tmp_path, text, columns, told):
    with pytest.raises(BrainmriError, match=told):
        places(tmp_path, text, **columns)


def test_words_that_no_class_is_known_for_are_listed(tmp_path):
    with pytest.raises(BrainmriError, match=r"No label in .* tells a class: GBM, normalish"):
        places(tmp_path, GOOD.replace("normal", "normalish"), classes=None)


@pytest.mark.parametrize(
    ("table", "told"), [("none.csv", "there is no such file"), ("a.xlsx", "save it as CSV")]
)
def test_a_table_that_is_not_there_or_of_another_kind_is_told(table, told):
    with pytest.raises(BrainmriError, match=f"layout.table is '{table}'.*{told}"):
        find_places(PATHS, LayoutSettings(table=table), CLASSES)
