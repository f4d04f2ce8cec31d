"""A full disk, and folders that may not be written: a sentence, no half a file, and the same result after."""

import gc
import os
import shutil
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest
from small_study import all_stages

from brainmri.errors import BrainmriError
from brainmri.jobs import MADE

# One of each way to write: folders, tables, arrays, documents, weights, figures, pages.
READ_ONLY = [
    "fetch",
    "checksum",
    "crop",
    "split",
    "train",
    "evaluate",
    "draw_split",
    "draw_quality",
    "report",
]


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory):
    """Return a folder below a disk of its own, of 4 MB."""
    mount = tmp_path_factory.mktemp("disk") / "mounted"
    mount.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", mount], capture_output=True)
    if made.returncode:
        pytest.skip("a disk that is full needs root, who may mount one")
    try:
        yield mount / "results"
    finally:
        unmount(mount)


def unmount(folder: Path) -> None:
    """Take a disk away, once what garbage still maps there is collected."""
    for _ in range(40):
        gc.collect()
        done = subprocess.run(["umount", folder], capture_output=True, text=True)
        if not done.returncode:
            return
        time.sleep(0.25)
    own = Path("/proc/self/maps").read_text().splitlines()
    pytest.fail(f"{done.stderr}{[line for line in own if str(folder) in line]}")


def fill(disk: Path) -> Path:
    """Write a file that takes all room on a disk, to the last byte."""
    disk.mkdir(parents=True, exist_ok=True)
    filling = disk.parent / "filling"
    with filling.open("wb", buffering=0) as file:
        for size in (1 << 16, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return filling


def files_below(folder: Path) -> list[Path]:
    """Return all files below a folder, hidden ones too."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def run_into(stage, folder: Path) -> None:
    """Run a stage of the finished study, its outputs (and the state of a training) into a folder."""
    writes = {name: folder / target.name for name, target in stage.writes.items()}
    kept = {"train": ("checkpoint_dir", "cache_dir"), "probes": ("work_dir", "cache_dir")}
    stage.run(**writes, **dict.fromkeys(kept.get(stage.name, ()), folder / "state"))


def test_no_stage_is_left_out():
    # `crop_alike` calls what `crop` does.
    assert {name.split()[0] for name in all_stages(Path("anywhere"))} == MADE.keys() - {"crop_alike"}


@pytest.mark.parametrize("name", all_stages(Path("anywhere")))
def test_a_full_disk_is_a_sentence_and_the_same_command_goes_on(name, finished, small_disk):
    stage = all_stages(finished)[name]
    filling = fill(small_disk)
    try:
        with pytest.raises(BrainmriError) as caught:
            run_into(stage, small_disk)
        told = str(caught.value)
        assert str(small_disk) in told and "No space left" in told and "Free space" in told, told
        # By an empty file the probes know what they have begun.
        left = [path for path in files_below(small_disk) if name != "probes" or path.stat().st_size]
        assert not left, "half a file was left"
        filling.unlink()
        run_into(stage, small_disk)
        compare_with(stage, small_disk)
    finally:
        filling.unlink(missing_ok=True)
        shutil.rmtree(small_disk)


@pytest.mark.parametrize("name", READ_ONLY)
def test_a_folder_that_may_not_be_written_is_a_sentence(name, finished, tmp_path):
    stage = all_stages(finished)[name]
    folder = tmp_path / "results"
    folder.mkdir()
    with ReadOnly(folder), pytest.raises(BrainmriError) as caught:
        run_into(stage, folder)
    told = str(caught.value)
    assert str(folder) in told and "permissions" in told, told
    assert not files_below(folder)


class ReadOnly:
    """A folder that nobody may write to, root included where a file system can be mounted so."""

    def __init__(self, folder: Path):
        self.folder, self.is_mounted = folder, False

    def __enter__(self):
        if os.geteuid():
            self.folder.chmod(0o555)
            return
        bind = subprocess.run(["mount", "--bind", "-o", "ro", self.folder, self.folder], capture_output=True)
        if bind.returncode:
            pytest.skip("root may write anywhere, and may not mount here")
        self.is_mounted = True

    def __exit__(self, *_):
        if self.is_mounted:
            unmount(self.folder)
        else:
            self.folder.chmod(0o755)


def compare_with(stage, folder: Path) -> None:
    """Compare what a stage wrote into a folder with what it wrote before."""
    for target in stage.writes.values():
        found = folder / target.name
        if target.suffix == ".parquet":
            pd.testing.assert_frame_equal(
                timeless(pd.read_parquet(found)), timeless(pd.read_parquet(target)), check_exact=True
            )
        elif target.suffix in (".npy", ".safetensors"):
            assert found.read_bytes() == target.read_bytes()
        else:
            assert found.exists()


def timeless(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table without what two runs never share."""
    return table.drop(columns=["seconds", "images_per_second"], errors="ignore")
