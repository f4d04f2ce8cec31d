"""Hostile models: damaged and lying weights, documents with hostile values; refused, or usable."""

import io
import json
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import torch
from mutation import mutated
from safetensors.torch import save

from brainmri.digests import file_digest
from brainmri.evaluation.model_inputs import calibration_beside
from brainmri.evaluation.probabilities import refuse_infinite
from brainmri.images.box import CropSettings
from brainmri.mapping import settings_from
from brainmri.models.build import build_model
from brainmri.models.saved import load_model, predict_logits, save_model
from brainmri.models.settings import Design
from brainmri.models.weights import load_weights, read_weights

HOSTILE = (
    None, True, -1, 0, 10**9, 2**70, 0.5, float("nan"), float("inf"), "", "x", "../../etc/passwd",
    "/etc/passwd", "\x1b[2J", "\ud800", "x" * 100_000, [], {}, [[]], ["a"] * 20_000, [1] * 1000, [10**9],
    {"a": {"a": {"a": 1}}}, "hf-hub:x/y", "resnet50", "vit_giant_patch14_dinov2",
)  # fmt: skip


class Bomb:
    """An object whose pickle writes a file when it is read."""

    def __init__(self, path: str):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


def prepare(folder: Path):
    """Return the attempt with a number."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    design = settings_from(Design, {"image_size": 32, "cnn": {"channels": [4], "batch_norm": True}})
    model = build_model(design, 3)
    model.mean, model.std = 0.25, 0.2
    weights, document, target = folder / "model.safetensors", folder / "model.json", folder / "executed"
    save_model(
        *(model, weights, document),
        recipe=design,
        classes=["glioma", "meningioma", "pituitary"],
        crop={"method": "none"},
        manifest_digest="0" * 64,
        facts={},
    )
    (folder / "calibration.json").write_text(json.dumps({"temperature": 1.5, "referral_confidence": 0.5}))
    state = dict(model.state_dict())
    good = weights.read_bytes(), document.read_text(), (folder / "calibration.json").read_text()
    torch_files = {"zip.pt": saved(state), "old.pth": saved(state, _use_new_zipfile_serialization=False)}

    def attempt(number: int) -> str:
        rng = np.random.default_rng([4, number])
        weights.write_bytes(good[0])
        document.write_text(good[1])
        (folder / "calibration.json").write_text(good[2])
        try:
            match number % 5:
                case 0:
                    weights.write_bytes(mutated(good[0], list(torch_files.values()), rng))
                    if rng.random() < 0.7:
                        vouch(document, weights)
                case 1:
                    weights.write_bytes(lying_tensors(state, rng, target))
                    vouch(document, weights)
                case 2:
                    write_hostile(document, rng)
                case 3:
                    write_hostile(folder / "calibration.json", rng)
                case 4:
                    name = list(torch_files)[int(rng.integers(2))]
                    other = folder / name
                    damaged = mutated(torch_files[name], [good[0]], rng)
                    other.write_bytes(hostile_pickle(target, rng) if rng.random() < 0.3 else damaged)
                    load_weights(build_model(design, 3), read_weights(other), other)
                    return "taken"
            return used(folder)
        finally:
            assert not target.exists(), "code in a file was executed"

    return attempt


def used(folder: Path) -> str:
    """Use a model as `predict` does."""
    network, document = load_model(folder)
    settings_from(CropSettings, document.get("crop") or {})
    calibration_beside(folder / "model.safetensors", document)
    size = document["image_size"]
    assert 8 <= size <= 4096
    assert all(name.isprintable() and "/" not in name for name in document["classes"])
    if size <= 64:
        logits = predict_logits(network, np.zeros((1, size, size), np.uint8), "cpu")
        refuse_infinite(logits, "The model")
    return "used"


def vouch(document: Path, weights: Path) -> None:
    """Write the digest of hostile weights into their document, as an attacker would."""
    told = json.loads(document.read_text())
    document.write_text(json.dumps({**told, "weights_sha256": file_digest(weights)}))


def write_hostile(document: Path, rng: np.random.Generator) -> None:
    """Put a hostile value somewhere into a document, or damage its text."""
    if rng.random() < 0.3:
        damaged = mutated(document.read_bytes(), [b"[" * 100_000, b"{}", b'"\xff'], rng)
        document.write_bytes(damaged)
        return
    told = json.loads(document.read_text())
    inner = told
    while True:
        key = list(inner)[int(rng.integers(len(inner)))]
        if not isinstance(inner[key], dict) or not inner[key] or rng.random() < 0.3:
            break
        inner = inner[key]
    value = HOSTILE[int(rng.integers(len(HOSTILE)))]
    if isinstance(inner[key], list) and rng.random() < 0.5:
        inner[key] = [value, *inner[key][1:]]
    elif rng.random() < 0.1:
        inner[str(value)] = inner.pop(key)
    else:
        inner[key] = value
    document.write_text(json.dumps(told))


def lying_tensors(state: dict, rng: np.random.Generator, target: Path) -> bytes:
    """Return weights that lie: other shapes, no numbers, headers that say what is not there, or a pickle."""
    state = {key: tensor.clone() for key, tensor in state.items()}
    key = list(state)[int(rng.integers(len(state)))]
    match int(rng.integers(7)):
        case 0:
            state[key] = (
                torch.full_like(state[key], float("nan")) if state[key].is_floating_point() else state[key]
            )
        case 1:
            state[key] = torch.ones(tuple(rng.integers(0, 5, int(rng.integers(0, 5)))))
        case 2:
            state[key] = state[key].to(
                [torch.float64, torch.int8, torch.bool, torch.float16][int(rng.integers(4))]
            )
        case 3:
            state["../../" + key] = state.pop(key)
        case 4:
            length = int(rng.choice([0, 1, 2**31, 2**62, 10**6]))
            return struct.pack("<Q", length) + save(state)[8:]
        case 5:
            shape = [2**20, 2**20]
            header = {key: {"dtype": "F32", "shape": shape, "data_offsets": [0, 4 * shape[0] * shape[1]]}}
            text = json.dumps(header).encode()
            return struct.pack("<Q", len(text)) + text + bytes(64)
        case 6:
            return hostile_pickle(target, rng)
    return save(state)


def hostile_pickle(target: Path, rng: np.random.Generator) -> bytes:
    """Return a pickle that would write a file, bare or in the zip that `torch.save` makes."""
    data = pickle.dumps({"model": Bomb(str(target))}, protocol=int(rng.integers(0, 5)))
    if rng.random() < 0.5:
        return data
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr("archive/data.pkl", data)
        packed.writestr("archive/version", "3\n")
        packed.writestr("archive/byteorder", "little")
    return buffer.getvalue()


def saved(state: dict, **options) -> bytes:
    """Return tensors as `torch.save` writes them."""
    buffer = io.BytesIO()
    torch.save(state, buffer, **options)
    return buffer.getvalue()
