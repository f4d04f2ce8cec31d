"""Grouped convolutions within a CPU's bf16 arithmetic: in fp32, and else as torch's."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from brainmri.models.build import build_model
from brainmri.training.arithmetic import in_arithmetic
from brainmri.training.grouped import GroupedConvolution, keep_grouped_in_fp32
from brainmri.training.recipe import recipe_from

CPU = torch.device("cpu")


def gradients(layer, images, precision):
    """Return a layer's maps and the gradients of its weights and of its images."""
    images = images.clone().requires_grad_()
    layer.zero_grad()
    with in_arithmetic(precision, CPU):
        maps = layer(images)
    maps.float().square().sum().backward()
    return maps.detach(), layer.weight.grad, images.grad


def test_within_bf16_weights_see_products_of_full_precision():
    torch.manual_seed(0)
    layer = nn.Conv2d(6, 6, 3, padding=1, groups=6, bias=False)
    images = torch.randn(4, 6, 9, 9).bfloat16()
    wanted, weights, _ = gradients(layer, images.float(), "fp32")
    plainly, rounded, _ = gradients(layer, images, "bf16")
    keep_grouped_in_fp32(layer)
    assert isinstance(layer, GroupedConvolution)
    maps, ours, back = gradients(layer, images, "bf16")
    assert maps.dtype == plainly.dtype == torch.bfloat16 and back.dtype == torch.bfloat16
    torch.testing.assert_close(maps.float(), wanted, rtol=2**-8, atol=0)  # rounded once, at the end
    # The square's derivative is rounded once; torch's own kernel rounds the weights too.
    assert (ours - weights).abs().max() < 0.5 * (rounded - weights).abs().max()


def test_elsewhere_it_is_torchs_convolution_to_the_bit():
    torch.manual_seed(0)
    layer = nn.Conv2d(6, 12, 5, stride=2, groups=3)
    images = torch.randn(4, 6, 9, 9)
    before = gradients(layer, images, "fp32")
    state = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
    keep_grouped_in_fp32(layer)
    for one, other in zip(before, gradients(layer, images, "fp32"), strict=True):
        assert torch.equal(one, other)
    assert state.keys() == layer.state_dict().keys()


@pytest.mark.parametrize("padding", ["", "same"])
def test_only_grouped_convolutions_of_a_network_change_and_copies_keep_them(padding):
    design = {"image_size": 32, "architecture": "mobilenetv2_050", "backbone": {"pad_type": padding}}
    network = build_model(recipe_from(design), 3)
    grouped = [module for module in network.modules() if getattr(module, "groups", 1) > 1]
    keep_grouped_in_fp32(network)
    keep_grouped_in_fp32(network)  # twice changes nothing more
    assert len(grouped) == 17
    assert [module for module in network.modules() if isinstance(module, GroupedConvolution)] == grouped
    assert {module.stride for module in grouped} == {(1, 1), (2, 2)}
    images = torch.randn(2, 1, 32, 32)
    with in_arithmetic("bf16", CPU), torch.no_grad():
        assert torch.equal(deepcopy(network).eval()(images), network.eval()(images))
