"""What the page says of the jobs that made what it shows: time, processors, memory and speed of each."""

from brainmri.artefacts import read_json
from brainmri.attempts import Attempt, attempts_of
from brainmri.durations import UNKNOWN, duration
from brainmri.jobs import Job, jobs_of
from brainmri.mapping import is_number
from brainmri.study import Study

LEFT_OUT = ("report", "plot_data")


def jobs_context(study: Study) -> dict:
    """Return the table of jobs, those that took longest first; those without a record are counted alone.

    Left out are the job that writes the page, which has not ended, and those that the page does not wait for.

    Parameters
    ----------
    study
        The study.
    """
    jobs = [job for job in jobs_of(study) if job.rule not in LEFT_OUT]
    taken = [(job, attempts) for job in jobs if (attempts := since_success(attempts_of(job.record)))]
    taken.sort(key=lambda pair: (-wall_of(pair[1]), str(pair[0])))
    everything = [attempt for _, attempts in taken for attempt in attempts]
    return {
        "of": len(jobs),
        "rows": [row_of(job, attempts) for job, attempts in taken],
        "attempts": len(everything),
        **sums_of(everything),
    }


def row_of(job: Job, attempts: list[Attempt]) -> dict:
    """Return a job's row."""
    return {
        "rule": job.rule,
        "wildcards": ", ".join(job.wildcards.values()) or "the study",
        "speed": speed_of(job, attempts[-1]),
        "attempts": len(attempts),
        "host": ", ".join(dict.fromkeys(attempt.host for attempt in attempts)),
        **sums_of(attempts),
    }


def sums_of(attempts: list[Attempt]) -> dict:
    """Return wall and CPU time of some attempts, and their largest peak of memory: text, and the numbers."""
    wall = wall_of(attempts)
    cpu = sum(attempt.end.get("cpu_seconds", 0.0) for attempt in attempts)
    peak = max((attempt.end.get("peak_mib", 0.0) for attempt in attempts), default=0.0)
    return {
        "wall": duration(wall),
        "cpu": duration(cpu),
        "peak": f"{peak:.0f} MiB",
        "numbers": {"wall": round(wall, 1), "cpu": round(cpu, 1), "peak": round(peak)},
    }


def since_success(attempts: list[Attempt]) -> list[Attempt]:
    """Return the last attempt that succeeded, after those that did not since one did before it."""
    ends = [index for index, attempt in enumerate(attempts) if attempt.succeeded]
    if not ends:
        return []
    before = ends[-2] + 1 if len(ends) > 1 else 0
    return attempts[before : ends[-1] + 1]


def wall_of(attempts: list[Attempt]) -> float:
    """Return the seconds that attempts took; of one that was killed, up to its last sign."""
    return sum(
        attempt.end.get("wall_seconds", (attempt.last_told - attempt.began).total_seconds())
        for attempt in attempts
    )


def speed_of(job: Job, attempt: Attempt) -> str:
    """Return a job's images (or files) a second as text, or a dash where none were counted."""
    if job.rule == "train":
        speed = read_json(job.outputs[1]).get("images_per_second")
    else:
        images, seconds = attempt.end.get("images"), attempt.end["wall_seconds"]
        speed = images / seconds if is_number(images) and seconds > 0 else None
    return (
        f"{speed:.0f}"
        if is_number(speed) and speed >= 1
        else UNKNOWN
        if not is_number(speed)
        else f"{speed:.2g}"
    )
