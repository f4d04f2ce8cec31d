"""The scores of an epoch on the validation part, and which of two is better."""

import math

import numpy as np
import torch
from torch.nn import functional

from brainmri.models.classifier import Classifier
from brainmri.training.batches import evaluation_batches
from brainmri.training.parts import TrainingData
from brainmri.training.precision import autocast


def validate(model: Classifier, data: TrainingData, device: torch.device, precision: str) -> dict[str, float]:
    """Return `val_loss`, `val_accuracy` and `val_macro_f1` of the model as it is.

    The loss is the plain cross-entropy, without label smoothing or class weights, so that it means the
    same for every recipe.
    """
    model.eval()
    logits = []
    with torch.inference_mode(), autocast(precision, device):
        for images, _ in evaluation_batches(data.images, data.val, model, device):
            logits.append(model(images).float())
    logits = torch.cat(logits).cpu()
    labels = torch.from_numpy(data.val.labels)
    predicted = logits.argmax(dim=1)
    return {
        "val_loss": functional.cross_entropy(logits, labels).item(),
        "val_accuracy": (predicted == labels).double().mean().item(),
        "val_macro_f1": macro_f1(data.val.labels, predicted.numpy(), len(data.classes)),
    }


def macro_f1(labels: np.ndarray, predicted: np.ndarray, class_count: int) -> float:
    """Return the mean F1 over the classes that occur among the labels."""
    confusion = np.bincount(labels * class_count + predicted, minlength=class_count**2)
    confusion = confusion.reshape(class_count, class_count)
    truly, called = confusion.sum(axis=1), confusion.sum(axis=0)
    f1 = 2 * np.diag(confusion) / np.maximum(truly + called, 1)
    return float(f1[truly > 0].mean())


def is_better(monitor: str, value: float, best: float | None, minimum_delta: float = 0.0) -> bool:
    """Say whether `value` improves on `best` by more than `minimum_delta`; losses fall, the rest rises."""
    if math.isnan(value):
        return False
    if best is None:
        return True
    return value < best - minimum_delta if monitor.endswith("loss") else value > best + minimum_delta
