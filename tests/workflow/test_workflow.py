"""The workflow, run for real: everything is made, nothing twice, and only what changed again."""

import json
import os
import re
import shutil
from copy import deepcopy
from urllib.parse import unquote

import cv2
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from helpers import ROOT
from phantom_study import SECRETS, SMALL_STUDY

from brainmri.digests import file_digest
from brainmri.images.store import open_images

# One worker runs all of these, so that the finished study is made once.
pytestmark = pytest.mark.slow

RUN_FILES = {
    "model.safetensors",
    "model.json",
    "history.parquet",
    "predictions.parquet",
    "calibration.json",
    "metrics.json",
    "curves.parquet",
    "plots",
    "explain",
}


def test_every_artefact_is_made(finished):
    data = finished.folder / "data" / "phantom"
    for name in (
        "fetch.json",
        "checksums.parquet",
        "inventory.parquet",
        "duplicates.parquet",
        "groups.parquet",
        "audit.json",
    ):
        assert (data / name).is_file(), name
    for size in (32, 64):
        images = open_images(data / f"images_{size}.npy")
        assert images.shape == (len(pq.read_table(data / f"crops_{size}.parquet")), size, size)
    runs = finished.results("phantom/*/*/seed0")
    assert set(runs) == {
        f"phantom/{s}/{m}/seed0" for s in ("grouped", "published") for m in ("cnn", "resnet")
    }
    for run in runs.values():
        assert {path.name for path in run.iterdir()} == RUN_FILES
    probes = {
        f"phantom/{s}/probes/cnn/probes.{end}"
        for s in ("grouped", "published")
        for end in ("json", "parquet")
    }
    assert set(finished.results("phantom/*/probes/*/*")) == probes
    assert list((finished.folder / ".brainmri/probes").iterdir()) == []
    page = (finished.folder / "results/small/report/index.html").read_text()
    assert "grouped" in page and "published" in page and "resnet" in page and 'href="#probes"' in page


def test_every_job_has_left_a_record_and_is_done(finished):
    jobs = finished.status()
    assert {job["state"] for job in jobs} == {"done"}
    assert all(job["wall_seconds"] > 0 and job["cpu_seconds"] > 0 and job["peak_mib"] > 0 for job in jobs)
    assert {job["rule"]: job["images"] for job in jobs}["crop"] > 0
    assert {job["log"] for job in jobs} == finished.logs()
    page = (finished.folder / "results/small/report/index.html").read_text()
    told = len([job for job in jobs if job["rule"] not in ("report", "plot_data")])
    assert f"{told} of {told} jobs left a record" in page


def test_no_secret_of_the_environment_is_in_any_file(finished):
    files = [path for path in finished.folder.rglob("*") if path.is_file()]
    assert {".jsonl", ".log", ".html", ".json", ".parquet", ".safetensors"} <= {path.suffix for path in files}
    for secret in SECRETS.values():
        assert [path for path in files if secret.encode() in path.read_bytes()] == []


def test_every_parquet_file_tells_its_provenance(finished):
    tables = [path for path in finished.folder.rglob("*.parquet") if path.name != "truth.parquet"]
    assert len(tables) > 10
    for path in tables:
        assert {b"brainmri.version", b"brainmri.config", b"brainmri.inputs"} <= set(
            pq.read_schema(path).metadata
        ), path


def test_the_grouped_split_keeps_patients_apart_and_predictions_cover_val_and_test(finished):
    manifest = pd.read_parquet(finished.results("phantom/grouped/manifest.parquet").popitem()[1])
    drawn = manifest[manifest["split"] != "excluded"]
    assert drawn.groupby("group_id")["split"].nunique().max() == 1
    for path in finished.results("phantom/grouped/*/seed0/predictions.parquet").values():
        predictions = pd.read_parquet(path)
        expected = drawn[drawn["split"].isin(["val", "test"])]
        assert set(predictions["image_id"]) == set(expected["image_id"])
        assert len(predictions) == len(expected)


def test_what_the_source_broke_is_listed_and_excluded(finished):
    inventory = pd.read_parquet(finished.folder / "data/phantom/inventory.parquet").set_index("image_id")
    broken = inventory[inventory["status"] != "ok"]
    assert {"corrupt", "empty"} <= set(broken["status"])
    assert broken["reason"].notna().all()
    manifest = pd.read_parquet(finished.results("phantom/grouped/manifest.parquet").popitem()[1]).set_index(
        "image_id"
    )
    assert manifest.loc[broken.index, "split"].eq("excluded").all()
    assert manifest.loc[broken.index, "reason"].notna().all()


def test_run_again_there_is_nothing_to_do_whatever_the_clock_says(finished):
    # A clock that jumped: some files are of 1970, some of the year 2100, sources before what is made of them.
    times = {path: path.stat().st_mtime_ns for path in sorted((finished.folder / "data").rglob("*.*"))}
    for number, path in enumerate(times):
        os.utime(path, (0, 0) if number % 2 else (4102444800, 4102444800))
    for path in (finished.folder / "results").rglob("*.parquet"):
        path.touch()
    done = finished.run()
    for path, time in times.items():
        os.utime(path, ns=(time, time))
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout + done.stderr


def test_snakemakes_own_report_holds_the_figures(finished, tmp_path):
    page = tmp_path / "report.html"
    done = finished.run("--report", str(page))
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    for category in ("Data", "Splits", "Models", "Probes", "Comparison", "Page"):
        assert category in text
    start = text.index('{"results/')
    shown = json.JSONDecoder().raw_decode(text, start)[0]
    index = finished.folder / "results/small/report/index.html"
    links = re.findall(r'href="([^"]+\.(?:svg|png))"', index.read_text())
    figures = {
        (index.parent / unquote(link)).resolve().relative_to(finished.folder.resolve()) for link in links
    }
    assert len(figures) > 30
    for figure in figures:
        told = shown[figure.as_posix()]
        assert told["caption"].strip(), figure
        assert told["labels"]["figure"], figure
        assert told["data_uri"].startswith("data:image/"), figure


def test_a_missing_file_is_made_anew_whatever_was_made_from_it(finished):
    for name, planned in (
        ("data/phantom/whole_256.npy", "shrink"),
        ("results/small/leakage.parquet", "compare"),
    ):
        path = finished.folder / name
        aside = path.rename(path.with_name("aside"))
        done = finished.run("--dry-run")
        aside.rename(path)
        assert re.search(rf"^{planned} +1$", done.stdout + done.stderr, re.MULTILINE), name


def test_what_failed_is_not_up_to_date_when_the_same_command_is_given_again(workflow):
    study, inventory = workflow(SMALL_STUDY), "data/phantom/inventory.parquet"
    assert study.run("--", inventory).returncode == 0
    config = deepcopy(SMALL_STUDY)
    config["datasets"]["phantom"]["source"] = {"directory": "absent"}
    study.configure(config)
    for _ in range(2):
        done = study.run("--", inventory)
        assert done.returncode == 1 and "absent is no folder" in done.stdout + done.stderr
        assert (study.folder / inventory).exists() and not (study.folder / "data/phantom/fetch.json").exists()
    # Nor what follows from it, as long as that was not made anew from what it makes now.
    study.configure(SMALL_STUDY)
    assert study.run("--", "data/phantom/fetch.json").returncode == 0
    done = study.run("--", inventory)
    assert done.returncode == 0 and "Nothing to be done" not in done.stdout + done.stderr
    done = study.run("--", inventory)
    assert "Nothing to be done" in done.stdout + done.stderr


def test_one_changed_model_runs_alone(finished):
    before = {name: file_digest(path) for name, path in finished.results("phantom/*/*/seed0/*.*").items()}
    times = {
        name: path.stat().st_mtime_ns for name, path in finished.results("phantom/*/*/seed0/*.*").items()
    }
    config = deepcopy(SMALL_STUDY)
    config["models"]["cnn"]["optimizer"] = {"learning_rate": 0.002}
    finished.configure(config)
    done = finished.run()
    assert done.returncode == 0, done.stdout + done.stderr
    after = finished.results("phantom/*/*/seed0/*.*")
    for name, path in after.items():
        if "/cnn/" in name:
            assert path.stat().st_mtime_ns > times[name], name
        else:
            assert path.stat().st_mtime_ns == times[name], name
    changed = {name for name, path in after.items() if file_digest(path) != before[name]}
    assert "phantom/grouped/cnn/seed0/model.safetensors" in changed


def test_the_same_study_elsewhere_gives_the_same_bits(finished, workflow):
    config = deepcopy(finished.config)
    config["splits"] = {"grouped": config["splits"]["grouped"]}
    twin = workflow(config)
    targets = [f"results/small/phantom/grouped/{model}/seed0/metrics.json" for model in ("cnn", "resnet")]
    done = twin.run("--", *targets)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("model.safetensors", "predictions.parquet", "calibration.json", "metrics.json"):
        for key, path in twin.results(f"phantom/grouped/*/seed0/{name}").items():
            assert file_digest(path) == file_digest(finished.results(key)[key]), key


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("models", {"cnn": {"architecture": "resnet5O", "image_size": 64}}), "Did you mean 'resnet50'"),
        (
            ("splits", {"grouped": {"protocol": "grouped", "test": 1.2}}),
            "splits.grouped.test: 1.2 is impossible",
        ),
        (("stdy", "x"), "unknown key 'stdy'. Did you mean 'study'?"),
    ],
    ids=["architecture", "share", "key"],
)
def test_a_bad_configuration_is_a_sentence_before_any_job(workflow, change, sentence):
    study = workflow(SMALL_STUDY | dict([change]))
    done = study.run()
    told = done.stdout + done.stderr
    assert done.returncode == 1
    assert sentence in told
    assert "Traceback" not in told
    assert not (study.folder / "data").exists()


def test_a_configuration_without_a_name_is_not_taken_for_changes_of_the_default(workflow):
    done = workflow({key: value for key, value in SMALL_STUDY.items() if key != "study"}).run("--dry-run")
    assert done.returncode == 1
    assert "the key 'study' is missing" in done.stdout + done.stderr


def test_a_configuration_that_names_python_code_is_not_obeyed(workflow):
    study = workflow(SMALL_STUDY)
    sprung = study.folder / "sprung"
    (study.folder / "study.yaml").write_text(
        f"study: !!python/object/apply:os.mkdir [{json.dumps(str(sprung))}]"
    )
    assert study.run("--dry-run").returncode == 1
    assert not sprung.exists()


def test_a_kaggle_set_without_network_says_what_to_put_where(workflow, monkeypatch, tmp_path):
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "cache"))
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    config = deepcopy(SMALL_STUDY)
    config["datasets"] = {"sartaj": {"source": {"kaggle": "sartajbhuvaji/brain-tumor-classification-mri"}}}
    done = workflow(config).run("--", "data/sartaj/fetch.json")
    told = done.stdout + done.stderr
    assert done.returncode == 1
    assert "data/archives/sartajbhuvaji/brain-tumor-classification-mri.zip" in told
    assert "Traceback" not in told


def test_a_new_image_in_the_folder_of_a_source_is_noticed_and_a_touched_one_is_not(workflow, tmp_path):
    image = tmp_path / "mri" / "glioma" / "a.png"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"no image")
    study = workflow(SMALL_STUDY | {"datasets": {"mine": {"source": {"directory": str(tmp_path / "mri")}}}})
    target = "data/mine/checksums.parquet"
    for change in (lambda: None, lambda: shutil.copy(image, image.with_name("b.png"))):
        change()
        done = study.run("--", target)
        assert done.returncode == 0 and "Nothing to be done" not in done.stdout + done.stderr
        # Lists of files would hide what matters.
        assert "Reason: " not in done.stdout + done.stderr
    assert len(pq.read_table(study.folder / target)) == 2
    image.touch()
    done = study.run("--", target)
    assert "Nothing to be done" in done.stdout + done.stderr


def test_a_table_of_labels_that_changes_is_noticed(workflow, tmp_path):
    (tmp_path / "mri").mkdir()
    cv2.imwrite(str(tmp_path / "mri" / "a.png"), np.arange(4096, dtype=np.uint8).reshape(64, 64))
    table, target = tmp_path / "labels.csv", "data/mine/inventory.parquet"
    dataset = {"source": {"directory": str(tmp_path / "mri")}, "layout": {"table": str(table)}}
    study = workflow(SMALL_STUDY | {"datasets": {"mine": dataset}})
    for label in ("glioma", "pituitary"):
        table.write_text(f"path,label,patient\na.png,{label},1\n")
        done = study.run("--", target)
        assert done.returncode == 0, done.stdout + done.stderr
        assert pd.read_parquet(study.folder / target)["label"].tolist() == [label]


def test_a_file_that_differs_from_the_lock_stops_the_run(workflow):
    study = workflow(SMALL_STUDY)
    lock = study.folder / "config" / "checksums" / "phantom.sha256"
    lock.parent.mkdir(parents=True)
    lock.write_text(f"{'0' * 64}  Training/glioma/never.jpg\n")
    done = study.run("--", "data/phantom/checksums.parquet")
    assert done.returncode == 1
    assert "Training/glioma/never.jpg" in done.stdout + done.stderr


def test_raw_files_that_change_between_two_runs_are_told_and_never_packed(workflow):
    study = workflow(SMALL_STUDY)
    inventory, packed = "data/phantom/inventory.parquet", "data/phantom/images_32.npy"
    assert study.run("--", inventory).returncode == 0
    table = pd.read_parquet(study.folder / inventory).query("status == 'ok'")
    raw = study.folder / "data" / "phantom" / "raw"
    first = raw / table["path"].iloc[0]
    whole = first.read_bytes()
    for change, sentence in (
        (lambda: first.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1])), "run the stage checksum again"),
        (first.unlink, "run the stage fetch again"),
    ):
        change()
        done = study.run("--", packed)
        assert done.returncode == 1
        assert first.name in done.stdout + done.stderr and sentence in done.stdout + done.stderr
        assert not (study.folder / packed).exists()
    # One that came is in no table: it waits for the next checksum, which refuses it or lists it.
    first.write_bytes(whole)
    shutil.copy(first, first.with_name("new.png"))
    assert study.run("--", packed).returncode == 0
    assert len(np.load(study.folder / packed)) == len(table)
    done = study.run("--forcerun", "checksum", "--", packed)
    assert done.returncode == 1
    assert "changed since they were fetched" in done.stdout + done.stderr


def test_the_snakefile_names_the_file_of_every_rule():
    listed = json.dumps((ROOT / "Snakefile").read_text())
    for file in (ROOT / "workflow/rules").glob("*.smk"):
        for name in re.findall(r"^(?:use rule \w+ as|rule) (\w+)", file.read_text(), re.M):
            assert f"{name} " in listed and file.name in listed, name
