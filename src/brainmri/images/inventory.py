"""The stage `inventory`: one row a file, with the reason wherever a file is no usable image."""

import hashlib
import posixpath
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from brainmri.artefacts import read_parquet, write_parquet
from brainmri.errors import BrainmriError, changed_since_checksum, unreadable
from brainmri.images.decode import DecodeError, check_header, decode_checked, told_header
from brainmri.images.decoder_messages import decoder_messages, lost_pixels
from brainmri.images.header import (
    EXTENSIONS,
    SNIFFED_BYTES,
    UNSUPPORTED_EXTENSIONS,
    sniff,
    sniff_unsupported,
)
from brainmri.images.layout import LayoutSettings, Place, find_places, find_root
from brainmri.images.remarks import SEPARATOR, joined_remarks
from brainmri.sources.files import is_hidden, list_files
from brainmri.sources.parallel import in_parallel, one_thread_each

SCHEMA = pa.schema(
    [
        ("image_id", pa.string()),
        ("path", pa.string()),
        ("label", pa.string()),
        ("source_split", pa.string()),
        ("bytes", pa.int64()),
        ("sha256", pa.string()),
        ("pixel_sha256", pa.string()),
        ("width", pa.int64()),
        ("height", pa.int64()),
        ("channels", pa.int64()),
        ("format", pa.string()),
        ("patient_id", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("remarks", pa.string()),
        ("jpeg_quality", pa.int64()),
    ]
)
# A file of more bytes is not read into memory; all pixels that are allowed fit in, whatever their depth.
MAXIMUM_BYTES = 1 << 30


@dataclass(frozen=True)
class Finding:
    """What looking into a file told; the fields are columns of the inventory."""

    status: str
    reason: str | None = None
    format: str | None = None
    width: int | None = None
    height: int | None = None
    channels: int | None = None
    pixel_sha256: str | None = None
    patient_id: str | None = None
    remarks: str | None = None
    jpeg_quality: int | None = None


def inventory(
    raw: Path,
    checksums: Path,
    output: Path,
    layout: LayoutSettings = LayoutSettings(),  # noqa: B008 (frozen)
    classes: dict[str, list[str]] | None = None,
    workers: int = 0,
) -> None:
    """List every file of a data set: is it an image, of what class, in which split of the source.

    Parameters
    ----------
    raw
        The folder with the data set's files.
    checksums
        The table of the stage checksum.
    output
        Where to write the table (inventory.parquet). `image_id` is the path below the data set's root,
        `path` the path below `raw`; for files outside the root, `image_id` begins with ../. `remarks` holds
        the words of `brainmri.images.remarks` that apply, joined by ;.
    layout
        What the folders mean, or a table of labels; read from the folders' names where not given.
    classes
        For each class the folders that hold it, or the table's words; read from their names where not given.
    workers
        How many images to decode at a time; 0 for as many as there are cores.
    """
    table = read_parquet(checksums, columns=["path", "bytes", "sha256"])
    paths = table["path"].tolist()
    told = zip(table["bytes"].tolist(), table["sha256"].tolist(), strict=True)
    checked = dict(zip(paths, told, strict=True))
    check_unchanged(raw, paths, checksums)
    visible = [path for path in paths if not is_hidden(path)]
    places = dict(zip(visible, find_places(visible, layout, classes), strict=True))
    root = find_root(visible, layout, classes)
    for path in checked.keys() - places.keys():
        image_id = posixpath.relpath(path, root) if root else path
        places[path] = Place(image_id, None, None, None, outside=False)
    findings = examine_all(raw, places, checked, workers)
    rows = [row_of(path, *checked[path], places[path], findings[path]) for path in paths]
    rows.sort(key=lambda row: row["image_id"])
    told = summary(rows)
    if not any(row["status"] == "ok" for row in rows):
        first = next((row for row in rows if row["status"] != "foreign"), rows[0])
        raise BrainmriError(
            f"No file below {raw} is a usable image ({told}); {first['path']}: {first['reason']}."
        )
    frame = pd.DataFrame(rows, columns=SCHEMA.names)
    config = {"layout": asdict(layout), "classes": classes}
    inputs = [checksums] if layout.table is None else [checksums, Path(layout.table)]
    write_parquet(frame, output, config=config, inputs=inputs, schema=SCHEMA)
    print(f"inventory: {told}")
    usable = [row for row in rows if row["status"] == "ok"]
    strangers = sum(row["patient_id"] is None for row in usable)
    if strangers:
        print(f"inventory: the patient of {strangers} of {len(usable)} images is not known")
    unlabelled = Counter(places[row["path"]].reason for row in usable if row["label"] is None)
    for reason, number in sorted(unlabelled.items()):
        print(f"inventory: no class is known for {number} images {reason}")


def check_unchanged(raw: Path, paths: list[str], checksums: Path) -> None:
    """Raise where the files below `raw` are not those that the checksums were taken of."""
    changed = sorted(set(list_files(raw)) ^ set(paths))
    if changed:
        raise BrainmriError(
            f"{len(changed)} files below {raw} came or went since {checksums} was written, "
            f"such as {changed[0]}: run the stage checksum again."
        )


def examine_all(
    raw: Path, places: dict[str, Place], checked: dict[str, tuple[int, str]], workers: int
) -> dict[str, Finding]:
    """Look into every file, and tell which JPEGs the decoder mended in silence."""
    paths = sorted(places)
    with one_thread_each(), decoder_messages() as messages:

        def examine_chunk(chunk: list[str]) -> list[tuple[Finding, bool]]:
            before = messages.size()
            found = [examine(raw, path, *checked[path], places[path].outside) for path in chunk]
            # Other threads write to the same place: a message accuses the whole chunk.
            accused = messages.size() > before
            return [(finding, accused) for finding in found]

        found = in_parallel(examine_chunk, paths, workers=workers, description="inventory", unit="file")
        findings = {path: finding for path, (finding, _) in zip(paths, found, strict=True)}
        for path, (finding, accused) in zip(paths, found, strict=True):
            if accused and finding.status == "ok":
                before = messages.size()
                examine(raw, path, *checked[path], outside=False)
                message = lost_pixels(messages.since(before))
                if message is not None:
                    reason = f"pixels are lost: {message}"
                    findings[path] = replace(finding, status="corrupt", reason=reason, pixel_sha256=None)
        return findings


def examine(raw: Path, path: str, size: int, sha256: str, outside: bool) -> Finding:
    """Look into one file.

    Parameters
    ----------
    raw
        The folder with the data set's files.
    path
        The file's path below it.
    size, sha256
        Its bytes and their SHA-256, by the checksum table.
    outside
        Whether it lies in none of the folders that the layout names.
    """
    if is_hidden(path):
        return Finding("foreign", "hidden, or in a hidden folder")
    if outside:
        return Finding("foreign", "outside the folders that the layout names")
    ending = posixpath.splitext(path)[1].lower()
    promises_image = ending in EXTENSIONS or ending in UNSUPPORTED_EXTENSIONS
    if size == 0:
        return Finding("empty" if promises_image else "foreign", "the file holds no bytes")
    file = raw / path
    try:
        if file.stat().st_size != size:
            raise changed_since_checksum(file)
        with file.open("rb") as handle:
            start = handle.read(SNIFFED_BYTES)
            if sniff(start) is None:
                return refuse_unknown(start, ending)
            if size > MAXIMUM_BYTES:
                return Finding("oversized", f"the file holds {size} bytes, over {MAXIMUM_BYTES}")
            data = start + handle.read()
    except OSError as error:
        raise unreadable(file, error) from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise changed_since_checksum(file)
    finding = decode_finding(data, path)
    is_dicom = sniff(start) == "dicom"
    if finding.status != "ok" and not (promises_image or is_dicom):
        # A text that happens to begin as an image does is no damaged image.
        return Finding("foreign", "no image")
    promised = EXTENSIONS.get(ending, "no image")
    # DICOM forbids endings on its media (PS3.10, 8.5): a name without a known one promises nothing.
    if finding.format is None or promised == finding.format or (is_dicom and not promises_image):
        return finding
    words = f"the name says {promised}, the content is {finding.format}"
    remarks = joined_remarks([*(finding.remarks or "").split(SEPARATOR), "wrong_extension"])
    return replace(finding, reason=finding.reason or words, remarks=remarks)


def refuse_unknown(start: bytes, ending: str) -> Finding:
    """Say what a file is that begins like no supported image."""
    other = sniff_unsupported(start)
    if other is not None:
        return Finding("unsupported", f"{other} is not supported: convert it to PNG")
    if ending in EXTENSIONS:
        return Finding("corrupt", "the content is no image")
    if ending in UNSUPPORTED_EXTENSIONS:
        return Finding("unsupported", f"{ending} files are not supported: convert them to PNG")
    return Finding("foreign", "no image")


def decode_finding(data: bytes, name: str) -> Finding:
    """Decode an image and tell what was found."""
    known = {}
    try:
        header = told_header(data, name)
        # What the header of a rejected image says is worth telling, so it is noted before it is checked.
        known = {
            key: getattr(header, key) for key in ("format", "width", "height", "channels", "jpeg_quality")
        }
        known |= {"remarks": joined_remarks(header.remarks), "patient_id": header.patient}
        check_header(header, name)
        gray = decode_checked(data, header, name)
    except DecodeError as error:
        return Finding(error.status, error.reason, **known)
    return Finding("ok", pixel_sha256=pixel_digest(gray), **known)


def pixel_digest(gray: np.ndarray) -> str:
    """Return the SHA-256 of an image's shape and pixels: the same for all files that decode alike."""
    digest = hashlib.sha256(f"{gray.shape[1]}x{gray.shape[0]}:".encode())
    digest.update(np.ascontiguousarray(gray))
    return digest.hexdigest()


def row_of(path: str, size: int, digest: str, place: Place, finding: Finding) -> dict:
    """Return a file's row; what is foreign has no class, split or patient."""
    row = {"image_id": place.image_id, "path": path, "bytes": size, "sha256": digest, **asdict(finding)}
    for key in ("label", "source_split", "patient_id"):
        row[key] = None if finding.status == "foreign" else getattr(place, key) or row.get(key)
    if finding.status == "ok":
        row["reason"] = "; ".join(filter(None, (finding.reason, place.reason))) or None
    return row


def summary(rows: list[dict]) -> str:
    """Return how many files have which status, in words."""
    counts = Counter(row["status"] for row in rows)
    return ", ".join(f"{number} {status}" for status, number in counts.most_common())
