"""Damaged configurations: a whole one with its defaults, or a sentence for each mistake."""

import copy
import json
from pathlib import Path

import numpy as np
import yaml
from mutation import mutated

from brainmri.configuration import checked
from brainmri.study import Study

ROOT = Path(__file__).parents[2]
VALUES = (
    None, True, False, -1, 0, 1, 10**400, 2**63, 1e308, float("nan"), float("inf"), "", "x", "none", "nan",
    "1e999", "../..", "\x00", "\ud83d\ude00", "x" * 50_000, "(" * 500, "[" * 5_000, [], {}, [[]], [None],
    {"": {}}, [1] * 1000, "grouped", "phantom", {"name": "adam"}, {1: 2}, {None: None},
    {"a": {"a": {"a": {}}}}, "(a+)+$", "[0-9",
)  # fmt: skip
LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40))
NESTED_LAUGHS = "m0: &m0 {x: 1}\n" + "".join(
    f"m{i}: &m{i} {{p: *m{i - 1}, q: *m{i - 1}}}\n" for i in range(1, 40)
)
BOMBS = (
    LAUGHS,
    LAUGHS + "study: x\nclass_names: *a39\n",
    NESTED_LAUGHS + "study: x\nmodels: *m39\ndatasets: *m39\nsplits: {}\n",
    "study: &s [*s]\ndatasets: {}\nsplits: {}\nmodels: {}\n",
    "study: x\nmodels: &m {a: *m}\ndatasets: *m\nsplits: *m\n",
    "study: " + "[" * 3000,
    "study: " + "{a: " * 3000,
    "!!python/object/apply:os.system ['true']",
    "study: !!binary aGVsbG8=\n",
    "study: 2020-01-01\ndatasets: !!set {a, b}\nmodels: !!omap [a: b]\nsplits: {}\n",
    "? [a, b]\n: c\n",
    "<<: [1]\nstudy: a\n",
    "study: a\nstudy: b\n",
    "\t- a: b",
    "%YAML 9.9\n---\nstudy: a\n",
    "study: 0x" + "f" * 5000 + "\n",
    "seeds: [" + "1" * 6000 + "]\nstudy: a\ndatasets: {}\nsplits: {}\nmodels: {}\n",
)


def prepare(folder: Path):
    """Return the attempt with a number."""
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8"))
    texts = [path.read_bytes() for path in sorted((ROOT / "config").rglob("*.yaml"))]
    documents = [yaml.safe_load(text) for text in texts]

    def attempt(number: int) -> str:
        rng = np.random.default_rng([5, number])
        which = int(rng.integers(len(texts)))
        if number < len(BOMBS):
            document = read(BOMBS[number].encode())
        elif number % 4 == 0:
            document = read(mutated(texts[which], texts, rng))
        elif number % 40 == 1:
            encoding = ["utf-16", "utf-32", "latin-1"][int(rng.integers(3))]
            document = read(texts[which].decode().encode(encoding, "replace"))
        else:
            document = copy.deepcopy(documents[which])
            for _ in range(int(rng.choice([1, 1, 2, 4]))):
                change(document, documents, rng)
        if document is None:
            return "no yaml"
        whole = checked(document, schema)
        use(whole)
        return "valid"

    return attempt


def read(data: bytes) -> dict | None:
    """Return what Snakemake reads, which refuses by itself what is no YAML, and what is no mapping."""
    try:
        document = yaml.safe_load(data)
    # Of YAML that makes no sense the reader raises all of these, and Snakemake tells them.
    except (yaml.YAMLError, ValueError, TypeError, RecursionError, AttributeError):
        return None
    return document if isinstance(document, dict) else None


def use(config: dict) -> None:
    """Cross the names of a valid configuration, as the Snakefile does, and write it out."""
    study = Study.from_config(config)
    assert study.image_sizes()
    list(study.runs())
    try:
        json.dumps(config, allow_nan=False)
    except ValueError:
        raise AssertionError("a valid configuration holds what is no number") from None


def change(document, documents: list, rng: np.random.Generator) -> None:
    """Change one entry somewhere in a configuration; in place."""
    inner = document
    while True:
        keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
        if not keys:
            return
        key = keys[int(rng.integers(len(keys)))]
        if not isinstance(inner[key], dict | list) or not inner[key] or rng.random() < 0.15:
            break
        inner = inner[key]
    match int(rng.integers(5)):
        case 0:
            del inner[key]
        case 1 | 2:
            inner[key] = copy.deepcopy(VALUES[int(rng.integers(len(VALUES)))])
        case 3:
            other = documents[int(rng.integers(len(documents)))]
            inner[key] = copy.deepcopy(other[list(other)[int(rng.integers(len(other)))]])
        case 4 if isinstance(inner, dict):
            name = VALUES[int(rng.integers(len(VALUES)))]
            inner[name if isinstance(name, str | int | None) else f"{key}s"] = inner.pop(key)
        case _:
            inner[key] = str(inner[key])
