"""The stage `train`: one model on one manifest, from a recipe and a seed to weights and history."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import median

import pandas as pd
import pyarrow as pa
import torch
from torch import nn

from brainmri.artefacts import digest_of, file_digest, inputs_digest, write_parquet
from brainmri.code import code_of
from brainmri.errors import BrainmriError
from brainmri.images.box import CropSettings
from brainmri.models.build import build_model, weights_file
from brainmri.models.device import resolve_device
from brainmri.models.saved import save_model
from brainmri.training.batches import batch_count
from brainmri.training.callbacks import Callback, EarlyStopping, History, KeepBest, Progress, Run
from brainmri.training.checkpoint import Checkpoint, checkpoint_path, locked
from brainmri.training.loop import Plan, fit
from brainmri.training.optimizers import make_optimizer
from brainmri.training.parts import TrainingData, class_weights, load_data, measure_normalisation
from brainmri.training.precision import choose_precision
from brainmri.training.recipe import Recipe
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
    ]
)


def train(
    manifest: Path,
    images: Path,
    model: Path,
    metadata: Path,
    history: Path,
    recipe: Recipe,
    seed: int = 0,
    crop: CropSettings = CropSettings(),  # noqa: B008 (frozen)
    weights_dir: Path = Path("data/weights"),
    checkpoint_dir: Path = Path(".brainmri/checkpoints"),
    device: str = "auto",
    threads: int = 0,
) -> None:
    """Train one model: learn from the part `train`, choose the epoch by the part `val`, never see `test`.

    A training that was killed goes on after its last whole epoch when it is called again with the same
    inputs. Same inputs, same seed, same machine: the same weights to the bit on a CPU.

    Parameters
    ----------
    manifest
        The `manifest.parquet` of a split.
    images
        The packed images, of the recipe's `image_size`.
    model
        Where to write the weights (`model.safetensors`).
    metadata
        Where to write what is needed to use them (`model.json`).
    history
        Where to write one row an epoch (`history.parquet`).
    recipe
        The network and how it is trained: an entry under `models:` of the configuration.
    seed
        First weights, order, augmentation and dropout follow from it.
    crop
        How the images were cropped: recorded, so that new images are treated alike.
    weights_dir
        Where `pretrained: true` finds `{architecture}.safetensors`.
    checkpoint_dir
        Where the state of a running training is kept.
    device
        `auto` (CUDA where there is one), `cpu`, `cuda` or `cuda:1`.
    threads
        Threads of the CPU's arithmetic; 0: torch's choice.

    Raises
    ------
    BrainmriError
        If the inputs do not fit each other or the recipe, the loss stops being finite, or another process
        trains the same model.
    """
    if seed < 0:
        raise BrainmriError(f"seed is {seed}; allowed: 0 or more.")
    place = resolve_device(device, threads)
    with deterministic(place):
        data = load_data(manifest, images, recipe.image_size)
        plan, run = prepare(data, recipe, seed, weights_dir, place)
        schedule = Schedule(recipe.schedule, [group["lr"] for group in run.optimizer.param_groups])
        best, rows = KeepBest(recipe.checkpoint.monitor), History()
        stopping = [EarlyStopping(recipe.early_stopping)] if recipe.early_stopping else []
        callbacks: list[Callback] = [schedule, best, *stopping, rows]
        initial = weights_file(recipe, weights_dir)
        mark = fingerprint(manifest, images, initial, plan)
        checkpoint = Checkpoint(checkpoint_path(checkpoint_dir, model), mark, callbacks)
        with locked(checkpoint.path, model):
            if checkpoint.resume(run):
                print(f"resuming after epoch {run.epoch} of {run.epochs}", file=sys.stderr)
            fit(run, plan, [*callbacks, Progress(), checkpoint])
            run.model.load_state_dict(best.weights)
            write_history(rows.rows, history, plan, inputs=[manifest, images])
            save_model(
                run.model,
                model,
                metadata,
                recipe=recipe,
                classes=data.classes,
                crop=asdict(crop),
                manifest_digest=file_digest(manifest),
                facts=run_facts(plan, best, rows.rows, initial),
            )
            checkpoint.remove()


@contextmanager
def deterministic(device: torch.device) -> Iterator[None]:
    """Let torch use none but deterministic algorithms; on CUDA it warns where it has no such one."""
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    fill = torch.utils.deterministic.fill_uninitialized_memory
    # cuBLAS reads this when it starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=device.type == "cuda")
    # No kernel here reads memory that it has not written; filling it would cost a pass over every result.
    torch.utils.deterministic.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.utils.deterministic.fill_uninitialized_memory = fill


def prepare(
    data: TrainingData, recipe: Recipe, seed: int, weights_dir: Path, device: torch.device
) -> tuple[Plan, Run]:
    """Build the network, its loss and its optimiser, ready for the first epoch."""
    torch.manual_seed(seed)
    network = build_model(recipe, len(data.classes), weights_dir)
    if network.mean is None:
        network.mean, network.std = measure_normalisation(data)
    network.freeze(body=recipe.freeze_body, batch_norm=recipe.freeze_batch_norm)
    network.to(device, memory_format=torch.channels_last)
    weights = None
    if recipe.class_weights == "balanced":
        weights = torch.from_numpy(class_weights(data.train.labels, len(data.classes))).to(device)
    criterion = nn.CrossEntropyLoss(weight=weights, label_smoothing=recipe.label_smoothing)
    precision = choose_precision(recipe.precision, network, device)
    scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
    steps = batch_count(len(data.train), recipe.batch_size)
    run = Run(network, make_optimizer(network, recipe.optimizer), scaler, recipe.epochs, steps)
    return Plan(recipe, data, criterion, seed, device, precision), run


def fingerprint(manifest: Path, images: Path, initial: Path | None, plan: Plan) -> str:
    """Return a digest of all that the weights follow from: recipe, data, code, and what runs it."""
    return digest_of(
        {
            "recipe": asdict(plan.recipe),
            "seed": plan.seed,
            "manifest": file_digest(manifest),
            "images": file_digest(images),
            "initial_weights": file_digest(initial) if initial else None,
            "code": inputs_digest(code_of("brainmri.training.train")),
            "torch": torch.__version__,
            "device": str(plan.device),
            "threads": torch.get_num_threads(),
            "precision": plan.precision,
        }
    )


def write_history(rows: list[dict], output: Path, plan: Plan, inputs: list[Path]) -> None:
    """Write one row an epoch."""
    write_parquet(
        pd.DataFrame(rows)[HISTORY_SCHEMA.names],
        output,
        config={"recipe": asdict(plan.recipe), "seed": plan.seed},
        inputs=inputs,
        schema=HISTORY_SCHEMA,
    )


def run_facts(plan: Plan, best: KeepBest, rows: list[dict], initial: Path | None) -> dict:
    """Return what the training found out about itself, for `model.json`."""
    return {
        "seed": plan.seed,
        "initial_weights_sha256": file_digest(initial) if initial else None,
        "train_images": len(plan.data.train),
        "val_images": len(plan.data.val),
        "device": device_name(plan.device),
        "threads": torch.get_num_threads(),
        "precision": plan.precision,
        "epochs": len(rows),
        "best_epoch": best.best_epoch,
        "best_by": best.monitor,
        "seconds": sum(row["seconds"] for row in rows),
        "images_per_second": median(row["images_per_second"] for row in rows),
    }


def device_name(device: torch.device) -> str:
    """Return the kind of device, with its model's name for CUDA."""
    return f"cuda ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type
