"""The rows of `explain.parquet`: each map of each image, with its checks."""

import numpy as np
import pandas as pd
import pyarrow as pa

from brainmri.evaluation import saliency_checks as checks
from brainmri.evaluation.explain_summary import with_differences
from brainmri.evaluation.explained import Explained
from brainmri.evaluation.saliency import centre_grid, random_grid
from brainmri.images.enlarge import enlarged
from brainmri.images.probed import kept_pixels
from brainmri.sources.synthetic.masks import mask_bytes

IDENTITY = ("image_id", "group_id", "label", "predicted", "row", "confidence", "kind")
SCHEMA = pa.schema(
    [
        *[(name, pa.string()) for name in ("image_id", "group_id", "label", "predicted")],
        ("row", pa.int64()),
        ("confidence", pa.float64()),
        ("kind", pa.string()),
        ("method", pa.string()),
        # The map as it was found, row by row; `enlarged` lays it over the image.
        ("grid", pa.list_(pa.float32())),
        ("grid_rows", pa.int32()),
        ("grid_columns", pa.int32()),
        *[
            (name, pa.float64())
            for name in ("similarity", "deletion", "insertion", "border_share", "outside_share")
        ],
        ("lesion_area", pa.float64()),
        # A 1-bit PNG of the packed image's size, where the lesion is known.
        ("lesion_mask", pa.binary()),
        ("lesion_hit", pa.bool_()),
        *[(name, pa.float64()) for name in ("lesion_share", "lesion_iou")],
        *[(f"insertion_over_{name}", pa.float64()) for name in ("random", "centre")],
    ]
)
# The differences follow from the whole table.
TABLE_COLUMNS = [name for name in SCHEMA.names if not name.startswith("insertion_over_")]


def explained_rows(
    explained: Explained,
    anew: list[Explained],
    chosen: pd.DataFrame,
    pixels: np.ndarray,
    heads: list[np.ndarray],
    lesions: dict[str, np.ndarray],
    class_names: list[str],
    seed: int,
) -> pd.DataFrame:
    """Return one row an image and method: the map and its checks.

    Parameters
    ----------
    explained
        The model. Explained is the class that it names, right or wrong.
    anew
        Networks of the same design with random weights.
    chosen
        The images to explain.
    pixels : (N, S, S) uint8 array
        Their packed images.
    heads : list of (S, S) bool arrays
        Where the head is in each.
    lesions
        Where the lesion is, by `image_id`; images without one are missing.
    class_names
        The classes in the order of their index.
    seed
        Seed of the random map and of ties.
    """
    classes = pd.Index(class_names).get_indexer(chosen["predicted"])
    trained = explained.grids(pixels, classes)
    others = [network.grids(pixels, classes) for network in anew]
    rows = []
    for index, image in enumerate(pixels):
        identity = chosen.iloc[index]
        generator = np.random.default_rng([seed, index])
        grids = {name: found[index] for name, found in trained.items()}
        grids |= {"random": random_grid(generator), "centre": centre_grid()}
        maps = {name: enlarged(grid, len(image)) for name, grid in grids.items()}
        lesion = lesions.get(identity["image_id"])
        orders = {name: checks.ranking(values, generator) for name, values in maps.items()}
        entries = place_checks(maps, orders, heads[index], lesion)
        scores = explained.probabilities(
            checks.masked_images(image, list(orders.values())), int(classes[index])
        )
        areas = dict(zip(orders, checks.curve_areas(scores), strict=True))
        for name, grid in grids.items():
            row = {**{key: identity[key] for key in IDENTITY}, "method": name}
            row |= {"grid": grid.ravel(), "grid_rows": grid.shape[0], "grid_columns": grid.shape[1]}
            if not checks.is_constant(grid):
                row |= entries[name] | dict(zip(("deletion", "insertion"), areas[name], strict=True))
                if name in trained:
                    row["similarity"] = mean_similarity(maps[name], [found[name][index] for found in others])
            rows.append(row)
    return with_differences(pd.DataFrame(rows, columns=TABLE_COLUMNS))


def place_checks(
    maps: dict[str, np.ndarray], orders: dict[str, np.ndarray], head: np.ndarray, lesion: np.ndarray | None
) -> dict[str, dict]:
    """Return for each map where its mass lies: on the border, outside of the head, on the lesion."""
    border = kept_pixels("border", len(head))
    entries = {}
    for name, values in maps.items():
        entries[name] = {"border_share": checks.mass_share(values, border)}
        if head.any():
            entries[name]["outside_share"] = checks.mass_share(values, ~head)
        if lesion is not None:
            hit, iou = checks.overlap(orders[name], lesion)
            entries[name] |= {
                "lesion_area": float(lesion.mean()),
                "lesion_mask": mask_bytes(lesion),
                "lesion_hit": hit,
                "lesion_share": checks.mass_share(values, lesion),
                "lesion_iou": iou,
            }
    return entries


def mean_similarity(trained: np.ndarray, grids: list[np.ndarray]) -> float:
    """Return the mean rank correlation of a map with those of random networks; NaN where none has one."""
    found = [checks.similarity(trained, enlarged(grid, len(trained))) for grid in grids]
    known = [value for value in found if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")
