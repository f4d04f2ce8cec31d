"""A number that is no seed is refused by each command that draws, before it reads anything."""

from inspect import Parameter, signature
from pathlib import Path

import pytest

from brainmri.cli import COMMANDS, function_of
from brainmri.errors import BrainmriError

# They write the seed in a title, and draw nothing at random.
LEFT_OUT = {"draw_curves", "draw_explain"}


def drawing() -> dict:
    """Return the function of each command that has a seed."""
    found = {name: function_of(name) for name in COMMANDS}
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
