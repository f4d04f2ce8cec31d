"""Many writers of one file, odd names, and clocks that jump."""

import json
import os
import subprocess
import sys

import pytest
from small_study import CLASSES, stages_below
from small_study import SPLIT as SPLIT_SETTINGS

from brainmri.artefacts import read_parquet, written_atomically
from brainmri.digests import file_digest

# Processes, and threads of each: a hundred in all.
PROCESSES, THREADS = 4, 25
SPLIT = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from brainmri.splits.settings import SplitSettings
from brainmri.splits.split import split

inventory, groups, output, threads, settings, class_names = map(json.loads, sys.argv[1:])
barrier = Barrier(threads)

def one(_):
    barrier.wait()
    split(Path(inventory), Path(groups), Path(output), SplitSettings(**settings), class_names)

with ThreadPoolExecutor(threads) as pool:
    list(pool.map(one, range(threads)))
"""


def test_a_hundred_parallel_splits_end_with_one_whole_file(finished, tmp_path):
    stage, output = stages_below(finished)["split"], tmp_path / "manifest.parquet"
    paths = [str(path) for path in (*stage.reads.values(), output)]
    words = [json.dumps(word) for word in (*paths, THREADS, SPLIT_SETTINGS, CLASSES)]
    writers = [
        subprocess.Popen([sys.executable, "-c", SPLIT, *words], stderr=subprocess.PIPE, text=True)
        for _ in range(PROCESSES)
    ]
    told = [writer.communicate()[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * PROCESSES, told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.parquet", "split.json"]
    assert file_digest(output) == file_digest(stage.writes["output"])
    assert len(read_parquet(output))


def test_writers_of_one_process_share_no_file(tmp_path):
    with written_atomically(tmp_path / "a") as first, written_atomically(tmp_path / "a") as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert (tmp_path / "a").read_text() == "first"  # the last to finish


@pytest.mark.parametrize("time", [0, 4102444800], ids=["1970", "2100"])
@pytest.mark.parametrize("name", ["checksum", "inventory", "crop", "split", "evaluate", "train"])
def test_the_clock_shapes_no_result(name, time, finished, tmp_path):
    stage = stages_below(finished)[name]
    for source in stage.reads.values():
        os.utime(source, (time, time))
    more = dict.fromkeys(("checkpoint_dir", "cache_dir"), tmp_path / "state") if name == "train" else {}
    writes = {key: tmp_path / target.name for key, target in stage.writes.items()}
    stage.run(**writes, **more)
    for key, target in stage.writes.items():
        if (name, key) not in (("train", "metadata"), ("train", "history")):  # they tell how long it took
            assert writes[key].read_bytes() == target.read_bytes(), key
