# brainmri: from public brain-tumour MRI sets to classifiers and a report that a reviewer can trust.
#
# Each stage is one rule, one `brainmri` sub-command and one module of the same name:
#
#   rule             rule file                      module
#   fetch            workflow/rules/sources.smk     src/brainmri/sources/fetch.py
#   checksum         workflow/rules/sources.smk     src/brainmri/sources/checksum.py
#   inventory        workflow/rules/images.smk      src/brainmri/images/inventory.py
#   crop             workflow/rules/images.smk      src/brainmri/images/crop.py
#   crop_alike       workflow/rules/images.smk      src/brainmri/images/crop.py
#   shrink           workflow/rules/audit.smk       src/brainmri/images/crop.py
#   audit            workflow/rules/audit.smk       src/brainmri/audit/audit.py
#   overlap          workflow/rules/audit.smk       src/brainmri/audit/overlap.py
#   pool             workflow/rules/audit.smk       src/brainmri/audit/pool.py
#   split            workflow/rules/splits.smk      src/brainmri/splits/split.py
#   train            workflow/rules/training.smk    src/brainmri/training/train.py
#   predict_split    workflow/rules/evaluation.smk  src/brainmri/evaluation/predict_split.py
#   evaluate         workflow/rules/evaluation.smk  src/brainmri/evaluation/evaluate.py
#   plot_data        workflow/rules/evaluation.smk  src/brainmri/evaluation/plot_data.py
#   predict_external workflow/rules/evaluation.smk  src/brainmri/evaluation/predict_external.py
#   explain          workflow/rules/evaluation.smk  src/brainmri/evaluation/explain.py
#   baselines        workflow/rules/evaluation.smk  src/brainmri/evaluation/baselines.py
#   probes           workflow/rules/evaluation.smk  src/brainmri/evaluation/probes.py
#   compare          workflow/rules/evaluation.smk  src/brainmri/evaluation/compare.py
#   draw_dataset     workflow/rules/figures.smk     src/brainmri/reporting/draw_dataset.py
#   draw_audit       workflow/rules/figures.smk     src/brainmri/reporting/draw_audit.py
#   draw_quality     workflow/rules/figures.smk     src/brainmri/reporting/draw_quality.py
#   draw_split       workflow/rules/figures.smk     src/brainmri/reporting/draw_split.py
#   draw_model       workflow/rules/figures.smk     src/brainmri/reporting/draw_model.py
#   draw_curves      workflow/rules/figures.smk     src/brainmri/reporting/draw_curves.py
#   draw_explain     workflow/rules/figures.smk     src/brainmri/reporting/draw_explain.py
#   draw_probes      workflow/rules/figures.smk     src/brainmri/reporting/draw_probes.py
#   draw_comparison  workflow/rules/figures.smk     src/brainmri/reporting/draw_comparison.py
#   draw_pairs       workflow/rules/figures.smk     src/brainmri/reporting/draw_pairs.py
#   draw_external    workflow/rules/figures.smk     src/brainmri/reporting/draw_external.py
#   report           workflow/rules/report.smk      src/brainmri/reporting/report.py

import json
import os
import re
import sys
from itertools import combinations
from pathlib import Path
from shlex import quote

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

from brainmri.code import code_of
from brainmri.configuration import checked
from brainmri.errors import BrainmriError
from brainmri.jobs import AUDIT_SIZE, document_of, jobs_of, remember
from brainmri.reporting.cards import CHECKLISTS, card_names
from brainmri.sources.directory import digest_of_source
from brainmri.study import Study
from workflow.demands import Demands
from workflow.missing import notice_missing_inputs
from workflow.takeover import take_over

min_version("9.27")

# A configuration given with --configfile replaces the default study; --config alone changes keys of it.
if not workflow.configfiles:

    configfile: "config/config.yaml"


# For --software-deployment-method apptainer alone: the image of this version, or `--config image=…`, which reaches the
# nodes of a cluster too; it is no key of a study.
container: config.pop("image", None) or "docker://ghcr.io/brainmri/brainmri:0.1.0"


report: "workflow/report/workflow.rst"


with open(workflow.source_path("workflow/schemas/config.schema.yaml")) as handle:
    schema = yaml.safe_load(handle)
try:
    config = checked(config, schema)
except BrainmriError as error:
    raise WorkflowError(str(error))

study = Study.from_config(config)

# What each rule asks of a machine, for schedulers; on one machine only threads and GPUs count. Groups too are for
# clusters: one submission, so that small rules do not wait in a queue. Where one of its rules fails, a group is made
# again as a whole: so trainings go alone.
demands = Demands(config)

# The `brainmri` command lies beside the Python that runs Snakemake, here and on a cluster's nodes; in an image it lies
# where the recipes put it. Each job keeps a record of itself beside its log, as JSON lines: no input of any rule, so
# that none runs again because of it. And it ends when Snakemake does, which waits for it.
shell.prefix(
    f'export PATH=/opt/brainmri/bin:{quote(os.path.dirname(sys.executable))}:"$PATH" BRAINMRI_EVENTS=beside-log'
    ' BRAINMRI_WORKFLOW_PID="$PPID"; '
)


if workflow.is_main_process:
    notice_missing_inputs()

# What a killed run left in this folder must not stand in the way of the same command.
if workflow.is_main_process and not workflow.dryrun:
    for sentence in take_over(Path(".snakemake"), study.logs_dir):
        logger.info(sentence)


onstart:
    # What `brainmri status` tells of.
    remember(study)


wildcard_constraints:
    study=re.escape(study.name),
    dataset="|".join(map(re.escape, study.datasets)),
    other="|".join(map(re.escape, study.datasets)),
    split="|".join(map(re.escape, study.splits)),
    model="|".join(map(re.escape, study.models)),
    seed=r"\d+",
    size=r"\d+",


# A data set is either fetched or pooled from others; where there is none of a kind, no name is of it.
FETCHED = "|".join(map(re.escape, study.fetched())) or "(?!)"
POOLED = "|".join(map(re.escape, study.pooled())) or "(?!)"


include: "workflow/rules/inputs.smk"
include: "workflow/rules/outputs.smk"
include: "workflow/rules/sources.smk"
include: "workflow/rules/images.smk"
include: "workflow/rules/audit.smk"
include: "workflow/rules/splits.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"


# On a cluster these run where Snakemake does: seconds each, and a download needs a network.
localrules:
    all,
    fetch,
    split,


# All, for what is missing is made anew, with what follows from it.
rule all:
    default_target: True
    input:
        [job.outputs for job in jobs_of(study)],
    message:
        "All of the study {study.name}: results/{study.name}/report/index.html"
