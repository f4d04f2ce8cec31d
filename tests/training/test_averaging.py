"""The moving average of the weights, against its definition, and through a kill."""

import json
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from brainmri.models.classifier import Classifier
from brainmri.training.averaging import AverageWeights


def small_network():
    torch.manual_seed(0)
    return Classifier(nn.Linear(3, 4), nn.BatchNorm1d(4))


def trained(average, network, run, steps, start=0):
    for step in range(start, start + steps):
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(step + 1.0)
        network(torch.randn(8, 3, generator=torch.Generator().manual_seed(step)))
        average.on_batch_end(run)


def run_of(network):
    return SimpleNamespace(model=network, averaged=None)


def test_it_is_the_average_that_it_says_it_is():
    network = small_network()
    run, average = run_of(network), AverageWeights(network, 0.9)
    average.on_epoch_begin(run)
    wanted = network.body.weight.detach().clone()
    for step in range(30):
        trained(average, network, run, 1, start=step)
        # The first step takes the weights as they are.
        decay = 0.0 if step == 0 else min(0.9, (2 + step) / (11 + step))
        wanted = decay * wanted + (1 - decay) * network.body.weight.detach()
    torch.testing.assert_close(run.averaged.body.weight.detach(), wanted)
    assert not torch.equal(run.averaged.head.running_mean, network.head.running_mean)
    assert run.averaged.head.num_batches_tracked == network.head.num_batches_tracked == 30


def test_a_restored_average_goes_on_as_if_nothing_had_happened():
    whole, halves = small_network(), small_network()
    run = run_of(whole)
    average = AverageWeights(whole, 0.9)
    average.on_epoch_begin(run)
    trained(average, whole, run, 12)

    first = AverageWeights(halves, 0.9)
    trained(first, halves, run_of(halves), 5)
    state = first.state()
    second, again = AverageWeights(halves, 0.9), run_of(halves)
    second.restore(state)
    second.on_epoch_begin(again)
    trained(second, halves, again, 7, start=5)
    for key, tensor in run.averaged.state_dict().items():
        assert torch.equal(again.averaged.state_dict()[key], tensor), key


def test_of_a_frozen_body_no_average_is_taken():
    network = small_network()
    network.freeze(body=True, batch_norm=False)
    average = AverageWeights(network, 0.9)
    averaged = {tensor.data_ptr() for kind in (average.blended, average.copied) for tensor in kind[0]}
    assert averaged == {tensor.data_ptr() for tensor in average.average.head.state_dict().values()}


@pytest.mark.parametrize("ema", [None, 0.5])
def test_the_average_is_what_is_kept(blob_files, tmp_path, ema):
    from brainmri.models.saved import load_model
    from brainmri.training.recipe import recipe_from
    from brainmri.training.train import train

    recipe = {"image_size": 32, "cnn": {"channels": [4]}, "epochs": 3, "batch_size": 16, "ema": ema}
    recipe |= {"precision": "fp32", "layout": "contiguous", "checkpoint": {"monitor": "last"}}
    paths = [tmp_path / name for name in ("model.safetensors", "model.json", "history.parquet")]
    folders = {"checkpoint_dir": tmp_path / "checkpoints", "cache_dir": tmp_path / "arithmetic"}
    train(*blob_files, *paths, recipe_from(recipe), device="cpu", **folders)
    assert json.loads(paths[1].read_text())["recipe"]["ema"] == ema
    load_model(paths[0])
