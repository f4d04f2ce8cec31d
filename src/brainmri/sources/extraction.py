"""Unpack zip and tar archives from strangers.

Nothing is written outside the target, no links or devices are made, and limits hold for the bytes that
are really read, whatever the headers claim. The caller gives an empty folder and removes it on failure.
"""

import bz2
import gzip
import lzma
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from brainmri.errors import BrainmriError, unreadable
from brainmri.progress import progress
from brainmri.sources.files import is_writable_name

CHUNK_BYTES = 1 << 20
# tarfile reads extended headers into memory whole; no honest one is longer.
MAXIMUM_TAR_HEADER_BYTES = 4 << 20
# How compressed tar files begin, and what opens them.
DECOMPRESSORS = ((b"\x1f\x8b", gzip.open), (b"\xfd7zXZ\0", lzma.open), (b"BZh", bz2.open))
# What the standard library raises on bytes that are no archive; ValueError and so on come from odd headers.
DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    gzip.BadGzipFile,
    struct.error,
    EOFError,
    ValueError,
    OverflowError,
    MemoryError,
)


@dataclass(frozen=True)
class ExtractionLimits:
    """What an archive may unpack to.

    Parameters
    ----------
    files
        Entries, folders included.
    bytes
        Bytes in all.
    ratio
        Bytes out for one byte of the archive; images do not compress, bombs compress a thousandfold.
    free_bytes
        The ratio counts only behind so many bytes, so that small and well compressed tables pass.
    """

    files: int = 2_000_000
    bytes: int = 1 << 40
    ratio: float = 100.0
    free_bytes: int = 256 << 20


class Meter:
    """Counts what comes out of an archive, and stops at the limits."""

    def __init__(self, archive: Path, limits: ExtractionLimits):
        self.archive, self.limits = archive, limits
        self.most = min(limits.bytes, max(limits.free_bytes, int(limits.ratio * archive.stat().st_size)))
        self.files = self.bytes = 0

    def add_entry(self) -> None:
        """Count one entry."""
        self.files += 1
        if self.files > self.limits.files:
            self.refuse(f"it holds more than {self.limits.files} entries")

    def add_bytes(self, number: int) -> None:
        """Count bytes that were really read."""
        self.bytes += number
        if self.bytes > self.most:
            self.refuse(f"it unpacks to more than {self.most} bytes, as a decompression bomb does")

    def refuse(self, why: str) -> None:
        """Raise the error that names the archive."""
        raise BrainmriError(f"{self.archive} is not unpacked: {why}. Nothing was kept.")


class MeteredStream:
    """A decompressed tar stream that gives tarfile only as many bytes as were allowed."""

    def __init__(self, stream, meter: Meter):
        self.stream, self.meter, self.allowed = stream, meter, 0

    def read(self, size: int) -> bytes:
        """Read from the stream, within the allowance."""
        data = self.stream.read(size)
        self.allowed -= len(data)
        if self.allowed < 0:
            self.meter.refuse("an extended header is too long, or the archive holds only filling")
        return data


class CheckedHeader(tarfile.TarInfo):
    """A tar header that must be whole: tarfile takes a damaged or missing one for the end of the archive."""

    @classmethod
    def frombuf(cls, buf, encoding, errors):
        """Read a header block; see `tarfile.TarInfo.frombuf`."""
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from None


def extract(archive: Path, folder: Path, limits: ExtractionLimits = ExtractionLimits()) -> None:
    """Unpack a zip or tar archive (gz, xz and bz2 too) into an empty folder.

    What kind it is, is read from its content. Zip entries come in the order of their names.

    Parameters
    ----------
    archive
        The file to unpack.
    folder
        An existing empty folder; on failure it holds a part, and the caller removes it.
    limits
        What the archive may unpack to.

    Raises
    ------
    BrainmriError
        If the archive is missing, damaged, encrypted, of another kind, holds no file, would write outside
        `folder`, holds links or devices or two files of one name, or goes over a limit.
    """
    try:
        with archive.open("rb") as handle:
            start = handle.read(8)
    except OSError as error:
        raise unreadable(archive, error, "give an archive's path") from None
    meter = Meter(archive, limits)
    try:
        # A zip's directory is at its end, so a tar that ends like a zip could pass for one.
        if start[:2] == b"PK":
            written = extract_zip(archive, folder, meter)
        else:
            written = extract_tar(archive, start, folder, meter)
    except DAMAGE as error:
        meter.refuse(f"it is damaged, cut off, or neither zip nor tar ({error or type(error).__name__})")
    except (NotImplementedError, RuntimeError) as error:
        meter.refuse(f"its way of packing is not supported ({error}): pack it again as zip, deflated")
    except OSError as error:
        meter.refuse(f"{error.strerror or error}")
    if not written:
        meter.refuse("it holds no file")


def extract_zip(archive: Path, folder: Path, meter: Meter) -> int:
    """Unpack a zip archive and return the number of files."""
    written = 0
    with zipfile.ZipFile(archive) as packed:
        entries = sorted(packed.infolist(), key=lambda entry: entry.orig_filename)
        for entry in progress(entries, description=f"unpack {archive.name}", unit="file"):
            meter.add_entry()
            target = safe_target(folder, entry.orig_filename, meter)
            kind = stat.S_IFMT(entry.external_attr >> 16)
            if entry.flag_bits & 0x1:
                meter.refuse(f"the entry {entry.filename!r} is encrypted; pack it again without a password")
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                meter.refuse(f"the entry {entry.filename!r} is a link or a device")
            if entry.is_dir() or kind == stat.S_IFDIR:
                make_folder(target, entry.filename, meter)
                continue
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                # zipfile unpacks a whole MiB of the others at once, to whatever size.
                raise NotImplementedError(f"the entry {entry.filename!r} is not deflated")
            with packed.open(entry) as source:
                write_file(source.read, target, entry.filename, entry.file_size, meter)
            written += 1
    return written


def extract_tar(archive: Path, start: bytes, folder: Path, meter: Meter) -> int:
    """Unpack a tar archive, compressed or not, in one pass, and return the number of files."""
    opener = next((opener for sign, opener in DECOMPRESSORS if start.startswith(sign)), Path.open)
    written = 0
    with opener(archive, "rb") as raw, progress(description=f"unpack {archive.name}", unit="file") as bar:
        stream = MeteredStream(raw, meter)
        stream.allowed = MAXIMUM_TAR_HEADER_BYTES
        with tarfile.open(fileobj=stream, mode="r|", bufsize=1 << 16, tarinfo=CheckedHeader) as packed:
            while (entry := packed.next()) is not None:
                meter.add_entry()
                target = safe_target(folder, entry.name, meter)
                if entry.isdir():
                    make_folder(target, entry.name, meter)
                elif not entry.isreg() or entry.issparse():
                    meter.refuse(f"the entry {entry.name!r} is a link, a device or a sparse file")
                else:
                    stream.allowed = entry.size + MAXIMUM_TAR_HEADER_BYTES
                    write_file(packed.extractfile(entry).read, target, entry.name, entry.size, meter)
                    written += 1
                    bar.update()
                stream.allowed = MAXIMUM_TAR_HEADER_BYTES
                packed.members.clear()  # tarfile keeps every header; a long archive would fill the memory.
    return written


def safe_target(folder: Path, name: str, meter: Meter) -> Path:
    """Return where an entry goes, or refuse the archive where its name leads elsewhere."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or "\\" in name or ".." in parts or re.match("[A-Za-z]:", name):
        meter.refuse(f"the entry {name!r} leads outside the folder, or is not written with /")
    if not is_writable_name(name):
        meter.refuse(f"the name of the entry {name!r} holds control characters or is no Unicode")
    if any(len(part.encode()) > 255 for part in parts) or len(name.encode()) > 2000:
        meter.refuse(f"the name of the entry {name[:40]!r}... is too long")
    return folder.joinpath(*parts)


def make_folder(target: Path, name: str, meter: Meter) -> None:
    """Make a folder and those around it."""
    try:
        target.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        meter.refuse(f"the entry {name!r} is a file and a folder at once")


def write_file(read: Callable[[int], bytes], target: Path, name: str, size: int, meter: Meter) -> None:
    """Write one entry, counting the bytes that come."""
    make_folder(target.parent, name, meter)
    written = 0
    try:
        with target.open("xb") as file:
            while data := read(CHUNK_BYTES):
                meter.add_bytes(len(data))
                written += len(data)
                file.write(data)
    except (FileExistsError, IsADirectoryError):
        meter.refuse(f"it holds two entries named {name!r}")
    if written != size:
        meter.refuse(f"the entry {name!r} holds {written} bytes where its header says {size}")
