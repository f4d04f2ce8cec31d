"""Batches: what is in them follows from seed and epoch, not from where the images lie or who shares them."""

import threading

import numpy as np
import pytest
import torch
from blob_images import blobs
from hypothesis import given
from hypothesis import strategies as st

from brainmri.models.classifier import Classifier
from brainmri.training import image_sources
from brainmri.training.batches import batch_sizes, evaluation_batches, training_batches
from brainmri.training.feeds import FeatureFeed
from brainmri.training.image_sources import (
    HostImages,
    ResidentImages,
    StreamedImages,
    ahead,
    image_source,
)
from brainmri.training.parts import Part, TrainingData
from brainmri.training.recipe import recipe_from
from brainmri.training.sampling import epoch_order

CPU = torch.device("cpu")
EVERYTHING = {
    "horizontal_flip": 0.5,
    "rotation": 20,
    "shift": 0.1,
    "zoom": [0.9, 1.1],
    "crop": [0.5, 1.0],
    "brightness": 0.2,
    "contrast": 0.2,
    "noise": 0.1,
    "erase": 0.5,
}


@pytest.fixture
def data():
    labels = np.arange(60) % 3
    rows = np.random.default_rng(1).permutation(60)
    parts = (Part(rows[places], labels[rows[places]]) for places in (slice(0, 43), slice(43, 56)))
    return TrainingData(blobs(labels), *parts, ["glioma", "meningioma", "pituitary"])


@pytest.fixture
def model():
    return Classifier(torch.nn.Identity(), torch.nn.Identity(), 0.2, 0.25)


@pytest.fixture
def epoch(data, model):
    """Return a function that makes all batches of an epoch."""

    def batches(source=None, seed=0, epoch=0, first_step=0, rank=0, world=1, **recipe):
        made = recipe_from({"image_size": 32, "batch_size": 8, "augment": EVERYTHING, **recipe})
        source = source or HostImages(data.images)
        return list(training_batches(source, data, model, made, seed, epoch, CPU, first_step, rank, world))

    return batches


def equal(first, second):
    pairs = list(zip(first, second, strict=True))
    return all(torch.equal(a, c) and torch.equal(b, d) for (a, b), (c, d) in pairs)


def test_an_epoch_shows_every_image_once_with_its_label(epoch, data, model):
    batches = epoch(augment="none")
    assert len(batches) == len(batch_sizes(43, 8))
    assert [len(labels) for _, labels in batches] == [8, 8, 8, 8, 8, 3]
    images = torch.cat([images for images, _ in batches])
    assert images.shape == (43, 1, 32, 32)
    gray = torch.from_numpy(data.images[data.train.rows]) / 255
    wanted = {tensor.numpy().round(4).tobytes() for tensor in model.normalised(gray)}
    assert {tensor.numpy().round(4).tobytes() for tensor in images} == wanted
    labels = torch.cat([labels for _, labels in batches])
    for image, label in zip(images[:5], labels[:5], strict=True):
        place = (model.normalised(gray) - image).abs().sum(dim=(1, 2, 3)).argmin()
        assert data.train.labels[place] == label


def test_the_same_seed_and_epoch_give_the_same_bits_and_others_do_not(epoch):
    assert equal(epoch(), epoch())
    assert not equal(epoch(), epoch(seed=1))
    assert not equal(epoch(), epoch(epoch=1))


@pytest.mark.parametrize("mixing", [{}, {"mixup": 0.4}, {"sampler": "balanced"}])
@pytest.mark.parametrize("first_step", [1, 5, 6])
def test_an_epoch_from_a_step_on_is_the_tail_of_the_whole(epoch, mixing, first_step):
    assert equal(epoch(first_step=first_step, **mixing), epoch(**mixing)[first_step:])


def test_what_is_skipped_costs_no_pixel_work(data, model):
    class Counted(HostImages):
        asked = 0

        def moved(self, requests):
            for item in super().moved(requests):
                Counted.asked += 1
                yield item

    recipe = recipe_from({"image_size": 32, "batch_size": 8})
    list(training_batches(Counted(data.images), data, model, recipe, 0, 0, CPU, first_step=4))
    assert Counted.asked == 2


@pytest.mark.parametrize("mixing", [{}, {"mixup": 0.4}, {"cutmix": 1.0}])
@pytest.mark.parametrize("batch_size", [8, 9])
@pytest.mark.parametrize("world", [2, 4])
def test_what_processes_share_is_what_one_would_see(epoch, world, mixing, batch_size):
    whole = epoch(batch_size=batch_size, **mixing)
    shares = [epoch(rank=rank, world=world, batch_size=batch_size, **mixing) for rank in range(world)]
    for rank, share in enumerate(shares):
        assert len(share) == len(batch_sizes(43, batch_size, world))
        for step, (images, targets) in enumerate(whole[: len(share)]):
            assert torch.equal(share[step][0], images[rank::world])
            assert torch.equal(share[step][1], targets[rank::world])


def test_a_last_batch_without_two_images_a_process_is_left_out(epoch):
    assert [len(labels) for _, labels in epoch(rank=1, world=2, batch_size=39)] == [19, 2]
    assert [len(labels) for _, labels in epoch(rank=1, world=2, batch_size=40)] == [20]


@pytest.mark.parametrize("augment", ["none", EVERYTHING])
def test_resident_and_streamed_images_are_the_same_to_the_bit(epoch, data, model, augment):
    rows = np.union1d(data.train.rows, data.val.rows)
    resident, streamed = ResidentImages(data.images, rows, CPU), StreamedImages(data.images, CPU)
    assert equal(epoch(resident, augment=augment), epoch(streamed, augment=augment))
    first, second, third = (
        list(evaluation_batches(source, data.val, model, CPU, batch_size=5))
        for source in (resident, streamed, HostImages(data.images))
    )
    assert equal(first, second)
    assert equal(first, third)
    if augment == "none":
        assert equal(epoch(resident, augment=augment), epoch(augment=augment))


def test_host_images_differ_from_those_on_a_device_by_rounding_alone(epoch, data):
    # 0.51 gray values of 255, doubled at most by contrast and brightness, over the deviation of 0.25.
    rows = np.union1d(data.train.rows, data.val.rows)
    for (host, labels), (device, wanted) in zip(
        epoch(), epoch(ResidentImages(data.images, rows, CPU)), strict=True
    ):
        assert torch.equal(labels, wanted)
        assert (host - device).abs().max() < 2 * 0.51 / 255 / 0.25


def test_more_images_than_a_chunk_become_resident(data, monkeypatch):
    monkeypatch.setattr(image_sources, "CHUNK", 7)
    rows = data.train.rows
    resident = ResidentImages(data.images, rows, CPU)
    np.testing.assert_array_equal(resident.store.numpy(), data.images[rows])


@pytest.mark.parametrize(("free", "kind"), [(10**9, ResidentImages), (1000, StreamedImages)])
def test_what_fits_into_the_free_memory_becomes_resident(data, monkeypatch, free, kind):
    class Device:
        type = "cuda"

    made = []
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 10**10))
    for name in ("ResidentImages", "StreamedImages"):
        monkeypatch.setattr(image_sources, name, lambda *_, name=name: made.append(name))
    image_source(data, Device())
    assert made == [kind.__name__]
    assert isinstance(image_source(data, CPU), HostImages)


def test_evaluation_is_in_order_and_shared_by_turns(data, model):
    source = HostImages(data.images)
    labels = torch.cat([labels for _, labels in evaluation_batches(source, data.val, model, CPU, 5)])
    np.testing.assert_array_equal(labels, data.val.labels)
    shares = [
        [labels for _, labels in evaluation_batches(source, data.val, model, CPU, 4, rank, 2)]
        for rank in (0, 1)
    ]
    assert torch.equal(torch.cat(shares[0]), labels[0::2])
    assert torch.equal(torch.cat(shares[1]), labels[1::2])


@given(st.integers(1, 60), st.integers(1, 20), st.integers(1, 5))
def test_the_shares_of_all_processes_are_the_part_and_none_is_empty(images, batch_size, world):
    places = np.arange(images)
    source = HostImages(np.zeros((images, 2, 2), np.uint8))
    network = Classifier(torch.nn.Identity(), torch.nn.Identity(), 0.2, 0.25)
    for rank in range(world):
        batches = evaluation_batches(source, Part(places, places), network, CPU, batch_size, rank, world)
        shares = [labels.tolist() for _, labels in batches]
        assert [] not in shares
        assert [label for share in shares for label in share] == list(range(rank, images, world))


def test_a_balanced_epoch_draws_every_class_equally_often():
    labels = np.repeat([0, 1, 2], [80, 15, 6])
    counts = np.zeros(3, int)
    for epoch in range(30):
        order = epoch_order(labels, "balanced", np.random.default_rng([0, epoch]))
        assert len(order) == 101
        drawn = np.bincount(labels[order], minlength=3)
        assert sorted(drawn) == [33, 34, 34]
        counts += drawn
        assert len(np.unique(labels[order[:20]])) > 1
    assert counts.max() - counts.min() <= 30
    assert len(np.unique(np.concatenate([order, np.flatnonzero(labels == 2)]))) == len(np.unique(order))


def test_the_recipe_decides_how_an_epoch_is_drawn(epoch, data):
    recipe = recipe_from({"sampler": "balanced", "batch_size": 8})
    data.train.labels[:] = np.arange(43) > 38
    features, labels = torch.zeros(43, 2), torch.from_numpy(data.train.labels)
    feed = FeatureFeed(features, features[:1], labels, recipe, 0)
    for batches in (epoch(sampler="balanced"), feed.training(0)):
        shown = torch.cat([labels for _, labels in batches])
        assert sorted(torch.bincount(shown).tolist()) == [21, 22]


@pytest.mark.parametrize("mixing", [{"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 0.4, "cutmix": 1.0}])
def test_mixed_targets_are_shares_that_sum_to_one_and_come_again(epoch, mixing):
    state = np.random.get_state()[1].copy()  # noqa: NPY002 (that which timm draws from)
    batches = epoch(**mixing)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    for _, targets in batches:
        assert targets.dtype == torch.float32
        assert targets.shape[1] == 3
        torch.testing.assert_close(targets.sum(dim=1), torch.ones(len(targets)))
        assert targets.min() >= 0
    assert any(((targets > 0.01) & (targets < 0.99)).any() for _, targets in batches)
    np.random.seed(5)  # noqa: NPY002
    assert equal(batches, epoch(**mixing))
    shares = {targets.max().item() for _, targets in epoch(augment="none", mixup=1.0)}
    assert len(shares) > 1


def test_mixup_mixes_images_by_the_shares_of_their_targets(epoch):
    (plain, labels), *_ = epoch(augment="none")
    (mixed, targets), *_ = epoch(augment="none", mixup=1.0)
    differ = labels != labels.flip(0)
    share = targets[differ][0][labels[differ][0]]
    torch.testing.assert_close(mixed, share * plain + (1 - share) * plain.flip(0), atol=1e-5, rtol=1e-5)


def test_what_is_made_ahead_comes_in_order_and_its_errors_arrive():
    def items():
        yield from range(5)
        raise ValueError("the sixth")

    got = []
    with pytest.raises(ValueError, match="the sixth"):
        for item in ahead(items(), depth=2):
            got.append(item)
    assert got == list(range(5))
    assert list(ahead([], depth=2)) == []


def test_a_source_that_is_left_early_leaves_no_thread_behind(data, model):
    recipe = recipe_from({"image_size": 32, "batch_size": 4})
    before = threading.active_count()
    batches = training_batches(StreamedImages(data.images, CPU), data, model, recipe, 0, 0, CPU)
    next(batches)
    batches.close()
    assert threading.active_count() == before
