"""A number changed by hand is noticed when the page is built, and its file is named."""

import json
import re
import shutil
from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from brainmri.artefacts import read_json, read_parquet, write_json, write_parquet
from brainmri.digests import digest_of, inputs_digest
from brainmri.errors import BrainmriError
from brainmri.evaluation.compare import compare
from brainmri.reporting.integrity import Integrity, Sealed
from brainmri.reporting.report import report
from brainmri.study import Study

DATA = ["inventory.parquet", "duplicates.parquet", "groups.parquet", "rejected.parquet", "crops_64.parquet"]
RUN = ["predictions.parquet", "history.parquet"]
DOCUMENTS = [
    "metrics.json",
    "calibration.json",
    "model.json",
    "audit.json",
    "fetch.json",
    "split.json",
    "probes.json",
]
TABLES = [*DATA, *RUN, "manifest.parquet", "comparison.parquet", "probes.parquet"]


@pytest.fixture(scope="module")
def copied(study, tmp_path_factory) -> Study:
    """Return a copy of the finished study, whose files may be changed and are put back."""
    root = tmp_path_factory.mktemp("changed")
    shutil.copytree(study.data_dir, root / "data")
    shutil.copytree(study.results_dir, root / "results")
    return replace(study, data_dir=root / "data", results_dir=root / "results")


@pytest.fixture
def changing(copied):
    """Return a function that finds an artefact of the copied study by name, and undoes what is done to it."""
    kept = {}

    def find(name: str):
        run = copied.runs()[-1]
        folders = (run.folder, run.folder.parent.parent, copied.folder, copied.data_folder("phantom"))
        folders += (copied.probes_folder(run.dataset, run.split),)
        path = next(folder / name for folder in folders if (folder / name).exists())
        kept[path] = path.read_bytes()
        return path

    yield find
    for path, content in kept.items():
        path.write_bytes(content)


def changed_once(document):
    """Change the first number in a document, however deep; return whether there was one."""
    for key, value in document.items() if isinstance(document, dict) else enumerate(document):
        if isinstance(value, int | float) and not isinstance(value, bool):
            document[key] = value + 1
            return True
        if isinstance(value, dict | list) and changed_once(value):
            return True
    return False


def changed_table(path) -> pa.Table:
    """Return a table with its metadata and one value changed: a number, or else a name."""
    table = pq.read_table(path)
    numeric = [name for name in table.column_names if pa.types.is_floating(table.schema.field(name).type)]
    name = (numeric or table.column_names)[0]
    column = table[name].combine_chunks()
    first = (column[0].as_py() or 0.0) + 0.25 if numeric else f"{column[0].as_py()}x"
    new = pa.concat_arrays([pa.array([first], column.type), column.slice(1)])
    return table.set_column(table.column_names.index(name), table.schema.field(name), new)


def refused(study) -> list[str]:
    """Build the page, which must be refused, and return the names of the files that are blamed."""
    output = study.folder / "report" / "refused.html"
    with pytest.raises(BrainmriError) as caught:
        report(study, output)
    assert not output.exists()
    blamed = r"([\w.]+) (?:was changed since|is not the file that|describes other weights)"
    return re.findall(blamed, str(caught.value))


def test_an_untouched_study_has_no_fault(copied):
    integrity = Integrity()
    assert integrity.faults(copied) == {}
    assert integrity.unsealed() == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_number_changed_in_a_document_is_named(copied, changing, name):
    path = changing(name)
    document = json.loads(path.read_text())
    assert changed_once(document)
    path.write_text(json.dumps(document, indent=2))
    assert refused(copied) == [name]


@pytest.mark.parametrize("name", TABLES)
def test_a_value_changed_in_a_table_is_named(copied, changing, name):
    path = changing(name)
    pq.write_table(changed_table(path), path)
    assert refused(copied) == [name]


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_another_program_wrote_is_named(copied, changing, name):
    path = changing(name)
    changed_table(path).to_pandas().to_parquet(path)
    assert refused(copied) == [name]


def test_several_files_are_named_at_once(copied, changing):
    for name in ("metrics.json", "audit.json"):
        path = changing(name)
        document = json.loads(path.read_text())
        changed_once(document)
        path.write_text(json.dumps(document))
    assert sorted(refused(copied)) == ["audit.json", "metrics.json"]


@pytest.mark.parametrize(
    "name", ["metrics.json", "calibration.json", "predictions.parquet", "manifest.parquet", "groups.parquet",
             "inventory.parquet", "duplicates.parquet"]
)  # fmt: skip
def test_a_file_written_anew_is_not_what_others_were_made_from(copied, changing, name):
    path = changing(name)
    if path.suffix == ".json":
        document = read_json(path)
        changed_once(document)
        write_json(document, path)
    else:
        write_parquet(changed_table(path).to_pandas(), path, config={})
    assert refused(copied) == [name]


@pytest.mark.parametrize("name", ["pairs.parquet", "leakage.parquet"])
def test_tables_of_tests_between_models_are_looked_at_too(copied, changing, name):
    runs = copied.runs()
    compare(
        [run.folder / "metrics.json" for run in runs],
        copied.folder / "comparison.parquet",
        predictions=[run.folder / "predictions.parquet" for run in runs],
        pairs=copied.folder / "pairs.parquet",
        leakage=copied.folder / "leakage.parquet",
        resamples=100,
    )
    assert Integrity().faults(copied) == {}
    path = changing(name)
    pq.write_table(changed_table(path), path)
    assert refused(copied) == [name]


def test_a_model_of_other_weights_is_named(copied, changing):
    path = changing("model.json")
    write_json(read_json(path) | {"weights_sha256": "0" * 64}, path)
    assert refused(copied) == ["model.json"]


def test_another_layout_of_the_same_document_is_no_fault(copied, changing):
    path = changing("audit.json")
    path.write_text(json.dumps(json.loads(path.read_text())))
    assert Integrity().faults(copied) == {}


def test_what_another_tool_wrote_is_told_and_not_refused(copied, changing):
    document, table = changing("audit.json"), changing("history.parquet")
    document.write_text(json.dumps(read_json(document)))
    whole = pq.read_table(table)
    pq.write_table(whole.replace_schema_metadata({b"brainmri.version": b"0.1.0"}), table)
    output = copied.folder / "report" / "old.html"
    report(copied, output)
    page = output.read_text(encoding="utf-8")
    assert "Written by another tool" in page
    assert "audit.json" in page


@pytest.fixture
def left_over():
    """Return a function that writes a table made from another file of a source's name, for one test."""
    written = []

    def leave(path, source):
        path.parent.mkdir(exist_ok=True)
        other = path.parent / "other" / source.name
        other.parent.mkdir()
        other.write_text("of an earlier configuration")
        write_parquet(pd.DataFrame({"image_id": ["a"]}), path, config={}, inputs=[other])
        written.extend([path, other.parent])

    yield leave
    for path in written:
        path.unlink() if path.is_file() else shutil.rmtree(path)


def test_maps_that_an_earlier_configuration_left_blame_no_prediction(copied, left_over):
    run = copied.runs()[0]
    left_over(run.folder / "explain" / "explain.parquet", run.folder / "predictions.parquet")
    assert Integrity().faults(replace(copied, explain={"images": 0})) == {}
    explained = Integrity().faults(replace(copied, explain={"images": 2}))
    assert explained.keys() == {run.folder / "predictions.parquet"}


def test_crops_of_a_size_that_a_member_of_a_pool_no_longer_has_blame_no_inventory(copied, left_over):
    models = {f"cnn{size}": {"image_size": size} for size in (32, 64)}
    pool = {"source": {"datasets": ["phantom", "other"]}, "splits": None}
    datasets = {"phantom": {"splits": []}, "other": {"splits": []}, "pool": pool}
    left_over(
        copied.data_folder("phantom") / "crops_32.parquet",
        copied.data_folder("phantom") / "inventory.parquet",
    )
    pooled = replace(copied, models=models, datasets=datasets)
    assert Integrity().faults(pooled) == {}


def test_a_torn_table_is_named(copied, changing):
    path = changing("duplicates.parquet")
    path.write_bytes(path.read_bytes()[:-30])
    assert Integrity().faults(copied)[path] == "was changed since it was written"


@pytest.mark.parametrize("rows", [0, 1, 100_000])
def test_every_table_that_is_written_holds_its_digest_and_sources(tmp_path, rows):
    source = tmp_path / "in.txt"
    source.write_text("x")
    frame = pd.DataFrame({"a": range(rows), "b": [f"{row}" for row in range(rows)]})
    write_parquet(frame, tmp_path / "t.parquet", config={}, inputs=[source])
    sealed = Sealed(tmp_path / "t.parquet")
    assert not sealed.is_unsealed
    assert not sealed.is_changed
    [digest] = sealed.digests_of("in.txt")
    assert inputs_digest([source]) == digest_of([["in.txt", digest]])
    assert read_parquet(tmp_path / "t.parquet").equals(frame)


def test_a_document_of_tuples_and_numbers_as_keys_is_whole(tmp_path):
    write_json({"a": (1, 2), 10: "ä", 9: 1e-300}, tmp_path / "d.json")
    assert not Sealed(tmp_path / "d.json").is_changed
    assert read_json(tmp_path / "d.json") == {"a": [1, 2], "10": "ä", "9": 1e-300}
