"""The command `predict`: a trained model on new images."""

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from brainmri.artefacts import write_parquet, written_atomically
from brainmri.errors import BrainmriError, printable
from brainmri.evaluation.model_inputs import Calibration, calibration_beside
from brainmri.evaluation.probabilities import judgements, refuse_infinite
from brainmri.images.box import CropSettings
from brainmri.images.decode import decode_gray
from brainmri.images.decoder_messages import DecoderMessages, decoder_messages, lost_pixels
from brainmri.images.prepare import prepare_image
from brainmri.mapping import settings_from
from brainmri.models.device import resolve_device
from brainmri.models.saved import load_model, predict_logits, weights_path
from brainmri.progress import progress

BATCH = 64
EXTENSIONS = (".csv", ".parquet")
FORMULA_STARTS = ("=", "+", "-", "@", "\t")  # What a spreadsheet would calculate.
LARGEST_FILE = 256 * 2**20  # bytes; a slice has some ten thousand


def predict(images: list[Path], model: Path, output: Path | None = None, device: str = "auto") -> int:
    """Classify image files with a trained model, for research: no medical device, no diagnosis.

    Parameters
    ----------
    images
        Image files, and folders to walk through (hidden entries are skipped).
    model
        A trained model: ``model.safetensors``, its folder, or its path without the suffix.
    output
        Where to write the predictions: ``.csv`` or ``.parquet``. A table on the terminal where not given.
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Returns
    -------
    int
        0 where every file was classified, else 1: each other file has a line on stderr.

    Raises
    ------
    BrainmriError
        If the model cannot be read, or `output` has an unknown extension.
    """
    check_output(output)
    place = resolve_device(device)
    network, document = load_model(model)
    crop = settings_from(CropSettings, document.get("crop") or {})
    calibration = calibration_beside(weights_path(model), document)
    files, errors = listed_files(images)
    names, logits, unreadable = classified(files, network, document["image_size"], crop, place)
    errors += unreadable
    if names:
        table = predictions_table(names, logits, document["classes"], calibration)
        if output is None:
            print(rendered(table))
        else:
            write_table(table, output, document, calibration)
            print(f"{len(table)} images classified: {output}")
        print(calibration.note, file=sys.stderr)
    for error in errors:
        print(f"brainmri predict: {error}", file=sys.stderr)
    if output is not None and not names:
        print(f"brainmri predict: nothing was classified, so {output} was not written.", file=sys.stderr)
    return 1 if errors else 0


def check_output(output: Path | None) -> None:
    """Refuse a file that could not be written, before any work is done."""
    if output is None:
        return
    if output.suffix.lower() not in EXTENSIONS:
        raise BrainmriError(f"--output {output}: the extension must be one of {', '.join(EXTENSIONS)}.")
    if output.is_dir():
        raise BrainmriError(f"--output {output} is a folder: name a file.")


def listed_files(paths: list[Path]) -> tuple[list[Path], list[str]]:
    """Return the files that are meant, each once, and a sentence for each path that means none.

    Parameters
    ----------
    paths
        Files, and folders, which are walked in sorted order without hidden entries.
    """
    files, errors = [], []
    for path in paths:
        if path.is_dir():
            found = []
            for folder, folders, names in os.walk(
                path, onerror=lambda error: errors.append(f"{printable(error.filename)}: {error.strerror}.")
            ):
                folders[:] = sorted(name for name in folders if not name.startswith("."))
                found += [Path(folder, name) for name in sorted(names) if not name.startswith(".")]
            if not found:
                errors.append(f"{printable(path)}: the folder holds no file.")
            files += found
        else:
            files.append(path)
    return list(dict.fromkeys(files)), errors


def read_image(file: Path, size: int, crop: CropSettings, messages: DecoderMessages) -> np.ndarray | str:
    """Return an image as the model was trained on it, (size, size) uint8, or a sentence why not."""
    name = printable(file)
    try:
        if not file.is_file():
            # A pipe or a device could keep us waiting for ever.
            return f"{name}: there is no such file." if not file.exists() else f"{name}: is no plain file."
        if file.stat().st_size > LARGEST_FILE:
            return f"{name}: has over {LARGEST_FILE // 2**20} MiB, which is no slice."
        written = messages.size()
        gray = decode_gray(file.read_bytes(), name=name)
        # The decoder fills damaged parts with gray and goes on: a message is the only trace.
        damage = lost_pixels(messages.since(written))
        return f"{name} is damaged: {damage}." if damage else prepare_image(gray, size, crop)[0]
    except BrainmriError as error:
        return str(error)
    except OSError as error:
        return f"{name}: {error.strerror or error}."


def classified(
    files: list[Path], network, size: int, crop: CropSettings, place
) -> tuple[list[str], np.ndarray, list[str]]:
    """Run the model over files, some at a time.

    Parameters
    ----------
    files
        What to classify.
    network
        The model.
    size
        Pixels a side of its images.
    crop
        How the black border is cut off.
    place
        The torch device.

    Returns
    -------
    names : list of str
        Of the N files that are images.
    logits : (N, C) float array
        What the model says of them.
    errors : list of str
        A sentence for each other file.
    """
    names, logits, errors = [], [], []
    with progress(total=len(files), description="predict", unit="image") as bar:
        for start in range(0, len(files), BATCH):
            batch = files[start : start + BATCH]
            with decoder_messages() as messages:
                read = [read_image(file, size, crop, messages) for file in batch]
            errors += [image for image in read if isinstance(image, str)]
            good = [
                (file, image) for file, image in zip(batch, read, strict=True) if not isinstance(image, str)
            ]
            if good:
                names += [printable(file) for file, _ in good]
                logits.append(predict_logits(network, np.stack([image for _, image in good]), place, BATCH))
            bar.update(len(batch))
    found = np.concatenate(logits) if logits else np.empty((0, 0))
    refuse_infinite(found, "The model")
    return names, found, errors


def predictions_table(
    names: list[str], logits: np.ndarray, class_names: list[str], calibration: Calibration
) -> pd.DataFrame:
    """Return one row an image: `image`, `predicted`, `confidence`, `refer` and the probabilities."""
    said = judgements(logits, class_names, calibration.temperature)
    is_known = calibration.referral is not None
    # What is no number is referred too.
    refer = ~(said["confidence"] >= calibration.referral) if is_known else [None] * len(names)
    table = pd.DataFrame({"image": pd.Series(names, dtype="str"), **said})
    table.insert(3, "refer", pd.array(refer, dtype="boolean"))
    return table


def rendered(table: pd.DataFrame) -> str:
    """Return the table for a terminal."""
    shown = table.rename(columns=lambda name: name.removeprefix("prob_")).drop(columns="refer")
    refer = table["refer"].fillna(False).to_numpy(dtype=bool)
    shown[""] = np.where(refer, "uncertain: refer", "")
    width = max(len("image"), *(len(name) for name in table["image"]))
    shown["image"] = table["image"].str.ljust(width)
    return shown.to_string(index=False, float_format="{:.1%}".format)


def write_table(table: pd.DataFrame, output: Path, document: dict, calibration: Calibration) -> None:
    """Write the table in the format that the extension names."""
    if output.suffix.lower() == ".csv":
        is_formula = table["image"].str.startswith(FORMULA_STARTS)
        table = table.assign(image=table["image"].where(~is_formula, "./" + table["image"]))
        with written_atomically(output) as temporary:
            table.to_csv(temporary, index=False)
    else:
        config = {"weights": document.get("weights_sha256"), "temperature": calibration.temperature}
        write_parquet(table, output, config=config)
