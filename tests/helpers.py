"""What tests of several folders need."""

import io
import sys
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())


class Trap:
    """A pickle that would make a file when a careless reader loads it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def encoded(picture, ending, **options) -> bytes:
    """Return an image file's bytes, written by Pillow, of an array or a picture."""
    buffer = io.BytesIO()
    picture = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    picture.save(buffer, ending, **options)
    return buffer.getvalue()


def texts(figure) -> list[str]:
    """Return all words of a figure."""
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def save(network, folder, recipe, classes, crop, manifest_digest="0" * 64, **facts) -> Path:
    """Save a network as a training does, and return the folder."""
    from brainmri.models.saved import save_model  # torch takes seconds to import

    paths = folder / "model.safetensors", folder / "model.json"
    told = {"recipe": recipe, "classes": classes, "crop": crop, "manifest_digest": manifest_digest}
    save_model(network, *paths, **told, facts=facts)
    return folder


def snakemake_command(*arguments, config="study.yaml") -> list[str]:
    """Return the command that runs the workflow with a configuration."""
    command = [BIN / "snakemake", "--snakefile", ROOT / "Snakefile", "--configfile", config, *arguments]
    return [str(word) for word in command]
