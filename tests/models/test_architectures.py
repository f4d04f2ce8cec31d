"""The list of architectures: light to read, and in step with timm."""

import subprocess
import sys
from importlib.metadata import version
from importlib.resources import files

import pytest

from brainmri.errors import BrainmriError
from brainmri.models.architectures import check_architecture, known_architectures

LISTED_FROM = "1.0.31"


def test_the_list_agrees_with_the_installed_timm():
    import timm

    listed = files("brainmri.models").joinpath("architectures.txt").read_text().split()
    assert listed == sorted(set(listed))
    installed = set(timm.list_models())
    if version("timm") == LISTED_FROM:
        assert set(listed) == installed
    # Another timm may have added names and retired a few; what we promise must still be there.
    assert len(set(listed) - installed) < 0.02 * len(listed)
    assert {"resnet50", "vgg16", "efficientnet_b0", "efficientnet_b1", "mobilenetv2_100"} <= installed & set(
        listed
    )


def test_a_configuration_is_checked_without_torch():
    code = (
        "import sys; from brainmri.training.recipe import recipe_from; "
        "recipe_from({'architecture': 'resnet50', 'pretrained': True}); "
        "assert not {'torch', 'timm', 'sklearn', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["cnn", "resnet50", "resnet50.a1_in1k"])
def test_known_names_pass(name):
    check_architecture(name)
    assert name.split(".")[0] in known_architectures()


@pytest.mark.parametrize(
    "name", ["resnet5O", "hf-hub:someone/model", "local-dir:/tmp/x", "", "resnet50./etc"]
)
def test_unknown_names_and_foreign_sources_are_refused(name):
    with pytest.raises(BrainmriError, match="architecture is"):
        check_architecture(name)


def test_the_nearest_name_is_suggested():
    with pytest.raises(BrainmriError, match="Did you mean 'resnet50'"):
        check_architecture("resnet5O")
