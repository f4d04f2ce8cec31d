"""Grad-CAM: equal to its closed form, at the last feature map of convolutional networks, and on the blob."""

import numpy as np
import pytest
import torch
from torch import nn

from brainmri.images.enlarge import enlarged
from brainmri.models.build import build_model
from brainmri.models.classifier import Classifier
from brainmri.models.grad_cam import feature_layer, grad_cam
from brainmri.models.settings import CnnSettings, Design, HeadSettings

SIZE = 32


def averaging_network(channels: int = 4, classes: int = 3) -> Classifier:
    """One convolution, the global average, one linear layer."""
    body = nn.Sequential(
        nn.Conv2d(1, channels, 3, padding=1), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    return Classifier(body, nn.Sequential(nn.Linear(channels, classes)), 0.5, 0.25).eval()


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(256, size=(5, SIZE, SIZE), dtype=np.uint8)


def test_of_one_convolution_and_a_global_average_the_map_is_the_class_activation_map(images):
    torch.manual_seed(0)
    network = averaging_network()
    classes = np.array([0, 1, 2, 1, 0])
    found = grad_cam(network, feature_layer(network, SIZE), images, classes, batch_size=2)
    with torch.no_grad():
        features = network.body[:2](network.normalised(torch.from_numpy(images).float() / 255))
        # The average's gradient is 1 / (S S) everywhere, so a channel weighs what the linear layer says.
        weights = network.head[0].weight[torch.from_numpy(classes)] / SIZE**2
        wanted = torch.einsum("nk,nkhw->nhw", weights, features).relu().numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-8)
    assert found.max() > 0


def test_the_network_is_left_as_it_was(images):
    network = averaging_network()
    network.freeze(body=True, batch_norm=False)
    network.eval()
    before = [parameter.requires_grad for parameter in network.parameters()]
    grad_cam(network, feature_layer(network, SIZE), images, np.zeros(5, int))
    assert network.body_frozen
    assert [parameter.requires_grad for parameter in network.parameters()] == before
    assert not any(module._forward_hooks for module in network.modules())
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("batch_norm", [False, True])
def test_of_the_reference_cnn_the_map_is_read_before_the_last_pooling(batch_norm):
    settings = CnnSettings(channels=[4, 8], batch_norm=batch_norm, dropout=0.1)
    network = build_model(Design("cnn", SIZE, cnn=settings, head=HeadSettings(hidden=[8])), 3).eval()
    layer = feature_layer(network, SIZE)
    assert (layer.rows, layer.columns) == (SIZE // 2, SIZE // 2)
    assert isinstance(network.get_submodule(layer.name), nn.ReLU)


@pytest.mark.parametrize(
    ("architecture", "name", "side"),
    [
        ("resnet10t", "body.layer4", 2),
        ("mobilenetv2_050", "body.bn2", 2),
        ("convnext_atto", "body.norm_pre", 2),
        ("vit_tiny_patch16_224", None, None),
        ("swin_tiny_patch4_window7_224", None, None),
    ],
)
def test_of_timm_networks_the_last_map_is_found_and_transformers_have_none(architecture, name, side):
    size = 224 if name is None else 64
    network = build_model(Design(architecture, size), 2).eval()
    network.mean, network.std = 0.5, 0.5
    layer = feature_layer(network, size)
    if name is None:
        assert layer is None
        return
    assert (layer.rows, layer.columns) == (side, side)
    assert layer.name == name
    blank = np.zeros((2, size, size), np.uint8)
    assert grad_cam(network, layer, blank, np.zeros(2, int)).shape == (2, side, side)


def test_a_map_of_a_single_place_is_none():
    body = nn.Sequential(nn.Conv2d(1, 4, SIZE), nn.ReLU(), nn.Flatten())
    assert feature_layer(Classifier(body, nn.Sequential(nn.Linear(4, 2)), 0.5, 0.5), SIZE) is None


def test_of_a_network_that_learnt_to_find_a_blob_the_peak_lies_in_the_blob():
    generator = np.random.default_rng(1)
    torch.manual_seed(1)
    network = averaging_network(channels=6, classes=2)
    optimizer = torch.optim.Adam(network.parameters(), 0.02)

    def drawn(count):
        noise = generator.integers(60, 120, size=(count, SIZE, SIZE)).astype(np.uint8)
        places, labels = generator.integers(3, SIZE - 9, size=(count, 2)), np.arange(count) % 2
        for image, (row, column), label in zip(noise, places, labels, strict=True):
            if label:
                image[row : row + 6, column : column + 6] = 240
        return noise, places, labels

    for _ in range(80):
        batch, _, labels = drawn(32)
        logits = network(network.normalised(torch.from_numpy(batch).float() / 255))
        loss = nn.functional.cross_entropy(logits, torch.from_numpy(labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    batch, places, labels = drawn(40)
    maps = grad_cam(network, feature_layer(network, SIZE), batch, np.ones(40, int))
    for grid, (row, column), label in zip(maps, places, labels, strict=True):
        if label:
            top, left = np.unravel_index(enlarged(grid, SIZE).argmax(), (SIZE, SIZE))
            assert row - 1 <= top <= row + 6
            assert column - 1 <= left <= column + 6
