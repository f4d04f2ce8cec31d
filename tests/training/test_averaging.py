"""The moving average of the weights, against its definition, and through a kill."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from brainmri.models.classifier import Classifier
from brainmri.models.saved import load_model, predict_logits
from brainmri.training.averaging import AverageWeights
from brainmri.training.recipe import recipe_from
from brainmri.training.train import train


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


def test_the_average_is_validated_and_kept_and_not_the_last_weights(blob_files, tmp_path):
    recipe = {"image_size": 32, "cnn": {"channels": [4]}, "epochs": 3, "batch_size": 16}
    recipe |= {"precision": "fp32", "layout": "contiguous", "checkpoint": {"monitor": "last"}}
    folders = {"checkpoint_dir": tmp_path / "checkpoints", "cache_dir": tmp_path / "arithmetic"}
    rows = pd.read_parquet(blob_files[0]).query("split == 'val'")
    images, truth = np.load(blob_files[1])[rows["row"]], torch.tensor(rows["label_index"].values)
    kept = {}
    for ema in (None, 0.5):
        folder = tmp_path / str(ema)
        paths = [folder / name for name in ("model.safetensors", "model.json", "history.parquet")]
        train(*blob_files, *paths, recipe_from({**recipe, "ema": ema}), device="cpu", **folders)
        kept[ema] = load_file(paths[0])
        logits = torch.from_numpy(predict_logits(load_model(folder)[0], images, "cpu"))
        loss = nn.functional.cross_entropy(logits, truth).item()
        assert pd.read_parquet(paths[2])["val_loss"].iloc[-1] == pytest.approx(loss, rel=1e-5)
    assert all(not torch.equal(kept[0.5][key], tensor) for key, tensor in kept[None].items())
