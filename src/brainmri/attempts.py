"""What jobs told of themselves (see `brainmri.events`), read back: one attempt a start."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from brainmri.processes import place, start_time

TAKEN = ("wall_seconds", "cpu_seconds", "peak_mib")


@dataclass
class Attempt:
    """One attempt at a job.

    Parameters
    ----------
    start
        What it told first.
    milestones
        How far each of its progress bars was when last told, by its words.
    end
        What it told last; empty where it has not ended, or was killed.
    last_told
        The time of its last line.
    """

    start: dict
    milestones: dict[str, dict] = field(default_factory=dict)
    end: dict = field(default_factory=dict)
    last_told: datetime | None = None

    @property
    def began(self) -> datetime:
        """When it began."""
        return moment(self.start["time"])

    @property
    def succeeded(self) -> bool:
        """Whether it came to its end."""
        return self.end.get("event") == "end"

    @property
    def is_here(self) -> bool:
        """Whether its process, where it still runs, can be seen from here."""
        return self.start.get("place") == place() and self.start.get("started") is not None

    @property
    def runs_here(self) -> bool:
        """Whether its process is here and has not ended: its number may have been given to another since."""
        return self.is_here and start_time(self.start["pid"]) == self.start["started"]

    @property
    def host(self) -> str:
        """The machine that it ran on."""
        return str(self.start["host"])


def attempts_of(path: Path) -> list[Attempt]:
    """Return the attempts at a job, the oldest first; none where there is no record.

    A line that cannot be read (cut off by a full disk, or changed by hand) is passed over: the record
    is there to help, and must not stand in the way.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    attempts: list[Attempt] = []
    for line in text.splitlines():
        event = event_of(line)
        if event is None:
            continue
        if event["event"] == "start":
            attempts.append(Attempt(event, last_told=moment(event["time"])))
            continue
        writer = (event["host"], event["pid"])
        attempt = next(
            (one for one in reversed(attempts) if (one.start["host"], one.start["pid"]) == writer), None
        )
        if attempt is None:
            continue
        attempt.last_told = moment(event["time"])
        if event["event"] == "progress":
            attempt.milestones[str(event.get("what"))] = event
        else:
            attempt.end = event
    return attempts


def event_of(line: str) -> dict | None:
    """Return what a line tells, or None where it is none of ours."""
    try:
        event = json.loads(line)
        moment(event["time"])
        known = event["event"] in ("start", "progress", "end", "failure")
        whole = isinstance(event["host"], str) and isinstance(event["pid"], int)
        if event["event"] in ("end", "failure"):
            whole &= all(isinstance(event[key], int | float) for key in ("exit_code", *TAKEN))
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return event if known and whole else None


def moment(text: str) -> datetime:
    """Return a time with its zone."""
    when = datetime.fromisoformat(text)
    if when.tzinfo is None:
        raise ValueError(f"{text} has no zone")
    return when
