"""From a recipe and data to a network, its loss and its optimiser, ready for the first epoch."""

import sys
from dataclasses import replace
from pathlib import Path

import torch

from brainmri.models.build import build_model
from brainmri.models.classifier import Classifier
from brainmri.training.arithmetic import Arithmetic
from brainmri.training.callbacks import History, TrainingState
from brainmri.training.choice import choose_arithmetic
from brainmri.training.criterion import Criterion
from brainmri.training.features import can_cache_features, feature_feed
from brainmri.training.feeds import Feed, ImageFeed
from brainmri.training.grouped import keep_grouped_in_fp32
from brainmri.training.image_sources import image_source
from brainmri.training.loop import fit
from brainmri.training.optimizers import make_optimizer
from brainmri.training.parts import TrainingData, class_weights, measure_normalisation
from brainmri.training.plan import Plan
from brainmri.training.ranks import Ranks
from brainmri.training.recipe import Recipe
from brainmri.training.schedules import Schedule
from brainmri.training.settings import ScheduleSettings


def make_network(data: TrainingData, recipe: Recipe, seed: int, weights_dir: Path) -> Classifier:
    """Return the network with its first weights and its normalisation, on the CPU."""
    torch.manual_seed(seed)
    network = build_model(recipe, len(data.classes), weights_dir)
    if network.mean is None:
        network.mean, network.std = measure_normalisation(data)
    network.freeze(body=recipe.freeze_body, batch_norm=recipe.freeze_batch_norm)
    return network


def make_plan(
    data: TrainingData,
    network: Classifier,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    cache_dir: Path | None,
    ranks: Ranks,
    before: Arithmetic | None = None,
) -> Plan:
    """Choose the arithmetic, bring the network to the device, and return what stays the same from here on.

    A training that goes on does so in the arithmetic of `before`.
    """
    source = image_source(data, device)
    feed: Feed = ImageFeed(data, source, network, recipe, seed, device, ranks)
    steps = len(feed.sizes) * recipe.epochs
    keep_grouped_in_fp32(network)
    arithmetic = before or ranks.agreed(
        lambda: choose_arithmetic(
            recipe, network, device, steps, cache_dir, tell=tell_people(ranks), world=ranks.world
        )
    )
    network.to(device, memory_format=arithmetic.memory_format)
    if can_cache_features(recipe):
        feed = feature_feed(data, source, network, recipe, seed, device, arithmetic, ranks)
    weights = None
    if recipe.class_weights == "balanced":
        weights = torch.from_numpy(class_weights(data.train.labels, len(data.classes))).to(device)
    criterion = Criterion(weights, recipe.label_smoothing).to(device)
    return Plan(recipe, data, source, feed, criterion, seed, device, arithmetic, ranks)


def make_run(network: Classifier, plan: Plan) -> TrainingState:
    """Return the state of a training before its first step."""
    recipe = plan.recipe
    part = plan.ranks.with_common_statistics(plan.feed.part(network), plan.device)
    if plan.arithmetic.compiled:
        part.compile(dynamic=False)
    return TrainingState(
        network,
        plan.ranks.together(part, plan.device),
        make_optimizer(network, recipe.optimizer),
        torch.amp.GradScaler(plan.device.type, enabled=plan.arithmetic.precision == "fp16"),
        recipe.epochs,
        len(plan.feed.sizes),
        micro_batch=recipe.micro_batch,
    )


def probe_head(network: Classifier, plan: Plan) -> list[dict[str, float]]:
    """Train the head alone on features of the body as loaded, and return the rows of the history.

    Its epochs count up to 0, where the training proper begins. It is short, so that a training that is
    killed meanwhile begins it anew.
    """
    settings = plan.recipe.linear_probe
    if settings.epochs == 0:
        return []
    recipe = replace(
        plan.recipe,
        epochs=settings.epochs,
        freeze_body=True,
        optimizer=replace(plan.recipe.optimizer, learning_rate=settings.learning_rate),
        schedule=ScheduleSettings(name="cosine"),
    )
    network.freeze(body=True, batch_norm=plan.recipe.freeze_batch_norm)
    feed = feature_feed(
        plan.data, plan.source, network, recipe, plan.seed, plan.device, plan.arithmetic, plan.ranks
    )
    probe = replace(plan, recipe=recipe, feed=feed, arithmetic=replace(plan.arithmetic, compiled=False))
    run = make_run(network, probe)
    run.phase = "probe"
    rates = [group["lr"] for group in run.optimizer.param_groups]
    history = History()
    fit(run, probe, [Schedule(recipe.schedule, rates), history])
    network.freeze(body=plan.recipe.freeze_body, batch_norm=plan.recipe.freeze_batch_norm)
    last = history.rows[-1]
    tell_people(plan.ranks)(
        f"linear probe, {settings.epochs} epochs: train loss {last['train_loss']:.4f}, "
        f"val loss {last['val_loss']:.4f}, accuracy {last['val_accuracy']:.4f}"
    )
    return [{**row, "epoch": row["epoch"] - settings.epochs} for row in history.rows]


def tell_people(ranks: Ranks):
    """Return a function that prints a line to stderr, in one of the processes."""
    return (lambda line: print(line, file=sys.stderr)) if ranks.writes else (lambda line: None)
