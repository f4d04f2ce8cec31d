"""The stage `baselines`: what can be scored on a split's test part without learning anything of tumours.

- ``majority_class`` names the most frequent class of the training part, whatever it is shown.
- ``metadata`` sees no more of a picture than where the head lies: a forest of trees learns from that and what
  `audit.shortcuts` knows of the files, such as size, channels and bytes.
- ``nearest_neighbour`` learns nothing: it names the class of the training image that is most alike at 32 × 32
  pixels, as it stands or mirrored. It is right wherever a copy of the test image is in training.

The thumbnails are of the whole images, averaged over areas, and compared by the squared difference of their
gray values: of both sets at hand, this was right more often than with the brightness or the contrast taken
out, and about as often as with the black border cut off.

A model that does not beat these has shown nothing. They are judged as the models are, with whole groups
resampled, and ``baselines.parquet`` keeps what each said of each image, for tests on the same images.
"""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa

from brainmri.artefacts import read_parquet, write_json, write_parquet
from brainmri.audit.shortcuts import feature_table, forest, head_boxes
from brainmri.errors import BrainmriError
from brainmri.evaluation.bootstrap import check_resamples, grouping_of
from brainmri.evaluation.differences import group_counts, resampled_together
from brainmri.evaluation.evaluate import METHOD, overall_entries
from brainmri.evaluation.metrics import OVERALL_METRICS, confusion_counts
from brainmri.evaluation.predictions import Predictions
from brainmri.images.store import checked_rows, open_images
from brainmri.intervals import LEVEL
from brainmri.seeds import check_seed
from brainmri.splits.manifest import read_manifest
from brainmri.splits.settings import check_protocol

THUMBNAIL = 32
BLOCK = 512  # test images compared at once

BASELINES_SCHEMA = pa.schema(
    [
        (name, pa.string())
        for name in ("dataset", "split", "baseline", "image_id", "group_id", "label", "predicted")
    ]
)


def baselines(
    manifest: Path,
    inventory: Path,
    images: Path,
    output: Path,
    predictions: Path,
    dataset: str,
    split: str,
    protocol: str,
    resamples: int = 2000,
    seed: int = 0,
) -> None:
    """Write how majority class, file metadata and nearest neighbour score on a split's test part.

    Parameters
    ----------
    manifest
        The split's ``manifest.parquet``.
    inventory
        The data set's ``inventory.parquet``.
    images
        The packed whole images of the data set, ``whole_256.npy``.
    output
        Where to write ``baselines.json``: their metrics with intervals.
    predictions
        Where to write ``baselines.parquet``: what each said of each test image.
    dataset
        The data set's name.
    split
        The split's name.
    protocol
        The split's protocol, such as ``grouped``.
    resamples
        Number of bootstrap resamples, at least 100.
    seed
        Of the resampling.

    Raises
    ------
    BrainmriError
        If the split has nothing to learn from or to test on, or an input does not fit.
    """
    check_resamples(resamples)
    check_seed(seed)
    check_protocol(protocol)
    rows = described_rows(manifest, inventory)
    packed = open_images(images)
    checked_rows(rows["row"], len(packed), manifest, "crop and split")
    train, test = (rows[rows["part"] == part] for part in ("train", "test"))
    if train.empty or test.empty:
        raise BrainmriError(f"{manifest} has no training image or no test image: there is nothing to judge.")
    guesses = {
        "majority_class": most_frequent(train, test),
        "metadata": guessed_from_metadata(train, test, packed),
        "nearest_neighbour": guessed_from_neighbours(train, test, packed),
    }
    class_names = list(rows.sort_values("label_index")["label"].unique())
    identity = {"dataset": dataset, "split": split, "protocol": protocol}
    document = {
        "identity": identity,
        "intervals": {"level": LEVEL, "resamples": resamples, "method": METHOD},
        "test": judged(test, guesses, class_names, resamples, seed),
    }
    tables = [
        test[["image_id", "group_id", "label"]].assign(
            dataset=dataset, split=split, baseline=name, predicted=predicted
        )
        for name, predicted in guesses.items()
    ]
    write_parquet(
        pd.concat(tables)[BASELINES_SCHEMA.names],
        predictions,
        config=identity,
        inputs=[manifest, inventory, images],
        schema=BASELINES_SCHEMA,
    )
    write_json(document, output, inputs=[manifest, predictions])


def described_rows(manifest: Path, inventory: Path) -> pd.DataFrame:
    """Return the training and test images: `part`, `row`, `group_id`, and what the inventory says of each."""
    listed = read_manifest(manifest, ["row", "label", "label_index", "group_id"])
    listed = listed.rename(columns={"split": "part"})
    listed = listed[listed["part"].isin(["train", "test"])]
    if listed.isna().any(axis=None):
        raise BrainmriError(f"{manifest} has an image without row or label. Run split again.")
    listed = listed.astype({"row": int, "label_index": int})
    files = read_parquet(inventory, needed=["image_id", "label"], unique="image_id").drop(columns=["label"])
    rows = listed.merge(files, on="image_id", how="left", indicator="found")
    if not (rows["found"] == "both").all():
        lost = rows.loc[rows["found"] != "both", "image_id"].iloc[0]
        raise BrainmriError(f"{inventory} does not list '{lost}', and {manifest} does. Run split again.")
    return rows


def most_frequent(train: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
    """Return the most frequent training class for each test image; of equal ones the first by name."""
    return np.full(len(test), train["label"].value_counts().sort_index().idxmax(), object)


def guessed_from_metadata(train: pd.DataFrame, test: pd.DataFrame, packed: np.ndarray) -> np.ndarray:
    """Return the class of each test image as a forest of trees tells it from the files."""
    both = pd.concat([train, test])
    boxes = np.concatenate([head_boxes(packed[block]) for block in blocks_of(both["row"])])
    features = feature_table(both, boxes).to_numpy(np.float32)
    learnt, asked = np.split(features, [len(train)])
    telling = [len(np.unique(column)) > 1 for column in learnt.T]
    if not any(telling):
        return most_frequent(train, test)
    trained = forest().fit(learnt[:, telling], train["label"].to_numpy(object))
    return trained.predict(asked[:, telling])


def guessed_from_neighbours(train: pd.DataFrame, test: pd.DataFrame, packed: np.ndarray) -> np.ndarray:
    """Return the class of the training image that is nearest to each test image, or to its mirror image."""
    known = thumbnails(packed, train["row"]).reshape(len(train), -1)
    # Whole numbers in double precision: the products are exact, and the same on every machine.
    lengths = (known**2).sum(axis=1)
    nearest = []
    for block in blocks_of(test["row"]):
        asked = thumbnails(packed, block)
        # The length of the asked image is the same for all; a mirror changes it not.
        distances = [
            lengths - 2 * (own.reshape(len(own), -1) @ known.T) for own in (asked, asked[:, :, ::-1])
        ]
        nearest.append(np.minimum(*distances).argmin(axis=1))
    return train["label"].to_numpy(object)[np.concatenate(nearest)]


def blocks_of(rows: pd.Series) -> list[np.ndarray]:
    """Return the rows a block at a time, so that memory holds few images."""
    return np.split(rows.to_numpy(), range(BLOCK, len(rows), BLOCK))


def thumbnails(packed: np.ndarray, rows: pd.Series | np.ndarray) -> np.ndarray:
    """Return some images at 32 x 32 pixels, float64 with whole numbers."""
    size = (THUMBNAIL, THUMBNAIL)
    small = [cv2.resize(packed[row], size, interpolation=cv2.INTER_AREA) for row in rows]
    return np.stack(small).astype(np.float64)


def judged(
    test: pd.DataFrame, guesses: dict[str, np.ndarray], class_names: list[str], resamples: int, seed: int
) -> dict:
    """Return the metrics of each baseline, as metrics.json has those of a model.

    Parameters
    ----------
    test
        The test images with `image_id`, `label` and `group_id`.
    guesses
        The predicted class of each by baseline.
    class_names
        The classes in the order of their index.
    resamples
        Number of bootstrap resamples.
    seed
        Of the resampling.
    """
    index, classes = pd.Index(class_names), len(class_names)
    truth = index.get_indexer(test["label"])
    group_id, image_id = (test[name].to_numpy(str) for name in ("group_id", "image_id"))
    predicted = np.stack([index.get_indexer(own) for own in guesses.values()])
    grouping = grouping_of(group_id, truth, classes)
    counts = group_counts(predicted, truth, grouping.group, grouping.count, classes)
    values, spread = resampled_together(counts, grouping.stratum, resamples, seed, OVERALL_METRICS)
    part = {"n_images": len(test), "n_groups": grouping.count}
    for place, (name, own) in enumerate(zip(guesses, predicted, strict=True)):
        of_this = {metric: value[place] for metric, value in values.items()}
        resampled = {metric: value[:, place] for metric, value in spread.items()}
        known = Predictions(truth, own, np.eye(classes)[own], group_id, image_id)
        part[name] = {
            **overall_entries(known, of_this, resampled, grouping),
            "confusion_matrix": {
                "labels": class_names,
                "counts": confusion_counts(truth, own, classes).tolist(),
            },
        }
    return part
