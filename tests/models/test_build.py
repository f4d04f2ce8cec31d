"""Networks: shapes, gradients, what freezing means, and weights from files."""

import logging
import pickle
from pathlib import Path

import pytest
import torch
from helpers import Trap
from safetensors.torch import save_file

from brainmri.errors import BrainmriError
from brainmri.mapping import settings_from
from brainmri.models.build import build_model, weights_digest
from brainmri.models.settings import Design

# The CNNs of the public reference systems, by their number in the documentation (system 1 has two phases).
REFERENCE_CNNS = {
    "orvile": (
        {"channels": [16, 32, 64], "kernel_size": 2, "padding": 1, "batch_norm": True},
        {"hidden": [512, 128], "dropout": 0.5},
        224,
        3,
    ),
    "orvile_without_dropout": (
        {"channels": [16, 32, 64], "kernel_size": 2, "padding": 1, "batch_norm": True},
        {"hidden": [512, 128], "dropout": 0.0},
        224,
        3,
    ),
    "masoud": ({"channels": [16, 32, 64]}, {"hidden": 512, "dropout": 0.5}, 168, 4),
    "sartaj": ({"channels": [32, 64], "padding": 0}, {"hidden": [64], "dropout": 0.0}, 150, 4),
}
PLAIN_RGB = {"pretrained_cfg_overlay": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}}


def made(**document):
    return settings_from(Design, document)


@pytest.mark.parametrize("name", REFERENCE_CNNS)
def test_reference_cnns_give_logits_and_gradients(name):
    cnn, head, size, classes = REFERENCE_CNNS[name]
    model = build_model(made(cnn=cnn, head=head, image_size=size), classes)
    logits = model(torch.rand(2, 1, size, size))
    assert logits.shape == (2, classes)
    logits.logsumexp(dim=1).sum().backward()
    for parameter in model.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0


def test_the_baseline_has_the_parameters_of_its_description():
    cnn, head, size, classes = REFERENCE_CNNS["sartaj"]
    model = build_model(made(cnn=cnn, head=head, image_size=size), classes)
    # 148 → 74 → 72 → 36 pixels: conv (9·1+1)·32, conv (9·32+1)·64, dense 36²·64+1 by 64, 65 by 4.
    expected = 10 * 32 + 289 * 64 + (36 * 36 * 64 + 1) * 64 + 65 * 4
    assert sum(parameter.numel() for parameter in model.parameters()) == expected


@pytest.mark.parametrize(
    ("architecture", "features"),
    [
        ("resnet18", 512),
        ("vgg11", 512),
        ("mobilenetv2_050", 1280),
        ("efficientnet_b0", 1280),
        ("vit_tiny_patch16_224", 192),
    ],
)
def test_timm_bodies_take_gray_images_of_any_size(architecture, features):
    model = build_model(made(architecture=architecture, image_size=64, head={"hidden": 8}), 3)
    assert model.head[0].in_features == features
    model.eval()
    assert model(torch.rand(2, 1, 64, 64)).shape == (2, 3)


def test_the_normalisation_is_the_model_s_own():
    own = build_model(made(architecture="resnet18", image_size=32), 2)
    assert own.mean == pytest.approx((0.485 + 0.456 + 0.406) / 3)
    assert own.std == pytest.approx((0.229 + 0.224 + 0.225) / 3)
    assert own.interpolation == "bicubic"
    given = build_model(made(architecture="resnet18", image_size=32, backbone=PLAIN_RGB), 2)
    assert (given.mean, given.std) == (0.5, 0.5)
    assert build_model(made(image_size=32), 2).mean is None
    fixed = build_model(made(image_size=32, cnn={"normalise": [0.5, 0.25]}), 2)
    assert (fixed.mean, fixed.std) == (0.5, 0.25)


def test_backbone_arguments_reach_timm_and_wrong_ones_are_named():
    same = build_model(made(architecture="mobilenetv2_050", image_size=32, backbone={"pad_type": "same"}), 2)
    assert "Same" in type(same.body.conv_stem).__name__
    with pytest.raises(BrainmriError, match="pad_typ"):
        build_model(made(architecture="mobilenetv2_050", image_size=32, backbone={"pad_typ": "same"}), 2)
    with pytest.raises(BrainmriError, match="tag"):
        build_model(made(architecture="resnet18.nonsense", image_size=32), 2)


@pytest.fixture(scope="module")
def colour_model():
    import timm

    torch.manual_seed(0)
    return timm.create_model("resnet10t", num_classes=1000).eval()


def test_gray_through_folded_weights_equals_gray_in_three_channels(tmp_path, colour_model):
    save_file(colour_model.state_dict(), tmp_path / "resnet10t.safetensors")
    design = made(architecture="resnet10t", image_size=48, pretrained=True, backbone=PLAIN_RGB)
    model = build_model(design, 4, tmp_path).eval()
    gray = torch.rand(3, 48, 48)
    colour = ((gray - 0.5) / 0.5).unsqueeze(1).expand(-1, 3, -1, -1)
    with torch.no_grad():
        expected = colour_model.forward_head(colour_model.forward_features(colour), pre_logits=True)
        found = model.body(model.normalised(gray))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_weights_that_do_not_fit_are_refused(tmp_path, colour_model):
    file = tmp_path / "weights.safetensors"
    state = {key: tensor.clone() for key, tensor in colour_model.state_dict().items()}
    design = made(architecture="resnet10t", image_size=32, pretrained=str(file))

    def refused(words, **changes):
        save_file({key: value for key, value in {**state, **changes}.items() if value is not None}, file)
        with pytest.raises(BrainmriError, match=words):
            build_model(design, 4)

    refused("lacks 1 of .*'layer1.0.bn1.weight'", **{"layer1.0.bn1.weight": None})
    refused("has shape", **{"layer1.0.bn1.weight": torch.ones(3)})
    refused("not finite", **{"layer1.0.bn1.weight": torch.full_like(state["layer1.0.bn1.weight"], torch.nan)})
    file.write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00not json")
    with pytest.raises(BrainmriError, match="no readable weights file"):
        build_model(design, 4)
    file.unlink()
    with pytest.raises(BrainmriError, match="does not exist"):
        build_model(design, 4)


def test_a_pickle_is_read_without_running_it(tmp_path, colour_model):
    file, sprung = tmp_path / "weights.pth", tmp_path / "sprung"
    design = made(architecture="resnet10t", image_size=32, pretrained=str(file))
    torch.save({"state_dict": colour_model.state_dict()}, file)
    build_model(design, 4)
    with file.open("wb") as handle:
        pickle.dump(Trap(sprung), handle)
    with pytest.raises(BrainmriError, match="no readable weights file"):
        build_model(design, 4)
    torch.save(Trap(sprung), file)
    with pytest.raises(BrainmriError, match="no readable weights file"):
        build_model(design, 4)
    assert not sprung.exists()


def test_without_network_the_file_to_provide_is_named(monkeypatch, capsys):
    import timm

    def offline(*_, pretrained, **__):
        raise OSError("no answer of https://me:hf_p@ssword@hub.example/timm")

    monkeypatch.setattr(timm, "create_model", offline)
    told = (
        r"put https://huggingface.co/timm/resnet18.a1_in1k/resolve/main/model.safetensors at w/resnet18.safe"
    )
    overlay = {"pretrained_cfg_overlay": {"mean": [0.5, 0.5, 0.5]}}
    design = made(architecture="resnet18", image_size=32, pretrained=True, backbone=overlay)
    with pytest.raises(BrainmriError, match=told) as caught:
        build_model(design, 2, Path("w"))
    assert "w/resnet18.safetensors is not there" in capsys.readouterr().err
    assert "(no answer of https://hub.example/timm)" in str(caught.value)
    # What it says at each retry holds that address too.
    assert not logging.getLogger("huggingface_hub.utils._http").isEnabledFor(logging.ERROR)


def test_weights_that_timm_downloads_have_a_digest(monkeypatch):
    import timm

    create = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda *names, pretrained, **rest: create(*names, **rest))
    design = made(architecture="resnet10t", image_size=32, pretrained=True)
    digests = []
    for seed in (0, 1, 0):
        torch.manual_seed(seed)
        digests.append(weights_digest(design, Path("none"), build_model(design, 2, Path("none"))))
    assert digests[0] == digests[2] != digests[1]


def test_a_frozen_body_stays_and_its_head_learns():
    model = build_model(made(architecture="resnet10t", image_size=32, head={"hidden": []}), 2)
    model.freeze(body=True, batch_norm=False)
    before = {key: tensor.clone() for key, tensor in model.body.state_dict().items()}
    model.train()(torch.rand(4, 1, 32, 32)).sum().backward()
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.body.state_dict().items())
    assert all(parameter.grad is None for parameter in model.body.parameters())
    assert all(parameter.grad is not None for parameter in model.head.parameters())


def test_frozen_batch_norm_keeps_its_statistics_while_the_body_learns():
    model = build_model(made(architecture="resnet10t", image_size=32), 2)
    model.freeze(body=False, batch_norm=True)
    model.train()
    model(torch.rand(4, 1, 32, 32)).sum().backward()
    assert model.body.bn1.running_mean.abs().max() == 0
    assert model.body.conv1[0].weight.grad is not None
    model.freeze(body=False, batch_norm=False)
    model.train()(torch.rand(4, 1, 32, 32))
    assert model.body.bn1.running_mean.abs().max() > 0


def test_a_brainmri_model_can_be_the_start_of_another(tmp_path):
    first = build_model(made(image_size=32), 3)
    file = tmp_path / "model.safetensors"
    save_file(first.state_dict(), file)
    second = build_model(made(image_size=32, pretrained=str(file)), 2)
    assert torch.equal(first.body[0].weight, second.body[0].weight)
