"""The packed store: every image of a data set in one memory-mapped array."""

from pathlib import Path

import numpy as np
import pandas as pd

from brainmri.errors import BrainmriError


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


def open_images(path: Path) -> np.ndarray:
    """Open a packed array of images without reading it.

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
        If the file is missing, cut off, or holds anything but square 8-bit images.
    """
    advice = "Delete it and run the stage crop again."
    try:
        images = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise BrainmriError(f"{path} does not exist: run the stage crop first.") from None
    except (ValueError, EOFError, OSError) as error:
        raise BrainmriError(f"{path} is no whole NumPy array ({error}). {advice}") from error
    if not isinstance(images, np.memmap):
        raise BrainmriError(f"{path} is an archive of arrays, not one array. {advice}")
    if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1] != images.shape[2]:
        raise BrainmriError(
            f"{path} holds {images.dtype} of shape {images.shape}; uint8 of shape (N, size, size) is wanted. "
            f"{advice}"
        )
    return images
