"""What a training can be watched by: events for TensorBoard, peak memory and energy."""

import resource
from collections.abc import Callable
from pathlib import Path

import torch

from brainmri.training.callbacks import Callback, TrainingState
from brainmri.training.ranks import ALONE, Ranks

# Name in TensorBoard, which groups by what comes before the slash: column of the history.
TAGS = {
    "loss/train": "train_loss",
    "loss/val": "val_loss",
    "accuracy/train": "train_accuracy",
    "accuracy/val": "val_accuracy",
    "macro_f1/val": "val_macro_f1",
    "training/learning_rate": "learning_rate",
    "training/images_per_second": "images_per_second",
}


class TensorBoardEvents(Callback):
    """Writes the scores of every epoch as events that `tensorboard --logdir` shows.

    A training that goes on after a kill says from which epoch on the points before it no longer hold, so
    that none is shown twice, even where the kill came between an epoch's events and its checkpoint.

    Parameters
    ----------
    folder
        Where the event files lie; one folder a training.
    """

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self.writer = None

    def on_epoch_begin(self, run: TrainingState) -> None:
        self.open(run.epoch + 1)

    def on_epoch_end(self, run: TrainingState) -> None:
        self.open(run.epoch)
        for tag, name in TAGS.items():
            if name in run.scores:
                self.writer.add_scalar(tag, run.scores[name], run.epoch)
        self.writer.flush()

    def open(self, epoch: int) -> None:
        """Open the events of a process whose first epoch is `epoch`, where that has not happened."""
        if self.writer is None:
            # Takes a second to import: only where events are asked for.
            from torch.utils.tensorboard import SummaryWriter

            self.writer = SummaryWriter(str(self.folder), purge_step=epoch)

    def close(self) -> None:
        """Close the file; nothing happens where none is open."""
        if self.writer is not None:
            self.writer.close()
            self.writer = None


class DeviceUsage(Callback):
    """Measures the peak memory and the energy of a training, kills and pauses left out.

    Parameters
    ----------
    device
        Where the arithmetic runs. On CUDA the peak is that of torch's allocations on it, and the energy that
        of the whole card, whoever else uses it. On the CPU the peak is the process's resident set, and
        nothing tells the energy.
    ranks
        Which of the processes that train together this is. The facts are those of all: the largest peak, and
        the energy of all devices.
    """

    def __init__(self, device: torch.device, ranks: Ranks = ALONE):
        self.device = device
        self.ranks = ranks
        self.peak_before = 0
        self.joules_before: float | None = 0.0
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        self.meter = energy_meter(device)
        self.started = self.meter()

    def peak_memory(self) -> int:
        """Return the peak memory in bytes, earlier processes of the same training included."""
        if self.device.type == "cuda":
            return max(self.peak_before, torch.cuda.max_memory_allocated(self.device))
        return max(self.peak_before, peak_resident_bytes())

    def energy(self) -> float | None:
        """Return the joules used here, likewise; None where a part of them is unknown."""
        now = self.meter()
        if now is None or self.started is None or self.joules_before is None:
            return None
        return self.joules_before + now - self.started

    def facts(self) -> dict[str, int | float | None]:
        """Return the entries for `model.json`; all processes must ask at the same time."""
        peaks, joules = zip(*self.ranks.told((self.peak_memory(), self.energy())), strict=True)
        return {
            "peak_memory_bytes": max(peaks),
            "energy_joules": None if None in joules else sum(joules),
        }

    def state(self) -> dict:
        return self.facts()

    def restore(self, state: dict) -> None:
        self.peak_before = state["peak_memory_bytes"]
        # What all used before is counted once.
        self.joules_before = state["energy_joules"] if self.ranks.writes else 0.0


def peak_resident_bytes() -> int:
    """Return the most memory that this process has held."""
    # Not ru_maxrss at once: Linux hands that of the parent down to a process that it starts.
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def energy_meter(device: torch.device) -> Callable[[], float | None]:
    """Return a function that gives the joules that a device has used since its driver was loaded.

    Parameters
    ----------
    device
        The device. NVML knows cards by their identity, not by torch's number, which CUDA_VISIBLE_DEVICES
        changes.

    Returns
    -------
    callable
        It gives None on the CPU, where there is no NVML, and where the card or the system refuses to tell.
    """
    if device.type != "cuda":
        return lambda: None
    try:
        import pynvml

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(device).uuid}")
    except Exception:  # no NVML, no rights, a MIG slice: a training must not fail for a figure
        return lambda: None

    def joules() -> float | None:
        try:
            return pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1000
        except pynvml.NVMLError:
            return None

    return joules
