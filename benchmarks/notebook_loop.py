"""The training loop of the reference systems, for `train_speed.py`: a process that runs steps when told to.

ImageFolder, PIL transforms, a DataLoader with two workers, fp32, and `.item()` after every batch. It is a
process of its own, so that nothing of ours, such as the memory that is kept, changes it; and it is stopped
while it is not its turn, with its workers, which else would load ahead in the others' time.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from brainmri.models.build import build_model
from brainmri.training.recipe import recipe_from


class NotebookLoop:
    """The other side: starts the process, and lets it run so many steps.

    Parameters
    ----------
    folder
        A folder a class.
    settings
        The recipe as in a configuration; of it, architecture, size and batch size.
    device
        Where it trains.
    """

    def __init__(self, folder: Path, settings: dict, device: torch.device):
        order = json.dumps({"folder": str(folder), "settings": settings, "device": str(device)})
        self.process = subprocess.Popen(
            [sys.executable, __file__, order], text=True, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self.process.stdout.readline()
        self.tell(signal.SIGSTOP)

    def tell(self, number: signal.Signals) -> None:
        """Send a signal to the process and its workers."""
        os.killpg(self.process.pid, number)

    def __call__(self, steps: int) -> None:
        """Run so many steps."""
        self.tell(signal.SIGCONT)
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        if not self.process.stdout.readline():
            raise SystemExit("the notebook's loop ended before its time; its message is above")
        self.tell(signal.SIGSTOP)

    def close(self) -> None:
        """End the process and its workers."""
        self.tell(signal.SIGKILL)
        self.process.wait()


def main(folder: str, settings: dict, device: str) -> None:
    """Train as a notebook does, so many steps for every line that comes in, and say when they are done."""
    recipe = recipe_from(settings)
    seen = transforms.Compose(
        [
            transforms.Grayscale(),
            transforms.Resize((recipe.image_size, recipe.image_size)),
            transforms.RandomHorizontalFlip(),
            transforms.RandomAffine(10, translate=(0.05, 0.05), scale=(0.9, 1.1)),
            transforms.ToTensor(),
            transforms.Normalize([0.5], [0.5]),
        ]
    )
    loader = DataLoader(
        datasets.ImageFolder(folder, seen), recipe.batch_size, shuffle=True, num_workers=2,
        persistent_workers=True, drop_last=True, pin_memory=device.startswith("cuda"),
    )  # fmt: skip
    model = build_model(recipe, len(loader.dataset.classes)).to(device).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    batches = iter(loader)
    running = 0.0
    print("ready", flush=True)
    for line in sys.stdin:
        for _ in range(int(line)):
            try:
                images, labels = next(batches)
            except StopIteration:
                batches = iter(loader)
                images, labels = next(batches)
            images, labels = images.to(device), labels.to(device)
            optimizer.zero_grad()
            logits = model(images)
            loss = nn.functional.cross_entropy(logits, labels)
            loss.backward()
            optimizer.step()
            running += loss.item() + (logits.argmax(1) == labels).sum().item()
        print("done", flush=True)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
