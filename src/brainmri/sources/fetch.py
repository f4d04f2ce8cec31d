"""The stage `fetch`: a data set's files, brought in safely, and where they came from."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from inspect import signature
from pathlib import Path

from brainmri import __version__
from brainmri.artefacts import write_json, written_atomically
from brainmri.digests import file_digest
from brainmri.errors import BrainmriError, nearest, unreadable, unwritable
from brainmri.processes import host, is_running
from brainmri.progress import progress
from brainmri.sources.directory import files_taken, listing_digest
from brainmri.sources.extraction import extract
from brainmri.sources.files import list_files
from brainmri.sources.files_digest import digest_of_folder
from brainmri.sources.kaggle import KaggleSet, Patience, from_kaggle
from brainmri.sources.raw_folder import claim, place_of
from brainmri.sources.settings import SourceSettings


@dataclass
class Provenance:
    """What `fetch.json` says beside the files' number and bytes.

    Parameters
    ----------
    source
        The Kaggle handle, the path of the archive or folder, or the phantom's options.
    archive
        Name, SHA-256 and bytes of the archive; empty where there is none.
    listing
        Digest of paths, sizes and times of a folder's files; None where there is none.
    skipped
        Files of a folder that were not copied: ``path`` and ``reason`` of each.
    version
        The version that was downloaded.
    licence
        The licence as Kaggle gives it.
    downloaded
        Whether it came over the network, or from the cache of such downloads.
    """

    source: str | dict
    archive: dict = field(default_factory=dict)
    listing: str | None = None
    skipped: list[dict] = field(default_factory=list)
    version: int | None = None
    licence: str | None = None
    downloaded: bool = False


def fetch(
    dataset: str,
    source: SourceSettings,
    raw: Path,
    output: Path,
    archives_dir: Path = Path("data/archives"),
    attempts: int = 6,
    stall_seconds: float = 60.0,
) -> None:
    """Bring a data set's files in, safely, and record where they came from.

    A failure leaves the files of an earlier fetch as they were. Files that no fetch brought are not replaced.

    Parameters
    ----------
    dataset
        The data set's name.
    source
        Where it comes from: kaggle, archive, directory or phantom.
    raw
        The folder to make; of a link, the folder that it leads to. For a phantom, the truth table is written
        beside it (truth.parquet).
    output
        Where to write the provenance (fetch.json).
    archives_dir
        The folder with archives downloaded by hand, as {owner}/{name}.zip; one that lies there is taken
        in place of a download.
    attempts
        Attempts at a download, in a row, that bring nothing new.
    stall_seconds
        An attempt at a download is broken off when nothing has come for so many seconds.
    """
    if source.datasets is not None:
        raise BrainmriError(f"{dataset} is pooled from other data sets: run the stage pool instead.")
    patience = Patience(attempts=attempts, stall_seconds=stall_seconds)
    place = place_of(raw)
    with staging_folder(place) as staging:
        files = staging / "files"
        files.mkdir()
        if source.phantom is not None:
            provenance = draw_phantom(source.phantom, files, staging / "truth.parquet")
        elif source.directory is not None:
            provenance = copy_folder(source.directory, raw, files)
        elif source.kaggle is not None:
            provenance = bring_from_kaggle(source, archives_dir, files, patience)
        else:
            provenance = unpack(source.archive, files)
        paths = list_files(files)
        if not paths:
            raise BrainmriError(f"The source of {dataset} ({source.kind} {provenance.source}) holds no file.")
        total = sum((files / path).stat().st_size for path in paths)
        digest = digest_of_folder(dataset, files, paths)
        claim(place, output, dataset, files, paths)
        # A killed process leaves no provenance rather than that of other files.
        output.unlink(missing_ok=True)
        if source.phantom is not None:
            # A link can lead to another disk, where a rename does not reach.
            with written_atomically(raw.parent / "truth.parquet") as truth:
                shutil.copyfile(staging / "truth.parquet", truth)
        replace_folder(files, place, staging / "old")
    document = {
        "dataset": dataset,
        "kind": source.kind,
        "source": provenance.source,
        **origin_of(source, provenance),
        "files": len(paths),
        "bytes": total,
        "files_sha256": digest,
        "listing_sha256": provenance.listing,
        "skipped": provenance.skipped,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "brainmri_version": __version__,
    }
    write_json(document, output)
    print(f"{dataset}: {len(paths)} files, {total} bytes, from {source.kind}")
    for skipped in provenance.skipped:
        print(f"{dataset}: not copied: {skipped['path']} ({skipped['reason']})")


def origin_of(source: SourceSettings, provenance: Provenance) -> dict:
    """Return what `fetch.json` says about version, licence and archive."""
    return {
        "version": provenance.version or source.version,
        "downloaded": provenance.downloaded,
        "licence": source.licence or provenance.licence,
        "licence_on_kaggle": provenance.licence,
        "archive": provenance.archive.get("name"),
        "archive_sha256": provenance.archive.get("sha256"),
        "archive_bytes": provenance.archive.get("bytes"),
    }


def draw_phantom(options: dict, files: Path, truth: Path) -> Provenance:
    """Draw the synthetic set with the given options."""
    from brainmri.sources.phantom import phantom

    known = set(signature(phantom).parameters) - {"output", "truth"}
    for key in options:
        if key not in known:
            raise BrainmriError(f"source.phantom has no option '{key}'. {nearest(key, known)}")
    phantom(output=files, truth=truth, **options)
    return Provenance(source=dict(options))


def bring_from_kaggle(
    source: SourceSettings, archives_dir: Path, files: Path, patience: Patience
) -> Provenance:
    """Unpack the archive of a Kaggle set: the one that lies in `archives_dir`, else a download."""
    by_hand = archives_dir / f"{source.kaggle}.zip"
    if by_hand.is_file():
        provenance = unpack(by_hand, files)
        provenance.source = source.kaggle
        return provenance

    def unpack_anew(archive: Path) -> None:
        shutil.rmtree(files)
        files.mkdir()
        extract(archive, files)

    record = from_kaggle(KaggleSet(source.kaggle, source.version, by_hand), unpack_anew, patience)
    return Provenance(
        source=source.kaggle,
        archive={"name": by_hand.name, "sha256": record["sha256"], "bytes": record["bytes"]},
        version=record["version"],
        licence=record["licence"],
        downloaded=True,
    )


def unpack(archive: Path, files: Path) -> Provenance:
    """Unpack an archive, and tell its name, SHA-256 and bytes."""
    if not archive.is_file():
        raise BrainmriError(f"{archive} is no file: source.archive must be the path of a zip or tar file.")
    try:
        digest = file_digest(archive)
    except OSError as error:
        raise unreadable(archive, error, "mend its permissions") from None
    extract(archive, files)
    described = {"name": archive.name, "sha256": digest, "bytes": archive.stat().st_size}
    return Provenance(source=str(archive), archive=described)


def copy_folder(directory: Path, raw: Path, files: Path) -> Provenance:
    """Copy the files of a folder; what is left is told.

    The copy is a real one: hard links would let a later change of the original change `raw` as well.
    """
    paths, left = files_taken(directory)
    whole, target = directory.resolve(), raw.resolve()
    if whole == target or whole in target.parents or target in whole.parents:
        raise BrainmriError(f"source.directory {directory} and {raw} lie in one another: keep them apart.")
    try:
        # Before the first is copied: one that changes while others are copied is noticed by the next run.
        listing = listing_digest(directory, paths)
        for path in progress(paths, description="copy", unit="file"):
            copy = files / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(directory / path, copy)
    except OSError as error:
        raise BrainmriError(f"{error.filename} cannot be copied ({error.strerror}).") from None
    # What is closed to others there stays closed here.
    files.chmod(files.stat().st_mode & directory.stat().st_mode & 0o777 | 0o700)
    return Provenance(source=str(directory), listing=listing, skipped=left)


@contextmanager
def staging_folder(raw: Path) -> Iterator[Path]:
    """Give an empty folder on the file system of `raw`, and remove it at the end, whatever happens."""
    # Host and process are in the name: what a killed process left can be told from what another fills.
    this_host = host()
    try:
        raw.parent.mkdir(parents=True, exist_ok=True)
        for left in raw.parent.glob(f".{raw.name}.{this_host}.*.fetch"):
            process = left.name.split(".")[-2]
            if process.isdigit() and not is_running(int(process)):
                shutil.rmtree(left, ignore_errors=True)
        staging = raw.parent / f".{raw.name}.{this_host}.{os.getpid()}.fetch"
        staging.mkdir()
    except OSError as error:
        raise unwritable(raw.parent, error) from None
    try:
        yield staging
    except OSError as error:
        raise unwritable(raw, error) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def replace_folder(new: Path, target: Path, aside: Path) -> None:
    """Put `new` at `target`; what lay there is moved to `aside`, and back again if that fails."""
    if target.exists() or target.is_symlink():
        target.replace(aside)
    try:
        new.replace(target)
    except OSError:
        if aside.exists():
            aside.replace(target)
        raise
