"""Damaged images, one at a time: a row of the inventory with a reason, the same word from `predict`."""

import hashlib
from pathlib import Path

import numpy as np
from image_seeds import good_images
from mutation import mutated

from brainmri.images.box import CropSettings
from brainmri.images.decoder_messages import decoder_messages
from brainmri.images.inventory import examine
from brainmri.predict import read_image
from brainmri.sources.parallel import one_thread_each

STATUSES = {"ok", "corrupt", "unsupported", "oversized", "empty"}


def prepare(folder: Path):
    """Return the attempt with a number."""
    good = good_images()
    kinds = list(good)

    def attempt(number: int) -> str:
        kind = kinds[number % len(kinds)]
        data = mutated(good[kind], list(good.values()), np.random.default_rng([1, number]))
        path = f"damaged.{kind}"
        (folder / path).write_bytes(data)
        with one_thread_each(), decoder_messages() as messages:
            finding = examine(folder, path, len(data), hashlib.sha256(data).hexdigest(), outside=False)
            told = read_image(folder / path, 32, CropSettings(), messages)
        assert finding.status in STATUSES, finding
        assert finding.status == "ok" or 5 < len(finding.reason) < 250, finding
        if finding.status != "ok":
            assert isinstance(told, str), finding
        if isinstance(told, str):
            assert told.startswith(str(folder)) and told.endswith("."), told
        return finding.status

    return attempt
