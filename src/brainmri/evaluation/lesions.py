"""Where the lesions of a phantom lie in the packed images."""

from pathlib import Path

import numpy as np

from brainmri.artefacts import read_parquet
from brainmri.errors import BrainmriError
from brainmri.images.prepare import resize_to_square
from brainmri.sources.synthetic.masks import lesion_mask

SIDES = ["left", "top", "right", "bottom"]


def packed_lesions(truth: Path, crops: Path, image_ids: list[str], size: int) -> dict[str, np.ndarray]:
    """Return the lesion masks of some images, cropped and resized as the images were.

    Parameters
    ----------
    truth
        The phantom's ``truth.parquet``.
    crops
        ``crops_{size}.parquet``: the box that was kept of each image.
    image_ids
        The images wanted.
    size
        Pixels a side of the packed images.

    Returns
    -------
    dict of (size, size) bool arrays
        Of those images of which a lesion is left after cropping and resizing.

    Raises
    ------
    BrainmriError
        If an image is in neither table, or a box does not lie in the image.
    """
    told = read_parquet(truth, columns=["image_id", "lesion_mask"])
    kept = read_parquet(crops, columns=["image_id", *SIDES])
    known = dict(zip(told["image_id"], told["lesion_mask"], strict=True))
    boxes = dict(zip(kept["image_id"], kept[SIDES].to_numpy(dtype=int).tolist(), strict=True))
    for path, table in ((truth, known), (crops, boxes)):
        missing = set(image_ids) - table.keys()
        if missing:
            raise BrainmriError(f"{path} has no row for {min(missing)}: run the stages fetch and crop again.")
    masks = {}
    for image_id in image_ids:
        data = known[image_id]
        if not data:
            continue
        mask = lesion_mask(data)
        left, top, right, bottom = boxes[image_id]
        if not (0 <= left < right <= mask.shape[1] and 0 <= top < bottom <= mask.shape[0]):
            raise BrainmriError(
                f"{crops} keeps of {image_id} what lies outside of its lesion mask in {truth}: they do not "
                "belong together. Run the stages fetch and crop again."
            )
        inside = mask[top:bottom, left:right].astype(np.uint8) * 255
        packed = resize_to_square(inside, size) > 127
        if packed.any():
            masks[image_id] = packed
    return masks
