"""The images of a model's gallery as a table, for a page that can filter and enlarge them."""

from io import BytesIO

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
from PIL import Image

LARGEST = 160  # pixels a side: enough to look at, and light
WRONG, UNSURE, RIGHT = 14, 6, 8


def gallery_schema(labels: list[str]) -> pa.Schema:
    """Return the columns of ``gallery.parquet`` for these classes."""
    return pa.schema(
        [
            *((name, pa.string()) for name in ("image_id", "label", "predicted")),
            ("confidence", pa.float64()),
            ("referred", pa.bool_()),
            *((f"prob_{label}", pa.float64()) for label in labels),
            ("picture", pa.binary()),
        ]
    )


def gallery_rows(
    table: pd.DataFrame, labels: list[str], packed: np.ndarray, threshold: float | None, seed: int
) -> pd.DataFrame:
    """Return the rows of ``gallery.parquet``: wrong answers, unsure ones, and right ones at random.

    Parameters
    ----------
    table
        Predictions of the test part with `row` (index into `packed`).
    labels
        The classes, in the order of their label index.
    packed
        Images of shape (N, size, size), uint8.
    threshold
        The confidence under which a case is referred; infinite where every case is, None where unknown.
    seed
        Seed of the random choice.

    Returns
    -------
    pandas.DataFrame
        The wrong ones, the surest first; then right ones that are referred, the least sure first; then as
        many right ones of each class as there is place for.
    """
    table = table.sort_values("image_id", kind="stable").reset_index(drop=True)
    referred = None if threshold is None else table["confidence"] < threshold
    table["referred"] = pd.array([None] * len(table) if referred is None else referred, dtype="boolean")
    is_right = table["label"] == table["predicted"]
    wrong = table[~is_right].sort_values("confidence", ascending=False, kind="stable").head(WRONG)
    unsure = table[is_right & table["referred"].fillna(False)]
    unsure = unsure.sort_values("confidence", kind="stable").head(UNSURE)
    rest = table[is_right].drop(unsure.index)
    rest = rest.sample(frac=1, random_state=seed)
    rest = rest.assign(turn=rest.groupby("label").cumcount()).sort_values(["turn", "label"], kind="stable")
    right = rest.head(RIGHT + (WRONG - len(wrong)) + (UNSURE - len(unsure)))
    chosen = pd.concat([wrong, unsure, right], ignore_index=True)
    chosen["picture"] = [picture(packed[row]) for row in chosen["row"]]
    return chosen[gallery_schema(labels).names]


def picture(pixels: np.ndarray) -> bytes:
    """Return an image (S, S), uint8, as WebP of at most `LARGEST` pixels a side."""
    if len(pixels) > LARGEST:
        pixels = cv2.resize(np.ascontiguousarray(pixels), (LARGEST, LARGEST), interpolation=cv2.INTER_AREA)
    content = BytesIO()
    Image.fromarray(np.asarray(pixels)).save(content, format="webp", quality=72, method=4)
    return content.getvalue()
