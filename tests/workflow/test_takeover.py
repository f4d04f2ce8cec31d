"""What a killed run left is taken away, and what a live one holds is not."""

import errno
import fcntl
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from helpers import ROOT

from brainmri.artefacts import written_atomically
from brainmri.processes import identity, place, start_time
from brainmri.signs import SECONDS_UNTIL_SILENT
from brainmri.standing import RUNS, runs_at_work

sys.path.insert(0, str(ROOT / "workflow"))
import takeover

ALIVE = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from takeover import take_over
print(take_over(Path(sys.argv[2]), Path(sys.argv[3])), flush=True)
time.sleep(60)
"""


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Return Snakemake's folder with a lock in it, and that of the logs; forget what this process holds."""
    locks = tmp_path / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").write_text("results/page\n")
    monkeypatch.setattr(takeover, "HELD", [])
    return tmp_path / ".snakemake", tmp_path / "logs"


def record(logs: Path, pid: int, **changes) -> None:
    """Write the record of a job that has begun."""
    event = {"time": datetime.now(UTC).isoformat(), "event": "start", "command": "crop", "host": "here"}
    event |= {"pid": pid, "place": place(), "started": start_time(pid)} | changes
    logs.mkdir(exist_ok=True)
    (logs / "crop.jsonl").write_text(json.dumps(event) + "\n")


def test_the_lock_of_a_killed_run_goes(folders):
    told = takeover.take_over(*folders)
    assert "unlocked" in told[0]
    assert not list((folders[0] / "locks").iterdir())


def test_what_a_killed_job_had_begun_to_write_goes(folders):
    results = folders[0].parent / "results" / "study"
    with suppress(KeyboardInterrupt), written_atomically(results / "metrics.json") as temporary:
        temporary.write_text("half")
        left = results / temporary.name.replace(str(os.getpid()), "99999")
        left.write_text("half")
        (results / ".notes.tmp").write_text("another tool's")
        raise KeyboardInterrupt
    takeover.take_over(*folders)
    assert [path.name for path in results.iterdir()] == [".notes.tmp"]


def test_the_lock_of_a_live_run_stays_and_goes_once_it_was_killed(folders):
    command = [sys.executable, "-c", ALIVE, ROOT / "workflow", *folders]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        other.stdout.readline()
        (folders[0] / "locks/0.output.lock").touch()
        assert takeover.take_over(*folders) == []
        assert (folders[0] / "locks/0.output.lock").exists()
        takeover.HELD.clear()
        other.kill()
    assert takeover.take_over(*folders)


def test_an_orphan_that_does_not_end_is_killed(folders, monkeypatch):
    monkeypatch.setattr(takeover, "SECONDS_TO_END", 0.3)
    with subprocess.Popen(["sleep", "60"]) as orphan:
        record(folders[1], orphan.pid)
        told = takeover.take_over(*folders)
        assert orphan.wait(timeout=10) == -9
    assert f"process {orphan.pid}" in told[0]


@pytest.mark.parametrize("changes", [{"place": "another host"}, {"started": "1"}, {"started": None}])
def test_a_process_that_is_not_surely_the_job_is_left_alone(folders, monkeypatch, changes):
    monkeypatch.setattr(takeover, "SECONDS_TO_END", 0.1)
    with subprocess.Popen(["sleep", "60"]) as stranger:
        record(folders[1], stranger.pid, **changes)
        takeover.take_over(*folders)
        assert stranger.poll() is None
        stranger.kill()


def sign(snakemake: Path, **changes) -> Path:
    """Write the sign of life of a run of Snakemake."""
    file = snakemake / RUNS / "1-a.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(identity() | changes))
    return file


def silent(file: Path) -> None:
    """Make a file one that nobody has touched for long enough."""
    past = time.time() - SECONDS_UNTIL_SILENT - 1
    os.utime(file, (past, past))


def test_a_job_that_lives_on_another_machine_is_waited_for(folders):
    half = folders[0].parent / "results" / ".metrics.json.7-0123abcd.tmp"
    half.parent.mkdir()
    half.touch()
    record(folders[1], 7, host="node7", place="node7 pid:[1]")
    (told,) = takeover.take_over(*folders)
    assert "`brainmri crop` (process 7, " in told and "on node7 " in told and "goes on in 90 s." in told
    assert half.exists() and (folders[0] / "locks/0.output.lock").exists()
    # No word of an end: it is dead once it is silent.
    takeover.HELD.clear()
    silent(folders[1] / "crop.jsonl")
    assert "unlocked" in takeover.take_over(*folders)[0]
    assert not half.exists()


def test_a_run_that_lives_on_another_machine_is_waited_for(folders):
    other = sign(folders[0], place="login2 pid:[1]", pid=9)
    (told,) = takeover.take_over(*folders)
    assert "Snakemake (process 9) gave a sign of life on login2 " in told
    assert (folders[0] / "locks/0.output.lock").exists()
    takeover.HELD.clear()
    silent(other)
    assert "unlocked" in takeover.take_over(*folders)[0]
    assert not other.exists()


def test_a_clock_that_is_wrong_takes_no_live_run_for_dead(folders, monkeypatch):
    sign(folders[0], place="login2 pid:[1]", pid=9)
    ahead = time.time() + 300
    monkeypatch.setattr(time, "time", lambda: ahead)
    (told,) = takeover.take_over(*folders)
    assert "Snakemake (process 9) gave a sign of life on login2 0 s ago" in told
    assert (folders[0] / "locks/0.output.lock").exists()


def test_of_two_machines_seconds_apart_none_takes_what_the_other_holds(folders, monkeypatch):
    """The first waits for an orphan when the second begins; their locks of the file system do not meet."""
    monkeypatch.setattr(takeover.fcntl, "flock", lambda *_: None)
    locks, held = folders[0] / "locks", {}

    def on(machine: str) -> None:
        for name in ("takeover", "brainmri.training.lock", "brainmri.training.beat", "brainmri.processes"):
            monkeypatch.setattr(f"{name}.place", lambda: f"{machine} pid:[1]")

    def slow(_):
        on("login2")
        held["told"] = takeover.take_over(*folders)
        held["signs"] = set((folders[0] / RUNS).glob("*.json"))
        # What its Snakemake does next where it wants other files, or where the first was faster.
        (locks / "0.output.lock").unlink()
        (locks / "0.output.lock").write_text("the second's")
        on("login1")
        return [], None

    on("login1")
    monkeypatch.setattr(takeover, "ended", slow)
    (told,) = takeover.take_over(*folders)
    assert "stays locked" in told and "on login2 " in told
    assert "stays locked" in held["told"][0] and "on login1 " in held["told"][0]
    assert (locks / "0.output.lock").read_text() == "the second's"
    assert len(held["signs"]) == 2 and set((folders[0] / RUNS).glob("*.json")) == held["signs"]


def test_a_lock_that_came_while_a_run_was_taken_over_stays(folders, monkeypatch):
    lock = folders[0] / "locks" / "0.output.lock"

    def slow(_):
        lock.unlink()
        lock.write_text("of a run that began since")
        return [], None

    monkeypatch.setattr(takeover, "ended", slow)
    takeover.take_over(*folders)
    assert lock.exists()


def refusing(error: int, operation: int = 0):
    """Return a `flock` of a file system that refuses."""
    real = fcntl.flock

    def flock(file, wanted):
        if wanted & operation == operation:
            raise OSError(error, os.strerror(error))
        return real(file, wanted)

    return flock


# As NFS does (flock(2)): in common only what is open for reading.
NFS = """
import errno, fcntl, os
real = fcntl.flock
def flock(file, operation):
    if operation & fcntl.LOCK_SH and fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY:
        raise OSError(errno.EBADF, "Bad file descriptor")
    return real(file, operation)
fcntl.flock = flock
"""


def test_a_live_run_holds_its_lock_on_nfs_too(folders):
    command = [sys.executable, "-c", NFS + ALIVE, ROOT / "workflow", *folders]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        other.stdout.readline()
        (folders[0] / "locks/0.output.lock").touch()
        for file in (folders[0] / RUNS).glob("*.json"):
            file.unlink()
        assert takeover.take_over(*folders) == []
        other.kill()
    assert (folders[0] / "locks/0.output.lock").exists()


@pytest.mark.parametrize("error", [None, errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_run_that_lives_here_is_known_by_its_signs_where_locks_fail(folders, monkeypatch, error):
    if error:
        monkeypatch.setattr(fcntl, "flock", refusing(error))
    # It began before this one; the file system has lost its lock, or knows none.
    monkeypatch.setattr(takeover, "identity", lambda: identity() | {"started": "9" * 18})
    with subprocess.Popen(["sleep", "60"]) as other:
        sign(folders[0], pid=other.pid, started=start_time(other.pid))
        assert takeover.take_over(*folders) == []
        assert (folders[0] / "locks/0.output.lock").exists()
        takeover.HELD.clear()
        other.kill()
    # Dead, it is in nobody's way.
    assert "unlocked" in takeover.take_over(*folders)[0]


def test_of_two_that_begin_at_once_on_one_machine_one_goes_on(folders):
    # It has given its sign, and finds the lock taken.
    with subprocess.Popen(["sleep", "60"]) as later:
        sign(folders[0], pid=later.pid, started=start_time(later.pid))
        assert "unlocked" in takeover.take_over(*folders)[0]
        assert len(runs_at_work(folders[0])) == 2
        later.kill()


def test_a_lock_that_is_refused_for_no_known_reason_is_told(folders, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", refusing(errno.EIO, fcntl.LOCK_SH))
    assert "brainmri.alive cannot be locked" in takeover.take_over(*folders)[-1]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start the processes of two users")
def test_another_persons_job_that_runs_on_is_told_and_left_alone():
    with tempfile.TemporaryDirectory() as place_for_all, subprocess.Popen(["sleep", "60"]) as orphan:
        home = Path(place_for_all)
        (home / ".snakemake" / "locks").mkdir(parents=True)
        lock = home / ".snakemake" / "locks" / "0.output.lock"
        lock.touch()
        record(home / "logs", orphan.pid)
        for path in (home, *home.rglob("*")):
            path.chmod(0o777)
        if (child := os.fork()) == 0:
            try:
                os.setgid(65534)
                os.setuid(65534)
                takeover.SECONDS_TO_END = 0.1
                told = takeover.take_over(home / ".snakemake", home / "logs")
            except BaseException as error:
                told = [repr(error)]
            (home / "told").write_text("\n".join(told))
            os._exit(0)
        os.waitpid(child, 0)
        told = (home / "told").read_text()
        assert f"process {orphan.pid}" in told and "still runs for root, so this folder stays locked" in told
        assert lock.exists() and orphan.poll() is None
        orphan.kill()


def test_a_run_gives_signs_of_life_until_it_ends(folders):
    often = "import takeover; from brainmri import signs; signs.SECONDS_BETWEEN_SIGNS = 0.05"
    code = ALIVE.replace("from takeover", f"{often}\nfrom takeover")
    # As Snakemake does, it takes relative paths, and is elsewhere when it ends.
    code = code.replace("time.sleep(60)", "input(); import os; os.chdir('/')")
    command = [sys.executable, "-c", code, ROOT / "workflow", *(folder.name for folder in folders)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=folders[0].parent, **pipes) as other:
        other.stdout.readline()
        ((file, told),) = runs_at_work(folders[0])
        assert told["pid"] == other.pid and told["place"] == place()
        silent(file)
        until = time.monotonic() + 20
        while time.time() - file.stat().st_mtime > SECONDS_UNTIL_SILENT:
            assert time.monotonic() < until
            time.sleep(0.05)
        # One that was taken away comes again.
        file.unlink()
        while not file.exists():
            assert time.monotonic() < until
            time.sleep(0.05)
        other.communicate("\n")
        assert other.wait(timeout=20) == 0
    assert not file.exists()
    # One that was killed could not take its sign away, which says nothing on its own machine.
    sign(folders[0], pid=other.pid)
    assert runs_at_work(folders[0]) == []


def test_without_a_lock_nobody_is_touched(folders):
    (folders[0] / "locks/0.output.lock").unlink()
    with subprocess.Popen(["sleep", "60"]) as job:
        record(folders[1], job.pid)
        assert takeover.take_over(*folders) == []
        time.sleep(0.1)
        assert job.poll() is None
        job.kill()
