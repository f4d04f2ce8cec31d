"""Damaged archives: unpacked whole or refused in a sentence, and nothing written outside."""

import gzip
import io
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from mutation import mutated

from brainmri.sources.extraction import extract


def good_archives() -> dict[str, bytes]:
    """Return good small archives by name."""
    rng = np.random.default_rng(0)
    files = {f"{part}/{name}.bin": rng.bytes(300) for part in ("Training", "Testing") for name in "abc"}
    archives = {}
    for name, packing in (("stored.zip", zipfile.ZIP_STORED), ("deflated.zip", zipfile.ZIP_DEFLATED)):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", packing) as archive:
            for path, data in files.items():
                archive.writestr(path, data + bytes(300))
        archives[name] = buffer.getvalue()
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
            for path, data in files.items():
                entry = tarfile.TarInfo(path if form == tarfile.USTAR_FORMAT else f"{path}-{'é' * 150}")
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
        archives[f"{form}.tar"] = buffer.getvalue()
        archives[f"{form}.tar.gz"] = gzip.compress(buffer.getvalue())
    return archives


def prepare(folder: Path):
    """Return the attempt with a number."""
    good = good_archives()
    names = list(good)
    inside, archive = folder / "around" / "inside", folder / "archive"

    def attempt(number: int) -> str:
        name = names[number % len(names)]
        archive.write_bytes(mutated(good[name], list(good.values()), np.random.default_rng([2, number])))
        shutil.rmtree(inside.parent, ignore_errors=True)
        inside.mkdir(parents=True)
        try:
            extract(archive, inside)
        finally:
            assert [path.name for path in inside.parent.iterdir()] == ["inside"]
            assert all(path.is_file() or path.is_dir() for path in inside.rglob("*"))
        assert any(path.is_file() for path in inside.rglob("*"))
        return "whole"

    return attempt
