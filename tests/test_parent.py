"""A job ends when the workflow does that waits for it."""

import os
import signal
import subprocess
import sys
import time

import pytest

from brainmri.parent import VARIABLE

JOB = """
import time
from brainmri.parent import ending_with_workflow
with ending_with_workflow():
    print("at work", flush=True)
    time.sleep(float(%r))
print("done")
"""


def job(pid: int | str, seconds: float, waits: bool = True) -> subprocess.Popen:
    """Start a job that follows a process, and wait until it is at work."""
    command = [sys.executable, "-c", JOB % seconds]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {VARIABLE: str(pid)}
    )
    assert not waits or process.stdout.readline() == "at work\n"
    return process


def test_it_ends_when_the_workflow_is_killed():
    workflow = subprocess.Popen(["sleep", "60"])
    follower = job(workflow.pid, 60)
    time.sleep(0.6)
    assert follower.poll() is None
    workflow.kill()
    workflow.wait()
    assert follower.wait(timeout=10) == -signal.SIGTERM


def test_it_ends_where_the_workflow_had_ended_before():
    workflow = subprocess.Popen(["true"])
    workflow.wait()
    # It may end before it says a word.
    assert job(workflow.pid, 60, waits=False).wait(timeout=10) == -signal.SIGTERM


@pytest.mark.parametrize("told", ["", "0", "1", "none", "-5"])
def test_it_follows_nobody_where_nothing_is_told(told):
    process = job(told, 0.2)
    assert process.wait(timeout=10) == 0
    assert process.stdout.read() == "done\n"


def test_it_comes_to_its_end_beside_a_live_workflow():
    assert job(os.getpid(), 0.2).wait(timeout=10) == 0
