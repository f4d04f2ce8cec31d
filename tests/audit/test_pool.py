"""Pooling: no image is lost, no patient confused, and a copy in another set is in its original's group."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from brainmri.artefacts import read_json, read_parquet, write_json, write_parquet
from brainmri.audit.audit import DUPLICATES_SCHEMA, audit
from brainmri.audit.pool import pool
from brainmri.cli import main
from brainmri.errors import BrainmriError
from brainmri.images.inventory import SCHEMA
from brainmri.splits.settings import SplitSettings
from brainmri.splits.split import split

CLASSES = ["glioma", "no_tumor"]


def inventory_of(member: str, patients: int = 6, with_patients: bool = True) -> pd.DataFrame:
    """Return an inventory: two images a patient, all patients named alike in every set, and a broken file."""
    rows = [
        {
            "image_id": f"{label}/P{patient}_{index}.jpg",
            "path": f"{label}/P{patient}_{index}.jpg",
            "label": label,
            "source_split": None,
            "bytes": 10,
            "sha256": f"s-{member}-{label}-{patient}-{index}",
            "pixel_sha256": f"p-{member}-{label}-{patient}-{index}",
            "patient_id": f"{label}-P{patient}" if with_patients else None,
            "status": "ok",
        }
        for label in CLASSES
        for patient in range(patients)
        for index in range(2)
    ]
    rows.append(
        {"image_id": "broken.jpg", "path": "broken.jpg", "status": "corrupt", "reason": "it ends too early"}
    )
    return pd.DataFrame(rows, columns=SCHEMA.names).sort_values("image_id", ignore_index=True)


class Pool:
    """A folder with audited data sets and the overlaps between them."""

    def __init__(self, folder, inventories: dict[str, pd.DataFrame]):
        self.folder, self.members = folder, list(inventories)
        for member, inventory in inventories.items():
            own = folder / member
            write_parquet(inventory, own / "inventory.parquet", config={}, schema=SCHEMA)
            names = ("inventory.parquet", "duplicates.parquet", "groups.parquet", "audit.json")
            audit(*(own / name for name in names), rejected=own / "rejected.parquet")
            write_json(
                {"kind": "phantom", "source": {}, "files": 1, "files_sha256": "0", "licence": None},
                own / "fetch.json",
            )

    def arguments(self, overlaps: dict[tuple[str, str], list[tuple]], **options) -> dict:
        """Write the overlaps, pairs of (image of a, image of b, kind), and return the stage's arguments."""
        paths = []
        for (a, b), pairs in sorted(overlaps.items()):
            table = pd.DataFrame(pairs, columns=["image_id_a", "image_id_b", "kind"])
            table = table.assign(transform="identity", similarity=0.99, grain=0.9, matrix=None)
            paths.append(self.folder / a / "overlap" / f"{b}.parquet")
            write_parquet(table, paths[-1], config={}, schema=DUPLICATES_SCHEMA)
        listed = {
            name: [self.folder / member / file for member in self.members]
            for name, file in (
                ("inventories", "inventory.parquet"),
                ("duplicates", "duplicates.parquet"),
                ("rejections", "rejected.parquet"),
                ("audits", "audit.json"),
                ("records", "fetch.json"),
            )
        }
        out = self.folder / "pooled"
        written = {"record": "fetch.json", "inventory": "inventory.parquet", "pairs": "duplicates.parquet"}
        written |= {"rejected": "rejected.parquet", "groups": "groups.parquet", "output": "audit.json"}
        return {
            "dataset": "pooled",
            "members": self.members,
            "overlaps": paths,
            **listed,
            **{key: out / name for key, name in written.items()},
            **options,
        }

    def table(self, name: str) -> pd.DataFrame:
        """Return a table of the pooled set."""
        return read_parquet(self.folder / "pooled" / f"{name}.parquet")


@pytest.fixture
def sets(tmp_path):
    """Three data sets, of which the first alone names its patients."""
    return Pool(
        tmp_path,
        {name: inventory_of(name, with_patients=name == "zeta") for name in ("zeta", "alpha", "alpha-b")},
    )


NO_OVERLAP = {("alpha", "alpha-b"): [], ("alpha", "zeta"): [], ("alpha-b", "zeta"): []}


def test_every_file_of_every_member_is_in_the_pool_in_the_order_of_names(sets):
    pool(**sets.arguments(NO_OVERLAP))
    pooled = sets.table("inventory")
    assert len(pooled) == 3 * 25
    assert pooled["image_id"].is_unique and pooled["image_id"].tolist() == sorted(pooled["image_id"])
    assert set(pooled["dataset"]) == set(sets.members)
    for row in pooled.itertuples():
        assert row.image_id.startswith(f"{row.dataset}/") and row.path.startswith(f"{row.dataset}/raw/")
    assert pq.read_schema(sets.folder / "pooled/inventory.parquet").remove_metadata() == SCHEMA.append(
        pa.field("dataset", pa.string())
    )
    record = read_json(sets.folder / "pooled/fetch.json")
    assert record["source"] == sets.members and record["files"] == 75


def test_patients_of_the_same_name_in_two_sets_are_two(tmp_path):
    sets = Pool(tmp_path, {name: inventory_of(name) for name in ("one", "two")})
    pool(**sets.arguments({("one", "two"): []}))
    groups = sets.table("groups")
    assert groups["group_id"].nunique() == 24
    assert (groups["group_size"] == 2).all()


def test_copies_between_sets_join_the_groups_of_both(sets):
    overlaps = NO_OVERLAP | {
        ("alpha", "zeta"): [("glioma/P0_0.jpg", "glioma/P3_1.jpg", "mirrored")],
        ("alpha", "alpha-b"): [("glioma/P0_0.jpg", "no_tumor/P1_0.jpg", "near")],
    }
    pool(**sets.arguments(overlaps))
    groups = sets.table("groups").set_index("image_id")
    joined = groups[groups["group_id"] == groups.loc["alpha/glioma/P0_0.jpg", "group_id"]]
    assert set(joined.index) == {
        "alpha/glioma/P0_0.jpg",
        "alpha-b/no_tumor/P1_0.jpg",
        "zeta/glioma/P3_0.jpg",
        "zeta/glioma/P3_1.jpg",
    }
    assert joined.loc["alpha/glioma/P0_0.jpg", "label_conflict"]
    told = {
        tuple(entry["datasets"]): entry
        for entry in read_json(sets.folder / "pooled/audit.json")["between_datasets"]
    }
    assert told["alpha", "zeta"]["pairs"] == {"mirrored": 1}
    assert told["alpha", "zeta"]["images"] == {"alpha": 1, "zeta": 1}
    assert told["alpha-b", "zeta"]["pairs"] == {}


@pytest.mark.parametrize(("unlinked", "size"), [([], 3), (["neighbour"], 1)])
def test_kinds_that_are_not_linked_are_listed_and_make_no_group(sets, unlinked, size):
    overlaps = NO_OVERLAP | {("alpha", "zeta"): [("glioma/P0_0.jpg", "glioma/P3_1.jpg", "neighbour")]}
    pool(**sets.arguments(overlaps, unlinked=unlinked))
    assert sets.table("duplicates")["kind"].tolist() == ["neighbour"]
    assert sets.table("groups").set_index("image_id").loc["alpha/glioma/P0_0.jpg", "group_size"] == size


def test_an_overlap_of_other_files_is_refused(sets):
    overlaps = NO_OVERLAP | {("alpha", "zeta"): [("glioma/gone.jpg", "glioma/P3_1.jpg", "near")]}
    with pytest.raises(BrainmriError, match=r"'alpha/glioma/gone\.jpg', which is no usable image of alpha"):
        pool(**sets.arguments(overlaps))


def test_a_missing_overlap_is_refused(sets):
    arguments = sets.arguments(NO_OVERLAP)
    with pytest.raises(BrainmriError, match="3 tables, not 2"):
        pool(**arguments | {"overlaps": arguments["overlaps"][:2]})


def test_the_pool_is_split_with_one_member_left_out(sets):
    pairs = [(f"glioma/P{patient}_0.jpg", f"glioma/P{patient}_0.jpg", "bytes") for patient in range(2)]
    pool(**sets.arguments(NO_OVERLAP | {("alpha", "zeta"): pairs}))
    folder = sets.folder / "pooled"
    settings = SplitSettings("leave_one_out", test_dataset="zeta", val=0.25)
    split(
        folder / "inventory.parquet",
        folder / "groups.parquet",
        folder / "manifest.parquet",
        settings,
        CLASSES,
    )
    manifest = sets.table("manifest").set_index("image_id")
    # The copies, and the other image of either patient.
    copied = manifest[manifest["reason"] == "its group reaches into alpha"]
    assert set(copied.index) == {
        f"zeta/glioma/P{patient}_{index}.jpg" for patient in range(2) for index in range(2)
    }
    test = manifest[manifest["split"] == "test"]
    assert len(test) == 20 and test.index.str.startswith("zeta/").all()
    rows = manifest.sort_index()["row"].dropna().to_numpy()
    assert (rows == np.arange(len(rows))).all()


def test_a_set_that_is_not_pooled_has_no_member_to_leave_out(sets):
    folder = sets.folder / "zeta"
    settings = SplitSettings("leave_one_out", test_dataset="zeta")
    with pytest.raises(BrainmriError, match="needs a data set pooled from others"):
        split(
            folder / "inventory.parquet", folder / "groups.parquet", folder / "m.parquet", settings, CLASSES
        )


def test_the_command_takes_the_lists(sets):
    words = ["pool"]
    for key, value in sets.arguments(NO_OVERLAP, unlinked=["neighbour"]).items():
        is_paths = isinstance(value, list) and key not in ("members", "unlinked")
        words += [
            f"--{key}",
            *(
                map(str, value)
                if is_paths
                else [json.dumps(value) if isinstance(value, list) else str(value)]
            ),
        ]
    assert main(words) == 0
    assert len(sets.table("groups")) == 72


def test_members_whose_files_are_not_what_their_stages_write_are_refused(sets):
    arguments = sets.arguments(NO_OVERLAP)
    audit_json = sets.folder / "alpha/audit.json"
    document = read_json(audit_json)
    write_json({key: value for key, value in document.items() if key != "kinds_searched"}, audit_json)
    with pytest.raises(BrainmriError, match=r"alpha/audit.json lacks 'kinds_searched'"):
        pool(**arguments)
    table = sets.folder / "alpha/inventory.parquet"
    files = read_parquet(table)
    write_parquet(pd.concat([files, files.head(1)]), table, config={}, schema=SCHEMA)
    with pytest.raises(BrainmriError, match="twice"):
        pool(**arguments)
    outputs = [sets.folder / name for name in ("d.parquet", "g.parquet", "a.json")]
    with pytest.raises(BrainmriError, match="twice"):
        audit(table, *outputs)
