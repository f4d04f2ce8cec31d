"""The stage `crop`: every usable image, cropped and resized, in one packed array."""

import hashlib
import os
from dataclasses import asdict
from io import FileIO
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from brainmri.artefacts import read_parquet, write_parquet, written_atomically
from brainmri.errors import BrainmriError, changed_since_checksum, unreadable
from brainmri.images.box import CropSettings
from brainmri.images.decode import decode_gray
from brainmri.images.decoder_messages import decoder_messages
from brainmri.images.prepare import prepare_image
from brainmri.images.store import stored_rows
from brainmri.sources.parallel import in_parallel, one_thread_each

SCHEMA = pa.schema(
    [
        ("image_id", pa.string()),
        ("row", pa.int64()),
        ("left", pa.int32()),
        ("top", pa.int32()),
        ("right", pa.int32()),
        ("bottom", pa.int32()),
        ("area_fraction", pa.float64()),
        ("fallback", pa.bool_()),
    ]
)
MAXIMUM_SIZE = 4096


def crop(
    raw: Path,
    inventory: Path,
    images: Path,
    crops: Path,
    size: int,
    settings: CropSettings = CropSettings(),  # noqa: B008 (frozen)
    workers: int = 0,
) -> None:
    """Decode every usable image to gray, cut off its black border, resize it, and pack it.

    Parameters
    ----------
    raw
        The folder with the data set's files.
    inventory
        The table of the stage inventory; its rows of status ok are packed, in its order.
    images
        Where to write the packed array (images_{size}.npy): uint8, (images, size, size).
    crops
        Where to write the table of boxes (crops_{size}.parquet).
    size
        Pixels a side.
    settings
        How the border is cut off.
    workers
        How many images to work on at a time; 0 for as many as there are cores.
    """
    if not 1 <= size <= MAXIMUM_SIZE:
        raise BrainmriError(f"size is {size}: must be from 1 to {MAXIMUM_SIZE} pixels.")
    table = read_parquet(inventory, columns=["image_id", "path", "sha256", "status"])
    rows = stored_rows(table)
    if rows.empty:
        raise BrainmriError(f"{inventory} lists no usable image: look at its column reason.")
    usable = table[table["status"] == "ok"]
    files = list(zip(usable["path"].tolist(), usable["sha256"].tolist(), strict=True))
    with written_atomically(images) as temporary, temporary.open("wb") as file:
        boxes = pack(raw, files, file, size, settings, workers)
    frame = pd.DataFrame(boxes, columns=["left", "top", "right", "bottom", "area_fraction", "fallback"])
    frame = pd.concat([rows, frame], axis=1)
    # With the array's digest, by which `open_images` notices damage.
    inputs, config = [inventory, images], {"size": size, **asdict(settings)}
    write_parquet(frame, crops, config=config, inputs=inputs, schema=SCHEMA)
    rejected = int(frame["fallback"].sum())
    print(f"crop: {len(frame)} images of {size} x {size}, {rejected} of them whole, their crop rejected")


def pack(
    raw: Path, files: list[tuple[str, str]], file, size: int, settings: CropSettings, workers: int
) -> list[tuple]:
    """Write the array's header and its images in order, and return box, share and fallback of each.

    The images are told by path and SHA-256: boxes and rows of one content must not stand beside another's.
    The chunks are written at their places as they are ready, so that memory stays bounded, and not through
    a memory map: a full disk is then an error, and no crash.
    """
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(files), size, size)}
    np.lib.format.write_array_header_1_0(file, header)
    file.flush()
    start = file.tell()

    def prepare_chunk(chunk: list[tuple[int, tuple[str, str]]]) -> list[tuple]:
        packed = np.empty((len(chunk), size, size), np.uint8)
        told = []
        for image, (_, (path, sha256)) in zip(packed, chunk, strict=True):
            gray = read_gray(f"{raw}/{path}", sha256)
            image[:], box, fallback = prepare_image(gray, size, settings)
            told.append((box.left, box.top, box.right, box.bottom, box.area / gray.size, fallback))
        write_at(file.fileno(), packed, start + chunk[0][0] * size * size)
        return told

    with one_thread_each(), decoder_messages():
        return in_parallel(
            prepare_chunk, list(enumerate(files)), workers=workers, description="crop", unit="image"
        )


def read_gray(file: str, sha256: str | None = None) -> np.ndarray:
    """Decode an image that the inventory found usable, and that still has this SHA-256 where one is given."""
    try:
        with FileIO(file) as opened:  # Without a buffer: a file of a few KB is read at once.
            data = opened.read()
    except OSError as error:
        raise unreadable(file, error) from None
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise changed_since_checksum(file)
    return decode_gray(data, name=file)


def write_at(descriptor: int, array: np.ndarray, offset: int) -> None:
    """Write an array's bytes at a place in a file, however many calls that takes."""
    waiting = memoryview(array).cast("B")
    while waiting:
        written = os.pwrite(descriptor, waiting, offset)
        waiting, offset = waiting[written:], offset + written
