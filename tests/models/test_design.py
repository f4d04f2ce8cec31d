"""Settings of a network: what is refused, and how it is said."""

from dataclasses import asdict

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from brainmri.errors import BrainmriError
from brainmri.mapping import settings_from
from brainmri.models.cnn import cnn_body
from brainmri.models.settings import CnnSettings, Design, HeadSettings


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"architectur": "cnn"}, "no key 'architectur'. Did you mean 'architecture'"),
        ({"head": {"dropot": 0.1}}, "no key 'head.dropot'. Did you mean 'dropout'"),
        ({"head": {"dropout": 1.5}}, "head.dropout is 1.5; allowed: 0 up to"),
        ({"head": {"dropout": True}}, "head.dropout is True; allowed: a number"),
        ({"head": {"hidden": [0]}}, "head.hidden"),
        ({"head": {"pooling": "median"}}, "head.pooling is 'median'; allowed: average, max"),
        ({"head": [512]}, "head is .*; allowed: a mapping"),
        ({"image_size": "150"}, "image_size is '150'; allowed: a whole number"),
        ({"image_size": 10**6}, "image_size"),
        ({"cnn": {"channels": []}}, "cnn.channels"),
        ({"cnn": {"channels": [10**9]}}, "cnn.channels"),
        ({"cnn": {"channels": "ab"}}, "cnn.channels is 'ab'; allowed: a list"),
        ({"cnn": {"kernel_size": 0}}, "cnn.kernel_size"),
        ({"cnn": {"normalise": [0.5, 0]}}, "cnn.normalise"),
        ({"image_size": 16, "cnn": {"channels": [8] * 5, "padding": 0}}, "fewer than 5 layers"),
        ({"pretrained": True}, "pretrained is True; allowed: false or a path"),
        ({"backbone": {"pad_type": "same"}}, "nothing for architecture cnn"),
        ({"architecture": "resnet18", "backbone": {"checkpoint_path": "/x"}}, "checkpoint_path"),
        ({"architecture": "resnet18", "backbone": {"pretrained_cfg_overlay": {"file": "/x"}}}, "overlay"),
    ],
)
def test_a_wrong_entry_is_refused_in_words(document, words):
    with pytest.raises(BrainmriError, match=words):
        settings_from(Design, document)


def test_settings_survive_a_round_trip():
    design = Design(
        architecture="resnet18", pretrained=True, backbone={"pad_type": "same"}, head=HeadSettings(hidden=[])
    )
    assert settings_from(Design, asdict(design)) == design


def test_hidden_may_be_a_number_or_a_list():
    assert HeadSettings(hidden=64).widths == (64,)
    assert HeadSettings(hidden=[64, 32]).widths == (64, 32)
    assert HeadSettings(hidden=[]).widths == ()


@settings(deadline=None, max_examples=50)
@given(
    size=st.integers(8, 64),
    channels=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    kernel_size=st.integers(1, 5),
    padding=st.integers(0, 2),
)
def test_the_foretold_map_size_is_what_the_network_makes(size, channels, kernel_size, padding):
    cnn = CnnSettings(channels=channels, kernel_size=kernel_size, padding=padding)
    expected = cnn.map_size(size)
    body = cnn_body(cnn)
    if expected > 0:
        assert body(torch.zeros(1, 1, size, size)).shape == (1, channels[-1] * expected**2)
    else:
        with pytest.raises(RuntimeError):
            body(torch.zeros(1, 1, size, size))
