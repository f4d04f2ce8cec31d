"""What is made from a file that is gone is made anew, whatever file was asked for.

Plain Python for the Snakefile. Of a job that fails or is killed, Snakemake deletes what it had made before,
and a file that is missing between two that exist is no reason for it: what follows from the deleted, made
under another configuration, would be up to date when the same command is given again.
"""

import os

from snakemake.jobs import Job
from snakemake.persistence import PersistenceBase


def notice_missing_inputs() -> None:
    """Let Snakemake count an input that another job makes and that is gone as a changed one.

    Nothing is written, so that a dry run tells the same.
    """
    input_changed = PersistenceBase.input_changed

    def missing_or_changed(self: PersistenceBase, job: Job, file: str | None = None) -> object:
        inputs = (path for paths in self.dag.dependencies[job].values() for path in paths)
        if all(map(os.path.exists, inputs)):
            return input_changed(self, job, file)
        return job.output if file is None else True

    PersistenceBase.input_changed = missing_or_changed
