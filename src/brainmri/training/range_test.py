"""The learning-rate range test (Smith 2017, arXiv 1506.01186): the loss while the rate rises step by step."""

from itertools import count

import numpy as np
import pandas as pd

from brainmri.models.classifier import Classifier
from brainmri.progress import progress
from brainmri.training.loop import seed_torch, step_seed
from brainmri.training.plan import Plan
from brainmri.training.prepare import make_run
from brainmri.training.steps import take_step

# The share that the past keeps in the smoothed loss: as far back as a tenth of the default number of steps.
SMOOTHING = 0.95
# Beyond this multiple of the lowest smoothed loss the training has diverged; there is nothing more to see.
DIVERGED = 4.0
# Too few steps to say where the loss falls.
FEWEST_STEPS = 5


def range_test(network: Classifier, plan: Plan, lowest: float, highest: float, steps: int) -> pd.DataFrame:
    """Train for some steps, the head's rate rising evenly in its logarithm, and note the loss of each.

    The other rates (of the body, of its layers) keep their ratio to the head's.

    Parameters
    ----------
    network
        The network, which is spoilt by this.
    plan
        What to train on, and how.
    lowest, highest
        The first and the last rate.
    steps
        Steps at most; fewer where the loss diverges.

    Returns
    -------
    DataFrame
        `step`, `learning_rate`, `loss` (of the step's batch, before its update), `smoothed_loss`.
    """
    run = make_run(network, plan)
    ratios = [group["lr"] / run.learning_rate for group in run.optimizer.param_groups]
    rates = np.geomspace(lowest, highest, steps)
    rows, average, least = [], 0.0, np.inf
    network.train()
    batches = (batch for epoch in count() for batch in plan.feed.training(epoch))
    with progress(total=steps, description="learning rates", unit="step") as bar:
        for step, (rate, batch) in enumerate(zip(rates, batches, strict=False)):
            for group, ratio in zip(run.optimizer.param_groups, ratios, strict=True):
                group["lr"] = rate * ratio
            seed_torch(step_seed(plan.seed, 0, step, 0), plan.device)
            run.start_sums(plan.device)
            take_step(run, plan, *batch)
            loss = float(run.loss_sum) / run.seen
            average = SMOOTHING * average + (1 - SMOOTHING) * loss
            smoothed = average / (1 - SMOOTHING ** (step + 1))
            if not np.isfinite(loss) or (step >= FEWEST_STEPS and smoothed > DIVERGED * least):
                break
            least = min(least, smoothed)
            rows.append((step, rate, loss, smoothed))
            bar.update()
    return pd.DataFrame(rows, columns=["step", "learning_rate", "loss", "smoothed_loss"])


def suggested_rate(table: pd.DataFrame) -> float | None:
    """Return the rate at which the smoothed loss falls most steeply; None where it never falls.

    Where it falls is before its lowest point; at the lowest point itself training is about to diverge.
    """
    falling = table.loc[: table["smoothed_loss"].idxmin()] if len(table) else table
    if len(falling) < FEWEST_STEPS:
        return None
    slope = np.gradient(falling["smoothed_loss"], np.log(falling["learning_rate"]))
    return float(falling["learning_rate"].iloc[int(slope.argmin())]) if slope.min() < 0 else None
