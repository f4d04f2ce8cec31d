"""One step of the optimiser: gradients of a whole batch, in as many parts as the memory asks for."""

import sys
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from brainmri.errors import BrainmriError
from brainmri.models.memory import ShareTooLarge, is_out_of_memory, release_memory
from brainmri.training.arithmetic import autocast, compiled_as_is, products
from brainmri.training.callbacks import TrainingState
from brainmri.training.plan import Plan
from brainmri.training.ranks import unsynchronised


def take_step(run: TrainingState, plan: Plan, inputs: Tensor, targets: Tensor) -> None:
    """Update the weights by one batch, and add its loss and hits to the sums of the epoch.

    Where the memory does not suffice, the batch goes through the network in halves, quarters and so on;
    batch norm then normalises each by itself, all else stays the same.

    Raises
    ------
    BrainmriError
        If a single image is too much.
    """
    while True:
        try:
            loss, hits, count = add_gradients(run, plan, inputs, targets)
            break
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        # Outside of the handler, whose traceback holds on to the tensors of the failed pass.
        make_room(run, plan, len(inputs))
    if plan.recipe.gradient_clip is not None:
        run.scaler.unscale_(run.optimizer)
        trained = [weights for group in run.optimizer.param_groups for weights in group["params"]]
        nn.utils.clip_grad_norm_(trained, plan.recipe.gradient_clip)
    run.scaler.step(run.optimizer)
    run.scaler.update()
    run.loss_sum += loss * count
    run.correct += hits
    run.seen += len(inputs)


def add_gradients(
    run: TrainingState, plan: Plan, inputs: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Add up the gradients of a batch; nothing in here waits for the device.

    Returns
    -------
    loss
        This process's part of the mean loss of the batch.
    hits
        How many of its images were classified rightly.
    count
        Images of the batch in all processes.
    """
    images_here = torch.full((), len(inputs), dtype=torch.float32, device=targets.device)
    own = torch.stack([plan.criterion.normaliser(targets), images_here])
    normaliser, count = plan.ranks.total(own)
    run.optimizer.zero_grad(set_to_none=True)
    world = plan.ranks.world
    parts = part_count(plan.feed.sizes[run.step] if world > 1 else len(inputs), world, run.micro_batch)
    loss, hits, precision = 0.0, 0, plan.arithmetic.precision
    whole = len(inputs) >= plan.recipe.batch_size // world
    for place, (images, wanted) in enumerate(
        zip(torch.tensor_split(inputs, parts), torch.tensor_split(targets, parts), strict=True)
    ):
        last = place == parts - 1
        waits = nullcontext() if last else unsynchronised(run.network)
        with products(precision), waits, compiled_as_is(plan.arithmetic, whole):
            with autocast(precision, plan.device):
                logits = run.network(images)
            part = plan.criterion(logits.float(), wanted) / normaliser
            # Processes average their gradients; their losses are parts of one sum.
            run.scaler.scale(part * world).backward()
        loss = loss + part.detach()
        labels = wanted.argmax(dim=1) if wanted.is_floating_point() else wanted
        hits = hits + (logits.detach().argmax(dim=1) == labels).sum()
    return loss, hits, count


def part_count(images: int, world: int, micro_batch: int | None) -> int:
    """Return in how many parts a batch goes through the network: as many in each process.

    Where batch norm takes its statistics over all processes, they wait for each other in every part.

    Parameters
    ----------
    images
        Images of the batch, over all processes; their shares differ by one at most.
    world
        Number of processes.
    micro_batch
        Images of a share that go through the network at a time; None: all.
    """
    largest, smallest = -(-images // world), images // world
    return max(1, min(-(-largest // (micro_batch or largest)), smallest))


def make_room(run: TrainingState, plan: Plan, images: int) -> None:
    """Give back what a failed step of so many images held, and halve what goes through the network at a time.

    Raises
    ------
    BrainmriError
        As `halved` does.
    """
    run.micro_batch = halved(run.micro_batch or images, plan)
    run.optimizer.zero_grad(set_to_none=True)
    release_memory(plan.device)


def halved(micro_batch: int, plan: Plan) -> int:
    """Return half as many images as were too many, and say so.

    Raises
    ------
    BrainmriError
        If one image is too much.
    ShareTooLarge
        If other processes would wait for this one.
    """
    if micro_batch <= 1:
        raise BrainmriError(
            f"The memory does not suffice for one image of {plan.recipe.image_size} pixels: lower "
            "image_size, or take a smaller architecture or a device with more memory."
        )
    if plan.ranks.world > 1:
        # Who started the processes says what follows (`together.in_smaller_parts`).
        raise ShareTooLarge(f"The memory does not suffice for {micro_batch} images at a time.")
    smaller = -(-micro_batch // 2)
    print(
        f"the memory does not suffice for {micro_batch} images at a time: going on with {smaller}, their "
        f"gradients added up to batches of {plan.recipe.batch_size}",
        file=sys.stderr,
    )
    return smaller
