"""The stage `split`: manifests by protocol, exclusions with their reasons, impossible wishes."""

import json
from dataclasses import replace

import pandas as pd
import pyarrow.parquet as pq
import pytest

from brainmri.artefacts import read_json, read_parquet, write_parquet
from brainmri.audit.audit import audit
from brainmri.cli import main
from brainmri.errors import BrainmriError
from brainmri.splits.settings import SplitSettings
from brainmri.splits.split import split

CLASSES = ["glioma", "meningioma", "pituitary", "no_tumor"]


def inventory_rows(patients=8, slices=4):
    """Return rows of four classes, several patients each, one slice in five in the source test part."""
    rows = []
    for label in CLASSES:
        for patient in range(patients):
            for index in range(slices):
                number = len(rows)
                rows.append(
                    {
                        "image_id": f"{label}/P{patient}_{index}.jpg",
                        "label": label,
                        "source_split": "test" if number % 5 == 0 else "train",
                        "sha256": f"s{number}",
                        "pixel_sha256": f"p{number}",
                        "width": 256,
                        "height": 256,
                        "patient_id": f"{label}-{patient}",
                        "status": "ok",
                        "reason": None,
                    }
                )
    return rows


@pytest.fixture
def manifest_of(tmp_path):
    """Return a function that writes rows, audits them and returns the manifest of a split."""

    def run(rows, settings):
        frame = pd.DataFrame(rows)
        for column in ("reason", "patient_id", "source_split", "label"):
            frame[column] = frame[column].astype(object)
        write_parquet(frame, tmp_path / "inventory.parquet", config={})
        audit(
            tmp_path / "inventory.parquet", *(tmp_path / n for n in ("d.parquet", "groups.parquet", "a.json"))
        )
        output = tmp_path / "manifest.parquet"
        split(tmp_path / "inventory.parquet", tmp_path / "groups.parquet", output, settings, CLASSES)
        return read_parquet(output)

    return run


def test_grouped_keeps_every_patient_on_one_side(manifest_of):
    manifest = manifest_of(inventory_rows(), SplitSettings("grouped"))
    assert manifest.groupby("group_id")["split"].nunique().max() == 1
    assert set(manifest["split"]) == {"train", "val", "test"}


def test_random_splits_patients_as_the_reference_systems_do(manifest_of):
    manifest = manifest_of(inventory_rows(), SplitSettings("random"))
    assert manifest.groupby("group_id")["split"].nunique().max() > 1


def test_published_keeps_the_test_part_and_draws_validation_from_train(manifest_of):
    rows = inventory_rows()
    manifest = manifest_of(rows, SplitSettings("published", val=0.25)).set_index("image_id")
    source = pd.DataFrame(rows).set_index("image_id")["source_split"]
    assert (manifest.loc[source.index, "split"] == "test").eq(source == "test").all()
    assert (manifest["split"] == "val").sum() == pytest.approx(0.25 * (source == "train").sum(), rel=0.15)


def test_rows_index_the_packed_array_and_labels_their_classes(manifest_of):
    rows = inventory_rows()
    rows[3]["status"], rows[3]["reason"] = "corrupt", "it ends too early"
    manifest = manifest_of(rows, SplitSettings("grouped")).sort_values("image_id", ignore_index=True)
    kept = manifest[manifest["split"] != "excluded"]
    assert kept["row"].tolist() == list(range(len(rows) - 1))
    assert [CLASSES[index] for index in kept["label_index"]] == kept["label"].tolist()


def test_a_set_that_lacks_a_class_counts_its_labels_without_a_gap(manifest_of):
    rows = [row for row in inventory_rows() if row["label"] != "meningioma"]
    rows.append(inventory_rows()[32] | {"status": "corrupt", "reason": "cut off"})
    manifest = manifest_of(rows, SplitSettings("grouped"))
    labels = manifest.dropna(subset="label_index").drop_duplicates("label").set_index("label")
    assert labels["label_index"].to_dict() == {"glioma": 0, "pituitary": 1, "no_tumor": 2}


def test_what_is_left_out_has_its_reason(manifest_of):
    rows = inventory_rows()
    rows[0].update(status="corrupt", reason="it ends too early")
    rows[1]["label"] = None
    rows[2]["label"] = "metastasis"
    rows[40]["pixel_sha256"] = rows[70]["pixel_sha256"]
    manifest = manifest_of(rows, SplitSettings("grouped")).set_index("image_id")
    excluded = manifest[manifest["split"] == "excluded"]["reason"]
    assert excluded[rows[0]["image_id"]] == "corrupt: it ends too early"
    assert excluded[rows[1]["image_id"]] == "no label"
    assert excluded[rows[2]["image_id"]] == "the label is none of the study's classes"
    assert excluded[rows[40]["image_id"]].startswith("label conflict")
    assert set(excluded.index) == {rows[i]["image_id"] for i in (0, 1, 2, 40, 70)}
    assert manifest[manifest["split"] != "excluded"]["reason"].isna().all()


def test_a_class_without_an_image_is_told(manifest_of, tmp_path, capsys):
    rows = [row for row in inventory_rows() if row["label"] != "pituitary"]
    manifest_of(rows, SplitSettings("grouped"))
    assert read_json(tmp_path / "split.json")["absent_classes"] == ["pituitary"]
    assert "has no image of the class 'pituitary'" in capsys.readouterr().out


def test_conflicts_can_be_kept(manifest_of):
    rows = inventory_rows()
    rows[40]["pixel_sha256"] = rows[70]["pixel_sha256"]
    manifest = manifest_of(rows, SplitSettings("grouped", conflicts="keep"))
    assert (manifest["split"] != "excluded").all()


def test_published_leaves_out_what_the_source_puts_in_no_part(manifest_of):
    rows = inventory_rows()
    rows[3]["source_split"] = None
    left_out = manifest_of(rows, SplitSettings("published")).query("split == 'excluded'")
    reason = "the source puts it in no part"
    assert left_out[["image_id", "reason"]].to_numpy().tolist() == [[rows[3]["image_id"], reason]]


def test_published_without_a_test_part_says_what_to_use(manifest_of):
    rows = [row | {"source_split": None} for row in inventory_rows()]
    with pytest.raises(BrainmriError, match="'published' needs the source's own train and test"):
        manifest_of(rows, SplitSettings("published"))


@pytest.mark.parametrize("protocol", ["random", "grouped"])
@pytest.mark.parametrize("part", ["train", "test"])
def test_only_the_wished_part_of_the_source_is_drawn_from(manifest_of, tmp_path, protocol, part):
    rows = inventory_rows(patients=12, slices=5)
    manifest = manifest_of(rows, SplitSettings(protocol, source_split=part)).set_index("image_id")
    source = pd.DataFrame(rows).set_index("image_id")["source_split"]
    assert manifest.loc[source == part, "split"].isin(["train", "val", "test"]).all()
    assert set(manifest.loc[source != part, "reason"]) == {f"only the source's {part} part is drawn from"}
    drawn = manifest[manifest["split"] != "excluded"]
    assert (drawn["split"] == "test").mean() == pytest.approx(0.15, abs=0.05)
    if protocol == "grouped":
        assert drawn.groupby("group_id")["split"].nunique().max() == 1
    assert read_json(tmp_path / "split.json")["source_split"] == part


def test_a_part_that_the_source_does_not_have_is_told(manifest_of):
    rows = [row | {"source_split": "train"} for row in inventory_rows()]
    with pytest.raises(BrainmriError, match=r"source_split is 'test', and .* no usable image in that part"):
        manifest_of(rows, SplitSettings("random", source_split="test"))


def test_published_clean_warns_of_a_class_that_is_left_without_a_test_image(manifest_of, capsys):
    rows = [row | {"patient_id": None} for row in inventory_rows()]
    trained = {row["label"]: row["pixel_sha256"] for row in rows if row["source_split"] == "train"}
    for row in rows:
        if row["label"] == "glioma" and row["source_split"] == "test":
            row["pixel_sha256"] = trained["glioma"]
    manifest = manifest_of(rows, SplitSettings("published_clean"))
    gliomas = manifest[manifest["label"] == "glioma"]
    assert set(gliomas["split"]) == {"train", "val", "excluded"}
    assert set(gliomas["reason"].dropna()) == {"its group reaches into the source's training part"}
    assert "no image of the class 'glioma' is left to test on" in capsys.readouterr().out


def test_a_class_of_two_patients_cannot_fill_three_parts(manifest_of):
    rows = [
        row
        for row in inventory_rows()
        if row["label"] != "glioma" or row["patient_id"] in ("glioma-0", "glioma-1")
    ]
    with pytest.raises(BrainmriError, match=r"'glioma' has 2 groups, but 3 parts.*leave the class out"):
        manifest_of(rows, SplitSettings("grouped"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"protocol": "groupd"}, "Did you mean 'grouped'"),
        ({"test": 1.2}, "impossible"),
        ({"train": 0.9}, "120%"),
        ({"conflicts": "drop"}, "exclude, keep"),
        ({"seed": -1}, "seed is -1; allowed: 0 or more"),
        ({"source_split": "training"}, "'training' is no part of a source. Known: train, test"),
        ({"protocol": "published", "source_split": "train"}, "uses all parts of the source; use 'random'"),
    ],
)
def test_impossible_settings_are_one_sentence(change, sentence):
    with pytest.raises(BrainmriError, match=sentence):
        replace(SplitSettings("grouped"), **change)


@pytest.mark.parametrize("protocol", ["grouped", "published_clean"])
@pytest.mark.parametrize(
    "change",
    [
        lambda groups: groups.iloc[5:],
        lambda groups: groups.iloc[:0],
        lambda groups: groups.assign(group_id=groups["group_id"].where(groups.index != 3)),
    ],
    ids=["rows are missing", "empty", "a group is missing"],
)
def test_groups_that_lack_an_image_are_refused_as_its_leaks_would_not_be_found(
    manifest_of, tmp_path, change, protocol
):
    manifest_of(inventory_rows(), SplitSettings("random"))
    inventory, groups, output = (tmp_path / f"{n}.parquet" for n in ("inventory", "groups", "again"))
    write_parquet(change(read_parquet(groups)), groups, config={})
    with pytest.raises(BrainmriError, match=r"groups.parquet lacks images of .*run the stage audit again"):
        split(inventory, groups, output, SplitSettings(protocol), CLASSES)
    assert not output.exists()


def test_a_class_that_is_named_twice_is_refused(tmp_path):
    files = [tmp_path / f"{name}.parquet" for name in ("inventory", "groups", "manifest")]
    with pytest.raises(BrainmriError, match="names a class twice"):
        split(*files, SplitSettings("grouped"), [*CLASSES, CLASSES[0]])


def test_an_inventory_that_lists_an_image_twice_is_refused(manifest_of, tmp_path):
    manifest_of(inventory_rows(), SplitSettings("random"))
    inventory, groups, output = (tmp_path / f"{n}.parquet" for n in ("inventory", "groups", "again"))
    table = read_parquet(inventory)
    write_parquet(pd.concat([table, table.iloc[:1]]), inventory, config={})
    with pytest.raises(BrainmriError, match="twice"):
        split(inventory, groups, output, SplitSettings("grouped"), CLASSES)


def test_the_summary_tells_shares_deviation_and_exclusions(manifest_of, tmp_path):
    rows = inventory_rows(patients=10, slices=2)
    rows[0].update(status="corrupt", reason="it ends too early")
    manifest = manifest_of(rows, SplitSettings("grouped", train=0.6, val=0.2, test=0.2))
    told = read_json(tmp_path / "split.json")
    assert told["images"] == 79
    assert told["excluded"] == {"corrupt: it ends too early": 1}
    gliomas = manifest[manifest["label"] == "glioma"]
    for part, entry in told["parts"].items():
        assert entry["images"] == (manifest["split"] == part).sum()
        assert entry["groups"] == manifest.loc[manifest["split"] == part, "group_id"].nunique()
        assert entry["classes"]["glioma"]["share"] == pytest.approx((gliomas["split"] == part).sum() / 19)
    shares = {"train": 0.6, "val": 0.2, "test": 0.2}
    off = [
        abs(entry["share"] - shares[part])
        for part in shares
        for entry in told["parts"][part]["classes"].values()
    ]
    assert told["largest_deviation"] == max(off) > 0


@pytest.mark.parametrize(
    ("settings", "wished"),
    [
        (SplitSettings("published", val=0.25), {"train": 0.75, "val": 0.25, "test": None}),
        (SplitSettings("grouped", folds=4, fold=1, val=0.2), {"train": 0.6, "val": 0.15, "test": 0.25}),
    ],
    ids=["published", "fold"],
)
def test_the_summary_wishes_shares_only_of_what_is_drawn(manifest_of, tmp_path, settings, wished):
    manifest_of(inventory_rows(patients=20, slices=5), settings)
    told = read_json(tmp_path / "split.json")
    assert {part: entry["wished_share"] for part, entry in told["parts"].items()} == pytest.approx(wished)
    assert told["parts"]["test"]["images"] == (80 if settings.folds is None else 100)
    assert told["largest_deviation"] < 0.01


def test_a_class_of_the_sources_test_part_alone_has_images_and_no_share(manifest_of, tmp_path):
    rows = inventory_rows()
    for row in rows:
        row["source_split"] = "test" if row["label"] == "pituitary" else row["source_split"]
    manifest_of(rows, SplitSettings("published", val=0.25))
    told = read_json(tmp_path / "split.json")
    assert told["parts"]["test"]["classes"]["pituitary"]["images"] == 32
    assert told["parts"]["train"]["classes"]["pituitary"] == {"images": 0, "groups": 0, "share": None}
    assert told["largest_deviation"] < 0.1


def test_same_seed_same_file_to_the_byte(manifest_of, tmp_path):
    rows = inventory_rows()
    manifest_of(rows, SplitSettings("grouped", seed=3))
    first = (tmp_path / "manifest.parquet").read_bytes()
    manifest_of(rows, SplitSettings("grouped", seed=3))
    assert (tmp_path / "manifest.parquet").read_bytes() == first


def test_the_manifest_carries_its_provenance(manifest_of, tmp_path):
    manifest_of(inventory_rows(), SplitSettings("grouped"))
    metadata = pq.read_schema(tmp_path / "manifest.parquet").metadata
    assert {b"brainmri.version", b"brainmri.config", b"brainmri.inputs"} <= set(metadata)


def test_the_command_tells_an_impossible_wish_without_a_traceback(tmp_path, capsys):
    wish = json.dumps({"protocol": "grouped", "train": 0.9, "val": 0.15, "test": 0.15})
    arguments = ["--inventory", "i.parquet", "--groups", "g.parquet", "--output", str(tmp_path / "m.parquet")]
    assert main(["split", *arguments, "--settings", wish, "--class_names", json.dumps(CLASSES)]) == 1
    assert "must sum to 1" in capsys.readouterr().err
