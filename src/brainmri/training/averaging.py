"""A moving average of the weights, which often classifies better than the last weights do."""

from collections.abc import Iterable
from copy import deepcopy

import torch

from brainmri.models.classifier import Classifier
from brainmri.training.callbacks import Callback, TrainingState


class AverageWeights(Callback):
    """Keeps `run.averaged`: the average of the weights so far, each step's share falling off with time.

    The decay is min(decay, (1 + t) / (10 + t)) at step t, so that the random first weights are soon
    forgotten (as TensorFlow's ExponentialMovingAverage does). Statistics of batch norm are averaged too.

    Parameters
    ----------
    model
        The network.
    decay
        Share of the average that is kept at each step, in the long run.
    """

    def __init__(self, model: Classifier, decay: float):
        self.decay = decay
        self.steps = 0
        self.average = deepcopy(model).requires_grad_(False)
        # What is blended and what is copied, the average's tensors and the network's: found once, for to walk
        # through a network takes longer than a short step.
        pairs = list(zip(tensors_of(self.average), tensors_of(model), strict=True))
        self.blended = beside([pair for pair in pairs if pair[0].is_floating_point()])
        self.copied = beside([pair for pair in pairs if not pair[0].is_floating_point()])

    def on_epoch_begin(self, run: TrainingState) -> None:
        run.averaged = self.average

    @torch.no_grad()
    def on_batch_end(self, run: TrainingState) -> None:
        # Not torch's AveragedModel, which counts on the host and waits for the device at every step.
        self.steps += 1
        share = 1 - min(self.decay, (1 + self.steps) / (10 + self.steps)) if self.steps > 1 else 1.0
        torch._foreach_lerp_(*self.blended, share)
        if self.copied[0]:
            torch._foreach_copy_(*self.copied)

    def state(self) -> dict:
        return {"steps": self.steps, "average": self.average.trained_state()}

    def restore(self, state: dict) -> None:
        self.steps = state["steps"]
        self.average.load_trained_state(state["average"])


def beside(pairs: list[tuple[torch.Tensor, torch.Tensor]]) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Return the first of all pairs, and the second."""
    return [first for first, _ in pairs], [second for _, second in pairs]


def tensors_of(model: Classifier) -> Iterable[torch.Tensor]:
    """Return what training changes of a network: weights, and the statistics of batch norm."""
    return model.trained_state().values()
