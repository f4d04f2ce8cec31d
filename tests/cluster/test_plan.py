"""How much a study submits: what the profile for Slurm plans, without a cluster."""

import re
import subprocess
from collections import Counter
from copy import deepcopy

import pytest
import yaml
from faulty_run import BIN, ROOT, STUDY


@pytest.mark.slow
def test_fifteen_trainings_wait_four_times_in_a_queue(tmp_path):
    study = deepcopy(STUDY)
    study["models"] = {f"model{number}": study["models"]["narrow"] for number in range(5)}
    study["seeds"] = [0, 1, 2]
    del study["probes"]
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    words = [BIN / "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", tmp_path, "--dry-run"]
    words += ["--configfile", tmp_path / "study.yaml", "--profile", ROOT / "profiles/slurm"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    groups = Counter(re.findall(r"Group job (\w+)", told))
    # One after the other: prepare, a training, what judges it, conclude. The others are beside the trainings.
    assert groups == {"prepare": 1, "judge": 15, "describe": 1, "probe": 1, "conclude": 1}
    alone = re.findall(r"^Job \d+: (\w+)", told, re.M)
    assert Counter(alone) == {"Train": 15, "Bring": 1, "Split": 1}
