"""One training from its order to its artefacts: the network, the loop, what is kept and what is written."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median

import pandas as pd
import pyarrow as pa
import torch

from brainmri.artefacts import write_parquet
from brainmri.code import code_of
from brainmri.digests import digest_of, file_digest, inputs_digest
from brainmri.errors import BrainmriError
from brainmri.models.build import weights_digest
from brainmri.models.device import device_name, resolve_device
from brainmri.models.saved import library_versions, save_model
from brainmri.training.arithmetic import Arithmetic, allowed
from brainmri.training.averaging import AverageWeights
from brainmri.training.callbacks import Callback, EarlyStopping, History, KeepBest, Progress
from brainmri.training.checkpoint import Checkpoint, checkpoint_path
from brainmri.training.interruption import Interruption
from brainmri.training.lock import locked
from brainmri.training.loop import fit
from brainmri.training.monitor import DeviceUsage, TensorBoardEvents
from brainmri.training.order import TrainingOrder
from brainmri.training.parts import load_data
from brainmri.training.plan import Plan
from brainmri.training.prepare import make_network, make_plan, make_run, probe_head, tell_people
from brainmri.training.ranks import ALONE, Ranks
from brainmri.training.schedules import Schedule

HISTORY_SCHEMA = pa.schema(
    [
        ("epoch", pa.int64()),
        ("train_loss", pa.float64()),
        ("val_loss", pa.float64()),
        ("train_accuracy", pa.float64()),
        ("val_accuracy", pa.float64()),
        ("val_macro_f1", pa.float64()),
        ("learning_rate", pa.float64()),
        ("seconds", pa.float64()),
        ("images_per_second", pa.float64()),
        ("phase", pa.string()),
    ]
)


def conduct(order: TrainingOrder, ranks: Ranks = ALONE) -> None:
    """Carry out a training; where several processes train together, each calls this.

    Raises
    ------
    BrainmriError
        As `brainmri.training.train.train` does.
    """
    place = resolve_device(order.device, order.threads)
    target = checkpoint_path(order.checkpoint_dir, order.model)
    with (
        only_here(target, order.model, ranks),
        deterministic(place, order.recipe.deterministic),
        Interruption() as interruption,
    ):
        carry_out(order, place, target, interruption, ranks)


def carry_out(
    order: TrainingOrder, place: torch.device, target: Path, interruption: Interruption, ranks: Ranks
) -> None:
    """Train, and write what came of it."""
    # Not in the order's recipe, whose state the next start asks for.
    recipe = replace(order.recipe, micro_batch=order.largest_part or order.recipe.micro_batch)
    data = load_data(order.manifest, order.images, recipe.image_size)
    network = make_network(data, recipe, order.seed, order.weights_dir)
    initial = weights_digest(recipe, order.weights_dir, network)
    mark = ranks.agreed(lambda: fingerprint(order, place, ranks, initial))
    kept = Checkpoint(target, mark, [], interruption, ranks)
    left = kept.found()
    before = Arithmetic(**left["arithmetic"]) if left else None
    plan = make_plan(data, network, recipe, order.seed, place, order.cache_dir, ranks, before)
    kept.arithmetic = plan.arithmetic
    history = History([] if left else probe_head(network, plan))
    run = make_run(network, plan)
    schedule = Schedule(recipe.schedule, [group["lr"] for group in run.optimizer.param_groups])
    best = KeepBest(recipe.checkpoint.monitor)
    averaging = [AverageWeights(network, recipe.ema)] if recipe.ema else []
    stopping = [EarlyStopping(recipe.early_stopping)] if recipe.early_stopping else []
    usage = DeviceUsage(place, ranks)
    kept.callbacks = [*averaging, schedule, best, *stopping, history, usage]
    if left:
        kept.take_up(run, left)
        after = f", step {run.step} of {run.steps}" if run.step else ""
        tell_people(ranks)(f"resuming after epoch {run.epoch} of {run.epochs}{after}")
    interruption.awaited = True
    with watched_by(order, ranks) as watching:
        fit(run, plan, [*kept.callbacks, *watching, kept])
    used = usage.facts()
    if ranks.writes:
        network.load_trained_state(best.weights)
        write_history(history.rows, order)
        save_model(
            network,
            order.model,
            order.metadata,
            recipe=order.recipe,
            classes=data.classes,
            crop=asdict(order.crop),
            manifest_digest=file_digest(order.manifest),
            facts={
                "initial_weights_sha256": initial,
                **run_facts(order, plan, run.micro_batch, best, history.rows),
                **used,
            },
        )
    kept.remove()


@contextmanager
def watched_by(order: TrainingOrder, ranks: Ranks) -> Iterator[list[Callback]]:
    """Return the callbacks that tell people how it goes; one of the processes has them."""
    events = TensorBoardEvents(order.events) if order.events and ranks.writes else None
    try:
        yield [*([Progress()] if ranks.writes else []), *([events] if events else [])]
    finally:
        if events:
            events.close()


@contextmanager
def only_here(target: Path, model: Path, ranks: Ranks) -> Iterator[None]:
    """Lock the training, in the first of the processes; the others wait until it has the lock."""
    if not ranks.writes:
        ranks.wait()
        yield
        return
    with locked(target, model):
        ranks.wait()
        yield


@contextmanager
def deterministic(device: torch.device, wanted: bool) -> Iterator[None]:
    """Let torch use none but deterministic algorithms: on a CPU always, on CUDA where that is wanted.

    Raises
    ------
    BrainmriError
        If a layer has no deterministic algorithm on CUDA.
    """
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    fill, tuned = torch.utils.deterministic.fill_uninitialized_memory, torch.backends.cudnn.benchmark
    strict = wanted or device.type == "cpu"
    # cuBLAS reads this when it starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(strict)
    # Trying convolution algorithms out may choose another one next time.
    torch.backends.cudnn.benchmark = not strict
    # No kernel here reads memory that it has not written; filling it would cost a pass over every result.
    torch.utils.deterministic.fill_uninitialized_memory = False
    try:
        yield
    except RuntimeError as error:
        if "deterministic" not in str(error):
            raise
        reason = str(error).splitlines()[0]
        raise BrainmriError(f"{reason} Set deterministic: false, or take another architecture.") from error
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.utils.deterministic.fill_uninitialized_memory = fill
        torch.backends.cudnn.benchmark = tuned


def fingerprint(order: TrainingOrder, place: torch.device, ranks: Ranks, initial: str | None) -> str:
    """Return a digest of all that the weights follow from: recipe, data, code, and what runs it.

    `initial` is the digest of the weights that the body begins with. Of the arithmetic, what there is to
    choose from: which it was stands in the state, so that a training goes on as it began, whether or not the
    choice is remembered.
    """
    return digest_of(
        {
            "recipe": asdict(order.recipe),
            "seed": order.seed,
            "manifest": file_digest(order.manifest),
            "images": file_digest(order.images),
            "initial_weights": initial,
            "code": inputs_digest(code_of("brainmri.training.conduct")),
            "versions": library_versions(),
            "device": place.type,
            "arithmetics": [str(one) for one in allowed(order.recipe, place)],
            "devices": ranks.world,
            # A GPU's sums do not depend on them.
            "threads": torch.get_num_threads() if place.type == "cpu" else None,
        }
    )


def write_history(rows: list[dict], order: TrainingOrder) -> None:
    """Write one row an epoch."""
    write_parquet(
        pd.DataFrame(rows)[HISTORY_SCHEMA.names],
        order.history,
        config={"recipe": asdict(order.recipe), "seed": order.seed},
        inputs=[order.manifest, order.images],
        schema=HISTORY_SCHEMA,
    )


def run_facts(
    order: TrainingOrder, plan: Plan, micro_batch: int | None, best: KeepBest, rows: list[dict]
) -> dict:
    """Return what the training found out about itself, for `model.json`."""
    trained = [row for row in rows if row["phase"] == "train"]
    return {
        "seed": plan.seed,
        "train_images": len(plan.data.train),
        "val_images": len(plan.data.val),
        "device": device_name(plan.device),
        "devices": plan.ranks.world,
        "threads": torch.get_num_threads(),
        "precision": plan.arithmetic.precision,
        "channels_last": plan.arithmetic.channels_last,
        "compiled": plan.arithmetic.compiled,
        "micro_batch": micro_batch or order.recipe.batch_size,
        "epochs": len(trained),
        "best_epoch": best.best_epoch,
        "best_by": best.monitor,
        "seconds": sum(row["seconds"] for row in rows),
        "images_per_second": median(row["images_per_second"] for row in trained),
    }
