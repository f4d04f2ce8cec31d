"""The names of architectures, known without importing timm (which takes ten seconds)."""

from functools import cache
from importlib.resources import files

from brainmri.errors import BrainmriError, nearest

REFERENCE_CNN = "cnn"


@cache
def known_architectures() -> frozenset[str]:
    """Return `cnn` and every name that `timm.create_model` knows, as listed in `architectures.txt`."""
    text = files("brainmri.models").joinpath("architectures.txt").read_text(encoding="utf-8")
    return frozenset({REFERENCE_CNN, *text.split()})


def check_architecture(name: str) -> None:
    """Raise unless `name` is a known architecture.

    A timm name may carry the tag of its weights after a dot (`resnet50.a1_in1k`). Names that would make
    timm read a folder or a hub (`local-dir:…`, `hf-hub:…`) are not known, so they are refused.

    Raises
    ------
    BrainmriError
        If it is not, naming the nearest.
    """
    base, _, tag = str(name).partition(".")
    if base not in known_architectures() or (tag and not tag.replace("_", "").isalnum()):
        hint = nearest(base, known_architectures())
        raise BrainmriError(
            f"architecture is '{name}', which is neither 'cnn' nor a timm model. {hint}".rstrip()
        )
