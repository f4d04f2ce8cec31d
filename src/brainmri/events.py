"""What a job leaves beside its log: one JSON line for its start, its milestones and its end.

Kept where the environment variable BRAINMRI_EVENTS says so: a file, or `beside-log`, as the workflow has it
(`crop_64.jsonl` beside the `crop_64.log` that the job writes to). Results depend on none of it, and no
stage imports this module: a job goes on where its record cannot be kept.
"""

import json
import os
import resource
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from brainmri import __version__
from brainmri.errors import meaning_of
from brainmri.processes import host, place, start_time
from brainmri.signs import give_signs

VARIABLE, BESIDE_LOG = "BRAINMRI_EVENTS", "beside-log"
# ru_maxrss is in KiB on Linux, in bytes on macOS.
PEAK_UNIT = 2**20 if sys.platform == "darwin" else 2**10


def events_file() -> Path | None:
    """Return where this process keeps its record, or None where it keeps none."""
    wish = os.environ.get(VARIABLE)
    if wish != BESIDE_LOG:
        return Path(wish) if wish else None
    with suppress(OSError):
        log = Path("/proc/self/fd/2").readlink()
        if log.suffix == ".log":
            return log.with_suffix(".jsonl")
    return None


@dataclass
class Record:
    """The record of one job, in a file that those of earlier attempts lie in too.

    Parameters
    ----------
    path
        The file; None for no record.
    command
        The sub-command.
    exit_code
        What the job ends with.
    """

    path: Path | None
    command: str
    exit_code: int = 0
    started: float = field(default_factory=monotonic)
    counted: dict[str, int] = field(default_factory=dict)

    def write(self, event: str, **facts) -> None:
        """Append a whole line, in one call so that no other process's comes between; or give it up."""
        if self.path is None:
            return
        line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event}
        line |= {"command": self.command, "host": host(), "pid": os.getpid(), **facts}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
            try:
                size = os.fstat(descriptor).st_size
                # A line that was cut off, by a full disk, must not take this one with it.
                torn = size and os.pread(descriptor, 1, size - 1) != b"\n"
                text = json.dumps(line, ensure_ascii=False, default=str)
                os.write(descriptor, (b"\n" if torn else b"") + text.encode("utf-8", "replace") + b"\n")
            finally:
                os.close(descriptor)
        except OSError as error:
            tell(f"no record is kept in {self.path} ({error.strerror or error}); the work goes on")
            self.path = None

    def milestone(self, facts: dict) -> None:
        """Keep how far a progress bar is, and tell it in the log where that takes long."""
        if facts["ended"]:
            unit = facts["unit"]
            self.counted[unit] = max(self.counted.get(unit, 0), facts["done"])
        else:
            of = f" of {facts['of']}" if facts["of"] else ""
            tell(f"{facts['what']}: {facts['unit']} {facts['done']}{of}")
        self.write("progress", **facts)

    def end(self, reason: str | None) -> None:
        """Keep what the job took, and why it failed where it did."""
        wall, cpu, peak = monotonic() - self.started, *usage()
        images = self.counted.get("image", self.counted.get("file"))
        facts = {"exit_code": self.exit_code, "wall_seconds": round(wall, 3), "cpu_seconds": round(cpu, 3)}
        facts |= {"peak_mib": round(peak, 1), "images": images}
        if self.exit_code:
            self.write("failure", **facts, reason=reason)
            return
        self.write("end", **facts)
        speed = f", {images} images or files ({images / wall:.0f} a second)" if images else ""
        tell(f"{self.command}: done in {wall:.1f} s, {cpu:.1f} s of CPU, {peak:.0f} MiB at most{speed}")


def usage() -> tuple[float, float]:
    """Return the CPU seconds of this process and its children, and the largest one's peak memory in MiB."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(one.ru_utime + one.ru_stime for one in both)
    return cpu, max(one.ru_maxrss for one in both) * PEAK_UNIT / 2**20


def tell(words: str) -> None:
    """Say a line in the log; people at a terminal have bars instead."""
    if not sys.stderr.isatty():
        print(words, file=sys.stderr, flush=True)


@contextmanager
def recorded(command: str) -> Iterator[Record]:
    """Keep a record of the job that is done inside, where one is wished for; set its `exit_code` there.

    Parameters
    ----------
    command
        The sub-command.
    """
    from brainmri.progress import LISTENERS

    path = events_file()
    record = Record(path, command)
    if path is None:
        yield record
        return
    pid, moment = os.getpid(), datetime.now(UTC).isoformat(timespec="seconds")
    tell(f"brainmri {__version__} {command}, {moment}, process {pid} on {host()}")
    record.write("start", version=__version__, place=place(), started=start_time(pid))
    over = threading.Event()
    signs = threading.Thread(target=give_signs, args=(path, over), daemon=True)
    signs.start()
    LISTENERS.append(record.milestone)
    reason = None
    try:
        yield record
    except BaseException as error:
        record.exit_code, reason = meaning_of(error)
        raise
    finally:
        LISTENERS.remove(record.milestone)
        over.set()
        signs.join()
        record.end(reason)
