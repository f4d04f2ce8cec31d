"""Processes: which one is meant, whether it still runs, and where its number means something."""

import os
import socket
from contextlib import suppress
from pathlib import Path

# A job, its shell, Snakemake, and what started that.
ANCESTORS = 4
# Where Slurm, PBS and LSF tell a job its number.
JOB_NUMBERS = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID")


def host() -> str:
    """Return this machine's name."""
    return socket.gethostname()


def place() -> str:
    """Return the host and the process namespace, in which process numbers mean something."""
    with suppress(OSError):
        return f"{host()} {Path('/proc/self/ns/pid').readlink()}"
    return host()


def cluster_job() -> str | None:
    """Return the number of the cluster's job that this process belongs to, None outside of one.

    A job that its scheduler queues again keeps its number.
    """
    # Other programs than Grid Engine set JOB_ID as well.
    names = (*JOB_NUMBERS, "JOB_ID") if "SGE_ROOT" in os.environ else JOB_NUMBERS
    return next((os.environ[name] for name in names if os.environ.get(name)), None)


def identity() -> dict:
    """Return who this process is, and who its ancestors are, so that another can tell an orphan."""
    ancestors, pid = [], os.getppid()
    while pid > 1 and len(ancestors) < ANCESTORS:
        ancestors.append([pid, start_time(pid)])
        pid = parent(pid)
    me = os.getpid()
    return {
        "pid": me,
        "started": start_time(me),
        "place": place(),
        "job": cluster_job(),
        "ancestors": ancestors,
    }


def is_orphan(told: dict) -> bool:
    """Say whether one of the processes that led to the start of one has ended, by its `identity`."""
    return any(start_time(int(pid)) != started for pid, started in told["ancestors"])


def is_running(pid: int) -> bool:
    """Return whether a process of this machine is alive."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def start_time(pid: int) -> str | None:
    """Return when a process started, in ticks since the machine did; None where there is none."""
    fields = stat_fields(pid)
    # A zombie has ended, though nobody has asked for its status yet.
    return fields[19] if fields and fields[0] != "Z" else None


def parent(pid: int) -> int:
    """Return the number of a process's parent, 0 where it has ended."""
    fields = stat_fields(pid)
    return int(fields[1]) if fields else 0


def stat_fields(pid: int) -> list[str]:
    """Return the fields of /proc/{pid}/stat after its name, which may hold anything; empty where none."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    return []
