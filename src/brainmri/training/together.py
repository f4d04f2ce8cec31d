"""Several processes that train one network together, started and watched by torchrun's launcher."""

import contextlib
import logging
import os
import sys
import uuid
from dataclasses import replace

import torch
import torch.distributed
from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from brainmri.errors import BrainmriError
from brainmri.models.device import resolve_device
from brainmri.models.memory import ShareTooLarge
from brainmri.training.checkpoint import checkpoint_path
from brainmri.training.conduct import conduct
from brainmri.training.interruption import Interrupted
from brainmri.training.order import TrainingOrder
from brainmri.training.ranks import Ranks

SHUTDOWN_SECONDS = 600


def train_together(order: TrainingOrder) -> None:
    """Train with `order.devices` processes, one a GPU (nccl), or all on the CPU (gloo).

    Where the memory of one does not suffice, all are started again, with batches in smaller parts, and go on
    from the state that is kept.

    Raises
    ------
    BrainmriError
        If there are fewer GPUs, a batch has fewer images than processes, or as `train` does.
    """
    device = resolve_device(order.device)
    if device.type == "cuda" and (device.index is not None or order.devices > torch.cuda.device_count()):
        raise BrainmriError(
            f"devices is {order.devices} and device '{order.device}', but torch sees "
            f"{torch.cuda.device_count()} CUDA devices. Set device: cuda, and devices to at most that number."
        )
    if order.recipe.batch_size < order.devices:
        raise BrainmriError(
            f"batch_size is {order.recipe.batch_size}, less than one image for each of the {order.devices} "
            "devices: raise it, or lower devices."
        )
    # The launcher reports on itself in its own words; what went wrong is told by the process that failed.
    for name in ("torch.distributed.elastic", "torch.multiprocessing"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    order = replace(order, device=device.type)
    while True:
        try:
            return launched(order)
        except ShareTooLarge:
            order = in_smaller_parts(order)


def in_smaller_parts(order: TrainingOrder) -> TrainingOrder:
    """Return the same order with half as many images at a time on each device, and say so."""
    recipe = order.recipe
    before = order.largest_part or recipe.micro_batch or -(-recipe.batch_size // order.devices)
    after = -(-before // 2)
    print(
        f"the memory does not suffice for {before} images at a time on each of {order.devices} devices: "
        f"going on with {after}, their gradients added up to batches of {recipe.batch_size}",
        file=sys.stderr,
    )
    return replace(order, largest_part=after)


def launched(order: TrainingOrder) -> None:
    """Start the processes, and wait for their end.

    Raises
    ------
    ShareTooLarge
        If the memory of one does not suffice for its share.
    BrainmriError
        If one failed otherwise, or an end was asked for.
    """
    launch = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=order.devices,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        # Else by the machine's own name, which need not resolve: the processes would wait in vain.
        local_addr="localhost",
        max_restarts=0,
        start_method="spawn",
        # Whoever sent SIGTERM decides when to kill; the processes first end the step at hand.
        shutdown_timeout=SHUTDOWN_SECONDS,
    )
    try:
        elastic_launch(launch, one_of_them)(order)
    except SignalException as error:
        raise interrupted(order) from error
    except ChildFailedError as error:
        status = error.get_first_failure()[1].exitcode
        if status == Interrupted.exit_status:
            raise interrupted(order) from error
        if status == ShareTooLarge.exit_status:
            raise ShareTooLarge from error
        raise BrainmriError(f"a training process failed: {first_failure(error)}") from error


def interrupted(order: TrainingOrder) -> Interrupted:
    """Return what is told of a training that was asked to stop."""
    kept = checkpoint_path(order.checkpoint_dir, order.model).is_file()
    follows = "the state is kept: the same command goes on from there" if kept else "no step was kept"
    return Interrupted(f"stopped as asked (SIGTERM); {follows}.")


def first_failure(error: ChildFailedError) -> str:
    """Return what the process said that failed first."""
    _, failure = error.get_first_failure()
    message = failure.message
    if isinstance(message, dict):
        message = message.get("message", message)
    return (
        str(message).strip().splitlines()[-1] if str(message).strip() else f"exit status {failure.exitcode}"
    )


def one_of_them(order: TrainingOrder) -> None:
    """Train as one of the processes; the launcher has said which in the environment."""
    ranks = Ranks(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))
    cuda = order.device == "cuda"
    threads = order.threads or len(os.sched_getaffinity(0))
    own = replace(
        order,
        device=f"cuda:{os.environ['LOCAL_RANK']}" if cuda else "cpu",
        threads=max(1, threads // ranks.world),
    )
    if cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    torch.distributed.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo")
    try:
        conduct(own, ranks)
    except BrainmriError as error:
        if error.exit_status in (Interrupted.exit_status, ShareTooLarge.exit_status):
            # One that returned would wait for the launcher, which waits for its end.
            sys.exit(error.exit_status)
        # The others wait for this one in vain: the launcher ends them when it fails.
        print(f"brainmri train: {error}", file=sys.stderr, flush=True)
        raise
    finally:
        with contextlib.suppress(RuntimeError):
            torch.distributed.destroy_process_group()
