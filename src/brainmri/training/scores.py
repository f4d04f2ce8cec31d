"""The scores of an epoch on the validation part, and which of two is better."""

import math

import numpy as np
import torch
from torch.nn import functional

from brainmri.models.classifier import Classifier
from brainmri.models.device import return_freed_memory
from brainmri.models.memory import as_many_as_fit
from brainmri.training.arithmetic import compiled_as_is, in_arithmetic
from brainmri.training.batches import EVALUATION_BATCH
from brainmri.training.plan import Plan


def validate(model: Classifier, plan: Plan) -> dict[str, float]:
    """Return `val_loss`, `val_accuracy` and `val_macro_f1` of a model as it is.

    The loss is the plain cross-entropy, without label smoothing or class weights, so that it means the
    same for every recipe.
    """
    training = model.training
    model.eval()
    plan.ranks.level(model)
    part = plan.feed.part(model)

    def outputs(batch_size: int) -> list[torch.Tensor]:
        with (
            torch.inference_mode(),
            in_arithmetic(plan.arithmetic.precision, plan.device),
            compiled_as_is(plan.arithmetic, whole=False),
        ):
            return [part(inputs).float() for inputs in plan.feed.validation(batch_size)]

    # Its batches are larger than those of training.
    return_freed_memory()
    batches = as_many_as_fit(outputs, EVALUATION_BATCH[plan.device.type], plan.device)
    return_freed_memory()
    model.train(training)
    labels = torch.from_numpy(plan.data.val.labels)
    class_count = len(plan.data.classes)
    own = torch.cat(batches) if batches else torch.empty(0, class_count)
    logits = torch.empty(len(labels), class_count)
    for rank, share in enumerate(plan.ranks.gathered(own)):
        logits[rank :: plan.ranks.world] = share
    predicted = logits.argmax(dim=1)
    return {
        "val_loss": functional.cross_entropy(logits, labels).item(),
        "val_accuracy": (predicted == labels).double().mean().item(),
        "val_macro_f1": macro_f1(plan.data.val.labels, predicted.numpy(), class_count),
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
