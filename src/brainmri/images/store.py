"""The packed store: every image of a data set in one memory-mapped array."""

from pathlib import Path
from tokenize import TokenError

import numpy as np
import pandas as pd

from brainmri.artefacts import sources_of
from brainmri.digests import file_digest
from brainmri.errors import BrainmriError, first_line

# A larger array is not read whole only to be looked at: seconds where a stage needs a few of its images.
HASHED_BYTES = 1 << 30
# What a header that makes no sense can raise on the way to an array.
UNREADABLE = (
    ValueError,
    TypeError,
    EOFError,
    OSError,
    OverflowError,
    MemoryError,
    SyntaxError,
    KeyError,
    TokenError,
)


def stored_rows(inventory: pd.DataFrame) -> pd.DataFrame:
    """Return which image lies in which row of the packed array.

    Parameters
    ----------
    inventory
        An inventory table, sorted by ``image_id`` as the stage writes it.

    Returns
    -------
    DataFrame
        ``image_id`` and ``row`` (int64): the images of status ``ok``, in the inventory's order.
    """
    image_ids = inventory.loc[inventory["status"] == "ok", "image_id"].reset_index(drop=True)
    return pd.DataFrame({"image_id": image_ids, "row": np.arange(len(image_ids), dtype=np.int64)})


def lie_within(rows: pd.Series, images: int) -> bool:
    """Tell whether all are rows of an array of so many images; what is null is none."""
    return bool(rows.between(0, images - 1).fillna(False).all())


def checked_rows(rows: pd.Series, stored: int, table: Path, stages: str) -> np.ndarray:
    """Return rows of a packed array as whole numbers (int64), where the array has each of them.

    Parameters
    ----------
    rows
        What a table tells; missing where it knows of none.
    stored
        Number of images in the array.
    table
        Which table, for the message.
    stages
        What to run again, such as ``crop and split``.

    Raises
    ------
    BrainmriError
        If a row is missing, or lies outside the array.
    """
    if not lie_within(rows, stored):
        raise BrainmriError(
            f"{table} and the {stored} packed images do not belong together: run {stages} again."
        )
    return rows.to_numpy(np.int64)


def open_images(path: Path) -> np.ndarray:
    """Open a packed array of images, as a whole and unchanged one.

    Its size must be what its header says. Up to `HASHED_BYTES`, its digest must be the one that the table of
    boxes beside it holds, which the stage `crop` writes with it; where there is no such table, or the array
    is larger, the digest is left to the report.

    Parameters
    ----------
    path
        An ``images_{size}.npy`` as the stage `crop` writes it.

    Returns
    -------
    memmap of uint8, shape (N, size, size)
        Read only.

    Raises
    ------
    BrainmriError
        If the file is missing, cut off, changed, or holds anything but square 8-bit images.
    """
    advice = "Delete it and run the same command again, or the stage crop."
    try:
        images = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise BrainmriError(f"{path} does not exist: run the stage crop first.") from None
    except UNREADABLE as error:
        raise BrainmriError(f"{path} is no whole NumPy array ({first_line(error)}). {advice}") from error
    if not isinstance(images, np.memmap):
        raise BrainmriError(f"{path} is an archive of arrays, not one array. {advice}")
    if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1] != images.shape[2]:
        raise BrainmriError(
            f"{path} holds {images.dtype} of shape {images.shape}; uint8 of shape (N, size, size) is wanted. "
            f"{advice}"
        )
    size = Path(path).stat().st_size
    if images.offset + images.nbytes != size or not images.flags.c_contiguous:
        raise BrainmriError(
            f"{path} holds {size} bytes where its header says {images.offset + images.nbytes}, or not in C "
            f"order. {advice}"
        )
    if size <= HASHED_BYTES:
        check_digest(Path(path), advice)
    return images


def check_digest(path: Path, advice: str) -> None:
    """Raise where a packed array is not the one that the table beside it was written with."""
    boxes = boxes_beside(path)
    known = {digest for name, digest in sources_of(boxes) if name == path.name} if boxes.is_file() else set()
    if known and file_digest(path) not in known:
        raise BrainmriError(f"{path} is not the array that {boxes} was written with. {advice}")


def boxes_beside(path: Path) -> Path:
    """Return where the table of boxes of a packed array lies: ``crops_64.parquet`` for ``images_64.npy``."""
    return path.with_name(path.stem.replace("images_", "crops_") + ".parquet")
