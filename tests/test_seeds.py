"""A number that is no seed is refused by each command that draws, before it reads anything."""

from importlib import import_module
from inspect import Parameter, signature
from pathlib import Path

import pytest

from brainmri.cli import COMMANDS
from brainmri.errors import BrainmriError

# Two write the seed in a title and draw nothing at random; a training's own tests tell what it takes.
LEFT_OUT = {"draw_curves", "draw_explain", "train"}


def drawing() -> dict:
    """Return the function of each command that has a seed."""
    found = {name: getattr(import_module(place), word) for name, (place, word, _) in COMMANDS.items()}
    drawing = {name: one for name, one in found.items() if "seed" in signature(one).parameters}
    return {name: one for name, one in drawing.items() if name not in LEFT_OUT}


@pytest.mark.parametrize("seed", [-1, 2**70])
def test_what_is_no_seed_is_refused(seed, tmp_path):
    for name, function in drawing().items():
        required = {
            key: tmp_path / "none" if parameter.annotation is Path else [tmp_path / "none"]
            for key, parameter in signature(function).parameters.items()
            if parameter.default is Parameter.empty
        }
        with pytest.raises(BrainmriError) as caught:
            function(**required | {"seed": seed})
        assert f"seed is {seed}" in str(caught.value), name
