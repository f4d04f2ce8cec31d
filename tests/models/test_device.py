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


def page_faults(before):
    """Return the page faults of ten large tensors, one after another, in a process of their own."""
    program = FAULTS.format(before=before)
    return int(subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told to keep memory")
def test_tensors_take_the_memory_of_those_before():
    assert page_faults("resolve_device('cpu')") < 100
    assert page_faults("") > 1000  # as else: every tensor's pages are new
