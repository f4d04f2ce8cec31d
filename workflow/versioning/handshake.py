"""Where DVC and Snakemake meet: what one of them has made or brought, the other takes as made.

python workflow/versioning/handshake.py record    after `snakemake`
python workflow/versioning/handshake.py adopt     after `dvc pull`
"""

import json
import sys

from plan import asked, done, other_starts, write_plan
from stages import CONFIG, STAGES, stages_text, write_stages

from brainmri.errors import BrainmriError
from brainmri.status import configured

# What `dvc status` tells where nothing is stale; a plan that looks at archives and weights is so always.
CLEAN = ({}, {"plan": ["always changed"]})


def record() -> None:
    """Let DVC take what Snakemake has made, without making anything again.

    Raises
    ------
    BrainmriError
        If Snakemake has not finished the study.
    """
    planned = asked("snakemake", "--cores", "1", "--dry-run")
    if planned.returncode or "Nothing to be done" not in planned.stdout + planned.stderr:
        raise BrainmriError("Snakemake has not finished the study: run `snakemake` first, then record again.")
    write_stages()
    write_plan()
    done("dvc", "commit", "--force", "--no-relink")
    print("Recorded. Now: git add --all && git commit, then dvc push.")


def adopt() -> None:
    """Let Snakemake take what DVC has brought as made by the present code and configuration.

    Raises
    ------
    BrainmriError
        If what is here was made by others.
    """
    if not STAGES.is_file() or STAGES.read_text(encoding="utf-8") != stages_text():
        raise BrainmriError(
            "dvc.yaml is not what config/config.yaml gives: run `make stages` and `dvc repro`, then adopt."
        )
    # What is stale must not be blessed.
    told = asked("dvc", "status", "--json")
    if told.returncode or json.loads(told.stdout) not in CLEAN:
        raise BrainmriError(
            "What is here is not what dvc.lock says: `dvc pull` brings it, `dvc status` tells what differs."
        )
    for start in other_starts(configured(CONFIG))[:1]:
        raise BrainmriError(
            f"{start.file} is not what {start.record.parent} was made from, as {start.record} tells: put "
            "that file in its place, or none, or run `dvc repro`, which makes it anew from this one."
        )
    done("snakemake", "--touch", "--forceall", "--cores", "1", "--quiet")
    print("Adopted: Snakemake has nothing to do.")


if __name__ == "__main__":
    try:
        {"record": record, "adopt": adopt}[sys.argv[1]]()
    except BrainmriError as error:
        sys.exit(str(error))
