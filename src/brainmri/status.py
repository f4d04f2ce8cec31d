"""The command `status`: what of a study is done, running, stopped, failed and why, and what waits."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from brainmri.durations import duration
from brainmri.errors import BrainmriError, nearest, printable
from brainmri.jobs import REMEMBERED, jobs_of, remembered
from brainmri.standing import STATES, Standing, runs_at_work, standing
from brainmri.study import Study

LOGS = Path("logs")
SNAKEMAKE = Path(".snakemake")
CONFIGURATIONS = Path("config")
SCHEMA = Path("workflow", "schemas", "config.schema.yaml")
INDENT = "    "


def status(
    study: str | None = None, configfile: Path | None = None, lines: int = 10, json: bool = False
) -> None:
    """Tell what of a study is done, running, stopped, failed and why, and what waits; at any time.

    Reads what lies on the disk, and changes nothing. Silent is a job on another machine that gives no sign
    of life: whether it was killed cannot be seen from here. Whether a changed key, file or line of code
    makes a job run again is not looked at: `snakemake --dry-run` tells it.

    Parameters
    ----------
    study
        Its name; the study that was run last where neither this nor `configfile` is given.
    configfile
        The study's configuration; needed for a study that was never run here.
    lines
        So many last lines of the log of each job that failed.
    json
        Print one JSON document instead of text.

    Raises
    ------
    BrainmriError
        If there is no such study.
    """
    if lines < 0:
        raise BrainmriError(f"lines is {lines}; allowed: 0 or more.")
    found = wanted_study(study, configfile)
    now = datetime.now(UTC)
    standings = [standing(job, now) for job in jobs_of(found)]
    if json:
        from json import dumps

        document = {
            "study": found.name,
            "time": now.isoformat(timespec="seconds"),
            "totals": totals(standings),
            "jobs": [one.document(lines) for one in standings],
        }
        print(dumps(document, indent=2, ensure_ascii=False))
    else:
        print("\n".join(told(found, standings, lines)))


def totals(standings: list[Standing]) -> dict:
    """Return how many jobs there are of each state, and what those that ended took."""
    counts = Counter(one.state for one in standings)
    seconds = {key: sum(one.taken(key) for one in standings) for key in ("wall_seconds", "cpu_seconds")}
    return {
        "jobs": len(standings),
        **{state: counts[state] for state in STATES},
        **{key: round(value, 1) for key, value in seconds.items()},
    }


def told(study: Study, standings: list[Standing], lines: int) -> list[str]:
    """Return the state of a study as lines for people, what matters most first."""
    sums = totals(standings)
    counts = ", ".join(f"{sums[state]} {state}" for state in STATES if sums[state])
    text = [f"Study {study.name}: {sums['jobs']} jobs: {counts}."]
    for state in ("failed", "silent", "stopped", "running"):
        chosen = [one for one in standings if one.state == state]
        text += ["", f"{state}:"] if chosen else []
        for one in chosen:
            text.append(f"  {one.job}")
            text += [f"{INDENT}{line}" for line in one.told()]
            if state in ("failed", "silent") and lines:
                text.append(f"{INDENT}the last lines of {one.job.log}:")
                text += [f"{INDENT}| {line}" for line in one.last_lines(lines)]
    waiting = Counter(one.job.rule for one in standings if one.state == "waiting")
    if waiting:
        text += ["", "waiting:", "  " + ", ".join(f"{count} {rule}" for rule, count in waiting.items())]
    if sums["done"]:
        took = f"{duration(sums['wall_seconds'])}, {duration(sums['cpu_seconds'])} of CPU"
        unknown = sum(one.state == "done" and one.attempt is None for one in standings)
        without = f"; {unknown} of them left no record" if unknown else ""
        text += ["", "done:", f"  {sums['done']} jobs; what ended took {took}{without}"]
    if not sums["running"] and sums["done"] < sums["jobs"]:
        # Who waits for a cluster's queue must not be told to call it a second time.
        runs = [run for _, run in runs_at_work(SNAKEMAKE)]
        places = [printable(f"{run['place'].partition(' ')[0]} (process {run['pid']})") for run in runs]
        if places:
            text += ["", f"Snakemake is at work on {', '.join(places)}; no job is seen to run."]
        else:
            text += ["", "Nothing is running. Snakemake goes on from here when it is called again."]
    return text


def wanted_study(name: str | None, configfile: Path | None) -> Study:
    """Return the study that is asked for.

    Raises
    ------
    BrainmriError
        If there is none, or its configuration is at fault.
    """
    if configfile is not None:
        study = configured(configfile)
        if name not in (None, study.name):
            raise BrainmriError(
                f"{configfile} is the study '{study.name}', not '{name}': name one of the two."
            )
        return study
    known = {path.parent.name: path for path in LOGS.glob(f"*/{REMEMBERED}")}
    if name is None and known:
        return remembered(max(known.values(), key=lambda path: path.stat().st_mtime))
    if name is None:
        raise BrainmriError(
            "No study was run in this folder (there is no logs/*/study.json): name a configuration with "
            "--configfile, or go to the folder where Snakemake runs."
        )
    if name in known:
        return remembered(known[name])
    named = {}
    for path in sorted(CONFIGURATIONS.rglob("*.yaml"), reverse=True):
        if isinstance(study := read_yaml(path).get("study"), str):
            named[study] = path
    if name in named:
        return configured(named[name])
    names = sorted({*known, *named})
    raise BrainmriError(
        f"There is no study '{name}' under {LOGS} or {CONFIGURATIONS}. {nearest(name, names)}".strip()
    )


def configured(path: Path) -> Study:
    """Return the study that a configuration describes.

    Raises
    ------
    BrainmriError
        If it cannot be read, or is at fault.
    """
    from brainmri.configuration import checked

    document = read_yaml(path)
    if not document:
        raise BrainmriError(
            f"{path} is no readable configuration: name a YAML file as config/README.md says."
        )
    places = [SCHEMA, Path(__file__).parents[2] / SCHEMA]
    schema = next((place for place in places if place.is_file()), None)
    if schema is None:
        raise BrainmriError(f"{SCHEMA} is not here: go to the folder of the Snakefile.")
    return Study.from_config(checked(document, read_yaml(schema)))


def read_yaml(path: Path) -> dict:
    """Return a YAML document; empty where it cannot be read, or is none."""
    import yaml

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
