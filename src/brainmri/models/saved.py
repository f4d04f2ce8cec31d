"""A trained model on disk: weights in `model.safetensors`, all that is needed to use them in `model.json`."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from importlib.metadata import version
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch.nn.modules.module import register_module_module_registration_hook

from brainmri import __version__
from brainmri.artefacts import read_json, write_json, written_atomically
from brainmri.digests import file_digest
from brainmri.errors import BrainmriError
from brainmri.mapping import is_number, settings_from
from brainmri.models.build import build_model
from brainmri.models.classifier import Classifier
from brainmri.models.device import resolve_device, tensor_float_32
from brainmri.models.memory import as_many_as_fit
from brainmri.models.settings import Design
from brainmri.models.weights import load_weights, read_weights

DESIGN_KEYS = tuple(item.name for item in fields(Design))


def save_model(
    model: Classifier,
    path: Path,
    metadata: Path,
    *,
    recipe: Design,
    classes: list[str],
    crop: dict,
    manifest_digest: str,
    facts: dict,
) -> None:
    """Write a trained classifier: the weights, then the document that makes them usable.

    Parameters
    ----------
    model
        The classifier, with its mean and std set.
    path
        Where to write the weights (`model.safetensors`).
    metadata
        Where to write the document (`model.json`).
    recipe
        What it was built and trained by.
    classes
        Class names in the order of the logits.
    crop
        The crop settings of its images.
    manifest_digest
        SHA-256 of the manifest that it was trained on.
    facts
        What the training found out: seed, device, precision, seconds, images_per_second, best epoch, …
    """
    state = {key: tensor.detach().cpu().contiguous() for key, tensor in model.state_dict().items()}
    with written_atomically(path) as temporary:
        # Not save_file, which makes files that nobody but the owner can read.
        temporary.write_bytes(safetensors.torch.save(state, metadata={"format": "pt"}))
    document = {
        "brainmri_version": __version__,
        "versions": library_versions(),
        "architecture": recipe.architecture,
        "classes": list(classes),
        "image_size": recipe.image_size,
        "channels": 1,
        "mean": model.mean,
        "std": model.std,
        "interpolation": model.interpolation,
        "crop": crop,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "weights_sha256": file_digest(path),
        "manifest_sha256": manifest_digest,
        **facts,
        "recipe": asdict(recipe),
    }
    write_json(document, metadata)


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that weights and predictions follow from."""
    return {name: version(name) for name in ("torch", "timm", "numpy", "opencv-python-headless")}


def load_model(path: Path, metadata: Path | None = None) -> tuple[Classifier, dict]:
    """Read a trained classifier; nothing in its files is executed or trusted.

    Parameters
    ----------
    path
        `model.safetensors`, its folder, or the same path without the suffix.
    metadata
        The document; `model.json` beside the weights where None.

    Returns
    -------
    Classifier
        In evaluation mode, on the CPU.
    dict
        The document.

    Raises
    ------
    BrainmriError
        If a file is missing, is not what it should be, or the two do not belong together.
    """
    path = weights_path(path)
    metadata = path.with_suffix(".json") if metadata is None else Path(metadata)
    document = read_json(metadata)
    design, mean, std = checked_document(document, metadata)
    state = read_weights(path)
    if document.get("weights_sha256") not in (None, file_digest(path)):
        raise BrainmriError(f"{path} is not the file that {metadata} describes: run the stage train again.")
    class_count = len(document["classes"])
    with limited_modules(10_000 + 20 * len(state), path):
        check_shapes(design, class_count, state, path)
        model = build_model(design, class_count)
    model.mean, model.std = mean, std
    load_weights(model, state, path)
    return model.eval(), document


def weights_path(path: Path) -> Path:
    """Return the weights file that a path means: itself, `model.safetensors` in it, or with that suffix.

    The description beside the weights means them too.
    """
    path = Path(path)
    if path.is_dir():
        return path / "model.safetensors"
    if path.suffix == ".json" and path.is_file():
        return path.with_suffix(".safetensors")
    # Not with_suffix: `model.v2` without a suffix would lose its end.
    return path if path.suffix == ".safetensors" else path.with_name(path.name + ".safetensors")


def checked_document(document: dict, metadata: Path) -> tuple[Design, float, float]:
    """Return the design, mean and std of a `model.json` after checking every entry that is used."""
    advice = f"{metadata} is no description of a brainmri model"
    if not isinstance(document, dict):
        raise BrainmriError(f"{advice}: it holds no mapping.")
    needed = ("architecture", "classes", "image_size", "mean", "std", "recipe")
    missing = [key for key in needed if key not in document]
    if missing:
        raise BrainmriError(f"{advice}: the key '{missing[0]}' is missing.")
    classes, recipe = document["classes"], document["recipe"]
    if (
        not isinstance(classes, list)
        or not 1 <= len(classes) <= 10_000
        or not all(isinstance(name, str) and is_class_name(name) for name in classes)
        or len(set(classes)) != len(classes)
    ):
        raise BrainmriError(f"{advice}: 'classes' is no list of distinct, printable names.")
    for key in ("mean", "std"):
        if not is_number(document[key]):
            raise BrainmriError(f"{advice}: '{key}' is no number.")
    if document["std"] <= 0:
        raise BrainmriError(f"{advice}: 'std' is not above 0.")
    if not isinstance(recipe, dict):
        raise BrainmriError(f"{advice}: 'recipe' is no mapping.")
    known = {key: recipe[key] for key in DESIGN_KEYS if key in recipe}
    try:
        # The weights come from the file beside: those that training began with are not wanted.
        design = settings_from(Design, {**known, "pretrained": False})
    except BrainmriError as error:
        raise BrainmriError(f"{advice}: {error}") from error
    if (design.architecture, design.image_size) != (document["architecture"], document["image_size"]):
        raise BrainmriError(f"{advice}: architecture and image_size differ from those in its recipe.")
    return design, float(document["mean"]), float(document["std"])


def is_class_name(name: str) -> bool:
    """Tell whether a class can be named on a terminal, in a spreadsheet and in a file's name."""
    is_formula = name.startswith(("=", "+", "-", "@"))
    return 0 < len(name) <= 200 and name.isprintable() and not is_formula and not {"/", "\\"} & set(name)


@contextmanager
def limited_modules(most: int, path: Path) -> Iterator[None]:
    """Raise where more modules are built, which take memory even on the device meta."""
    built = itertools.count(1)

    def count(*_) -> None:
        if next(built) > most:
            raise BrainmriError(f"{path} holds far fewer weights than its model.json describes")

    hook = register_module_module_registration_hook(count)
    try:
        yield
    finally:
        hook.remove()


def check_shapes(design: Design, class_count: int, state: dict, path: Path) -> None:
    """Compare shapes without allocating the network: a document that lies must not fill the memory."""
    try:
        with torch.device("meta"):
            wanted = build_model(design, class_count).state_dict()
    except (RuntimeError, NotImplementedError, TypeError, ValueError):
        return  # not every timm model can be built without memory; load_weights compares it then
    for key, tensor in wanted.items():
        found = state.get(key)
        if found is not None and found.shape != tensor.shape:
            raise BrainmriError(
                f"{path}: '{key}' has shape {tuple(found.shape)}, {tuple(tensor.shape)} is wanted: "
                "it is not the model that its model.json describes."
            )
        if found is None and not key.endswith("num_batches_tracked"):
            raise BrainmriError(f"{path} lacks '{key}': it is not the model that its model.json describes.")


def predict_logits(
    model: Classifier, images: np.ndarray, device: str | torch.device = "auto", batch_size: int = 128
) -> np.ndarray:
    """Return the logits of packed images, in single precision.

    Parameters
    ----------
    model
        The classifier; left in evaluation mode, on `device`.
    images : array of uint8, shape (N, S, S)
        Images of the model's size; a memmap is read batch by batch.
    device
        `auto`, `cpu`, `cuda`, or a torch device.
    batch_size
        Images at a time; halved where the memory does not suffice.

    Returns
    -------
    array of float32, shape (N, C)
    """
    place = resolve_device(device) if isinstance(device, str) else device
    model.eval().to(place, memory_format=torch.channels_last)

    def logits(count: int) -> list[np.ndarray]:
        batches = []
        for start in range(0, len(images), count):
            # A copy: torch wants memory that it may write to, a memmap is read only.
            batch = torch.from_numpy(np.array(images[start : start + count])).to(place)
            batches.append(model(model.normalised(batch.float() / 255)).float().cpu().numpy())
        return batches

    with torch.inference_mode(), tensor_float_32(False):
        batches = as_many_as_fit(logits, batch_size, place)
    class_count = model.head[-1].out_features
    return np.concatenate(batches) if batches else np.empty((0, class_count), np.float32)
