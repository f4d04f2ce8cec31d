"""A moving average of the weights, which often classifies better than the last weights do."""

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from brainmri.models.classifier import Classifier
from brainmri.training.callbacks import Callback, Run


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
        self.average = AveragedModel(model, multi_avg_fn=self.update, use_buffers=True)

    @torch.no_grad()
    def update(self, averages: list[Tensor], current: list[Tensor], _) -> None:
        """Move the averages towards the current weights; each call has tensors of one type."""
        share = 1 - min(self.decay, (1 + self.steps) / (10 + self.steps))
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, current, share)
        else:
            torch._foreach_copy_(averages, current)

    def on_epoch_begin(self, run: Run) -> None:
        run.averaged = self.average.module

    def on_batch_end(self, run: Run) -> None:
        self.steps += 1
        self.average.update_parameters(run.model)

    def state(self) -> dict:
        return {"steps": self.steps, "average": self.average.state_dict()}

    def restore(self, state: dict) -> None:
        self.steps = state["steps"]
        self.average.load_state_dict(state["average"])
