"""What training means: a step downhill, epochs, learning by heart, and augmentation against it."""

import numpy as np
import pandas as pd
import torch
from figures.canvas import show_slice
from figures.study import SIZE, PhantomStudy
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from brainmri.images.box import CropSettings
from brainmri.images.prepare import prepare_image
from brainmri.reporting.style import MUTED, OKABE_ITO, add_title, new_figure
from brainmri.training.augment import draw_transforms
from brainmri.training.augmented import finished, warped_by_opencv
from brainmri.training.recipe import STANDARD_AUGMENTATION

FIRST_WEIGHT = -2.0
LEARNING_RATE = 3.0
STEPS = 6


def loss_of_weight(weight: np.ndarray, brightness: np.ndarray, is_class: np.ndarray) -> np.ndarray:
    """Return the cross-entropy of the smallest network there is: one weight times one number, then a sigmoid.

    Parameters
    ----------
    weight
        Shape (W,): values of the weight.
    brightness
        Shape (N,): one number an image.
    is_class
        Shape (N,), bool: the truth.

    Returns
    -------
    numpy.ndarray
        Shape (W,).
    """
    signed = np.where(is_class, 1, -1) * brightness
    return np.logaddexp(0, -weight[:, None] * signed).mean(axis=1)


def slope_of_weight(weight: float, brightness: np.ndarray, is_class: np.ndarray) -> float:
    """Return the derivative of `loss_of_weight` at one weight."""
    probability = 1 / (1 + np.exp(-weight * brightness))
    return float(((probability - is_class) * brightness).mean())


def gradient_figure(study: PhantomStudy) -> Figure:
    """Return the loss over a network's only weight, and gradient steps down to its least."""
    table = study.manifest("grouped", 0)
    table = table[(table["split"] == "train") & table["label"].isin(["pituitary", "glioma"])]
    images = study.images(SIZE)[table["row"].to_numpy(int)]
    # What the one weight is multiplied by: how bright the brightest things in the middle of the head are.
    quarter = SIZE // 4
    middle = images[:, quarter:-quarter, quarter:-quarter]
    brightness = np.percentile(middle, 99, axis=(1, 2))
    brightness = (brightness - brightness.mean()) / brightness.std()
    is_class = (table["label"] == "pituitary").to_numpy()
    steps = [FIRST_WEIGHT]
    for _ in range(STEPS):
        steps.append(steps[-1] - LEARNING_RATE * slope_of_weight(steps[-1], brightness, is_class))
    weights = np.linspace(-2.4, 7, 200)
    figure = new_figure(2.7)
    add_title(figure, "Training walks downhill")
    axes = figure.subplots()
    axes.plot(weights, loss_of_weight(weights, brightness, is_class), color=OKABE_ITO[1], label="loss")
    losses = loss_of_weight(np.array(steps), brightness, is_class)
    axes.plot(steps, losses, "o-", color=OKABE_ITO[0], linewidth=1, label=f"{STEPS} gradient steps")
    axes.annotate("start", (steps[0], losses[0]), (8, 2), textcoords="offset points", fontsize=9)
    axes.set(xlabel="the network's only weight", ylabel="loss (cross-entropy)")
    axes.legend(loc="upper right")
    return figure


def curves_figure(study: PhantomStudy) -> Figure:
    """Return the losses and accuracies of one network, trained without and with augmentation."""
    trainings = {"without augmentation": "_plain", "with augmentation": ""}
    figure = new_figure(4.4, width=6.4)
    add_title(figure, "The same network, trained twice", width=70)
    grid = figure.subplots(2, 2, sharey="row")
    for column, (name, suffix) in zip(grid.T, trainings.items(), strict=True):
        best = study.document(f"model{suffix}")["best_epoch"]
        draw_history(column, study.table(f"history{suffix}"), best)
        column[0].set_title(name, fontsize=10, fontweight="normal")
        column[1].set_xlabel("epoch")
    grid[0, 0].set_ylabel("loss")
    grid[1, 0].set_ylabel("accuracy")
    grid[1, 0].set_ylim(0, 1.02)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def draw_history(column: np.ndarray, history: pd.DataFrame, best: int) -> None:
    """Draw loss and accuracy of a training into two axes, with the best epoch."""
    for axes, score in zip(column, ("loss", "accuracy"), strict=True):
        axes.plot(
            history["epoch"], history[f"train_{score}"], "--", color=OKABE_ITO[0], label="training part"
        )
        axes.plot(history["epoch"], history[f"val_{score}"], color=OKABE_ITO[1], label="validation part")
        axes.axvline(best, color=MUTED, linewidth=1, linestyle=":", label="best epoch: kept")
        axes.grid(axis="y", visible=True)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def augmentation_figure(study: PhantomStudy) -> Figure:
    """Return one slice and eight augmented versions of it."""
    row = study.largest("meningioma", "axial")
    image, _, _ = prepare_image(study.gray(row["image_id"]), 150, CropSettings())
    transforms = draw_transforms(np.random.default_rng(0), 8, 150, STANDARD_AUGMENTATION)
    moved = warped_by_opencv(image[None], np.zeros(8, int), transforms.matrices)
    augmented = finished(torch.from_numpy(moved), transforms).mul(255).round().byte().numpy()
    figure = new_figure(3.9, width=3.6)
    add_title(figure, "One slice, and eight augmented versions", 40)
    grid = figure.subplots(3, 3).ravel()
    show_slice(grid[0], image, "as stored")
    for axes, version in zip(grid[1:], augmented, strict=True):
        show_slice(axes, version)
    return figure
