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


def test_a_card_that_torch_cannot_use_is_told_once_and_a_hidden_one_is_not(monkeypatch, capsys):
    import pynvml
    import torch

    from brainmri.models import device

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_75", "sm_120", "compute_120"])
    monkeypatch.setattr(torch.version, "cuda", "13.2")
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: 1)
    monkeypatch.setattr(pynvml, "nvmlSystemGetDriverVersion", lambda: "535.104")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    device.tell_of_unused_cards.cache_clear()
    for _ in range(2):
        assert device.resolve_device("auto").type == "cpu"
    told = capsys.readouterr().err
    assert told.count("warning") == 1
    assert "driver 535.104" in told and "CUDA 13.2 and compute capability 7.5 or more" in told
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    device.tell_of_unused_cards.cache_clear()
    device.resolve_device("auto")
    assert capsys.readouterr().err == ""
    device.tell_of_unused_cards.cache_clear()
