"""The device's side effects on a process: memory that is freed is used again."""

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, torch
from brainmri.models.device import resolve_device
{before}
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.zeros(16 * 2**20)  # 64 MiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""


RETURNED = """
import torch
from brainmri.models.device import resolve_device, return_freed_memory
def megabytes():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 2**20
resolve_device("cpu")
for _ in range(3):
    tensors = [torch.ones(4 * 2**20) for _ in range(16)]  # 256 MiB
    last = tensors.pop()
    del tensors
kept = megabytes()
return_freed_memory()
print(round(kept - megabytes()))
"""
pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc can be told to keep memory"
)


def told(program):
    """Return the number that a program prints, in a process of its own."""
    return int(subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout)


def page_faults(before):
    """Return the page faults of ten large tensors, one after another."""
    return told(FAULTS.format(before=before))


def test_tensors_take_the_memory_of_those_before():
    assert page_faults("resolve_device('cpu')") < 100
    assert page_faults("") > 1000  # as else: every tensor's pages are new


def test_what_was_kept_is_returned_when_asked_for():
    assert told(RETURNED) > 200
