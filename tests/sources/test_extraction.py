"""Hostile and broken archives: nothing leaves the folder, and every refusal is one sentence."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainmri.errors import BrainmriError
from brainmri.sources.extraction import ExtractionLimits, extract

FILES = {"Training/glioma/a.jpg": b"first", "Testing/no tumor/b (1).jpg": b"second", "é.txt": b""}


def zip_of(path, entries, compression=zipfile.ZIP_DEFLATED):
    """Write a zip of (name or ZipInfo, bytes) pairs."""
    with zipfile.ZipFile(path, "w", compression) as packed:
        for name, data in entries:
            packed.writestr(name, data)
    return path


def tar_bytes(entries):
    """Return a tar of (name or TarInfo, bytes) pairs."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as packed:
        for name, data in entries:
            entry = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            if entry.isreg():
                entry.size = len(data)
            packed.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def tree(folder):
    """Return the content of every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


DEFAULTS = ExtractionLimits()


def refused(archive, tmp_path, limits=DEFAULTS):
    """Extract into a folder of its own, check that nothing is beside it, and return the message."""
    outer = tmp_path / "outer"
    target = outer / "target"
    target.mkdir(parents=True)
    with pytest.raises(BrainmriError) as caught:
        extract(archive, target, limits)
    assert [path.name for path in outer.iterdir()] == ["target"]
    assert not any(path.is_symlink() for path in target.rglob("*"))
    assert str(archive) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip_is_unpacked_whole(tmp_path, compression):
    archive = zip_of(tmp_path / "a.zip", FILES.items(), compression)
    target = tmp_path / "target"
    target.mkdir()
    extract(archive, target)
    assert tree(target) == dict(sorted(FILES.items()))


@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress, bz2.compress])
def test_tar_is_unpacked_whole_whatever_its_compression_and_name(tmp_path, compress):
    archive = tmp_path / "no-suffix"
    archive.write_bytes(compress(tar_bytes(FILES.items())))
    target = tmp_path / "target"
    target.mkdir()
    extract(archive, target)
    assert tree(target) == dict(sorted(FILES.items()))


def test_several_gzip_members_are_read_on(tmp_path):
    data = tar_bytes(FILES.items())
    archive = tmp_path / "a.tgz"
    archive.write_bytes(gzip.compress(data[:700]) + gzip.compress(data[700:]))
    target = tmp_path / "target"
    target.mkdir()
    extract(archive, target)
    assert tree(target) == dict(sorted(FILES.items()))


HOSTILE_NAMES = [
    "../evil",
    "a/../../evil",
    "a/..",
    "..",
    "/evil",
    "//evil",
    "/",
    "C:/evil",
    "c:evil",
    "..\\evil",
    "a\\b",
    "\\\\server\\share\\evil",
    "a/\x1b[31mred",
    "a\nb",
    "x" * 300,
    "/".join(["deep"] * 600),
]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_zip_name_that_leads_elsewhere_is_refused(tmp_path, name):
    refused(zip_of(tmp_path / "a.zip", [("good", b"1"), (name, b"2")]), tmp_path)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_tar_name_that_leads_elsewhere_is_refused(tmp_path, name):
    archive = tmp_path / "a.tar"
    archive.write_bytes(tar_bytes([("good", b"1"), (name, b"2")]))
    refused(archive, tmp_path)


def test_zip_name_with_a_zero_byte_is_refused(tmp_path):
    archive = zip_of(tmp_path / "a.zip", [("aXb.jpg", b"1")])
    archive.write_bytes(archive.read_bytes().replace(b"aXb.jpg", b"a\0b.jpg"))
    refused(archive, tmp_path)


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_tar_with_a_link_or_a_device_is_refused(tmp_path, kind):
    entry = tarfile.TarInfo("link")
    entry.type, entry.linkname = kind, "/etc/passwd"
    archive = tmp_path / "a.tar"
    archive.write_bytes(tar_bytes([("good", b"1"), (entry, b""), ("link/evil", b"2")]))
    assert "a link, a device" in refused(archive, tmp_path)


def test_zip_with_a_symbolic_link_is_refused(tmp_path):
    entry = zipfile.ZipInfo("link")
    entry.external_attr = 0o120777 << 16
    assert "is a link" in refused(zip_of(tmp_path / "a.zip", [(entry, b"/etc")]), tmp_path)


@pytest.mark.parametrize("name", ["a/b", "a//b", "./a/b"])
def test_two_files_of_one_name_are_refused(tmp_path, name):
    archive = tmp_path / "a.tar"
    archive.write_bytes(tar_bytes([("a/b", b"1"), (name, b"2")]))
    assert "two entries" in refused(archive, tmp_path)


def test_a_name_that_is_file_and_folder_is_refused(tmp_path):
    assert "at once" in refused(zip_of(tmp_path / "a.zip", [("a", b"1"), ("a/b", b"2")]), tmp_path)


LIMITS = ExtractionLimits(files=50, bytes=1 << 30, ratio=20, free_bytes=1 << 16)


def test_zip_bomb_is_stopped_by_its_ratio(tmp_path):
    archive = zip_of(tmp_path / "a.zip", [("bomb", bytes(8 << 20))])
    assert "bomb" in refused(archive, tmp_path, LIMITS)


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress, bz2.compress])
def test_tar_bomb_is_stopped_by_its_ratio(tmp_path, compress):
    archive = tmp_path / "a.tar.x"
    archive.write_bytes(compress(tar_bytes([("bomb", bytes(8 << 20))])))
    assert "bomb" in refused(archive, tmp_path, LIMITS)


def test_a_small_table_passes_however_well_it_packs(tmp_path):
    table = {"labels.csv": b"a,0\n" * 500_000}
    archive = zip_of(tmp_path / "a.zip", table.items())
    assert archive.stat().st_size < 2_000_000 / DEFAULTS.ratio
    (tmp_path / "target").mkdir()
    extract(archive, tmp_path / "target")
    assert tree(tmp_path / "target") == table


def test_bytes_in_all_are_limited_for_incompressible_data_too(tmp_path):
    archive = zip_of(tmp_path / "a.zip", [(f"{n}", bytes(1000)) for n in range(20)], zipfile.ZIP_STORED)
    assert "10000 bytes" in refused(archive, tmp_path, ExtractionLimits(bytes=10_000))


def test_zip_header_that_claims_less_than_it_holds_is_refused(tmp_path):
    archive = zip_of(tmp_path / "a.zip", [("bomb", bytes(100_000))])
    data = archive.read_bytes()
    archive.write_bytes(data.replace(struct.pack("<I", 100_000), struct.pack("<I", 10)))
    refused(archive, tmp_path, LIMITS)


def test_zip_header_that_claims_more_than_it_holds_is_refused(tmp_path):
    archive = zip_of(tmp_path / "a.zip", [("short", b"abc" * 100)])
    data = archive.read_bytes()
    archive.write_bytes(data.replace(struct.pack("<I", 300), struct.pack("<I", 301)))
    refused(archive, tmp_path)


def test_too_many_files_are_refused(tmp_path):
    archive = zip_of(tmp_path / "a.zip", [(f"{n}", b"") for n in range(60)])
    assert "more than 50" in refused(archive, tmp_path, LIMITS)


def test_too_many_folders_are_refused(tmp_path):
    archive = zip_of(tmp_path / "a.zip", [(f"{n}/", b"") for n in range(60)])
    assert "more than 50" in refused(archive, tmp_path, LIMITS)


def test_tar_header_that_would_fill_the_memory_is_refused(tmp_path):
    entry = tarfile.TarInfo("././@PaxHeader")
    entry.type, entry.size = tarfile.XHDTYPE, 64 << 20
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(gzip.compress(entry.tobuf() + bytes(64 << 20), 1))
    assert "header is too long" in refused(archive, tmp_path)


def test_encrypted_zip_is_named_as_such(tmp_path):
    archive = zip_of(tmp_path / "a.zip", [("secret.jpg", b"1")])
    data = bytearray(archive.read_bytes())
    for sign, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(sign) + at] |= 1
    archive.write_bytes(data)
    assert "encrypted" in refused(archive, tmp_path)


def test_way_of_packing_that_is_not_known_is_refused(tmp_path):
    archive = zip_of(tmp_path / "a.zip", [("a.jpg", b"1")])
    data = bytearray(archive.read_bytes())
    for sign, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        data[data.index(sign) + at] = 97
    archive.write_bytes(data)
    assert "not supported" in refused(archive, tmp_path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_that_would_unpack_to_the_memory_is_refused(tmp_path, compression):
    # A limit that the first byte out would exceed: not one may have been unpacked before the refusal.
    archive = zip_of(tmp_path / "a.zip", [("zeros", bytes(1 << 24))], compression)
    message = refused(archive, tmp_path, ExtractionLimits(bytes=0, free_bytes=0))
    assert "pack it again as zip, deflated" in message


@pytest.mark.parametrize("keep", [0, 1, 3, 10, 60, 200, -1, -20, -200])
@pytest.mark.parametrize("kind", ["zip", "tar", "gz", "xz", "bz2"])
def test_archive_that_is_cut_off_is_refused(tmp_path, kind, keep):
    entries = [(f"{n}.jpg", bytes(range(256)) * 8) for n in range(4)]
    archive = tmp_path / "a"
    compress = {"gz": gzip.compress, "xz": lzma.compress, "bz2": bz2.compress}
    if kind == "zip":
        zip_of(archive, entries)
    else:
        archive.write_bytes(compress.get(kind, bytes)(tar_bytes(entries)))
    # What follows the files of a plain tar is filling, which may be shorter.
    keep = 4 * 2560 + keep if kind == "tar" and keep < 0 else keep
    archive.write_bytes(archive.read_bytes()[:keep])
    refused(archive, tmp_path)


def test_tar_with_a_damaged_or_missing_header_in_the_middle_is_refused(tmp_path):
    data = tar_bytes([("a", b"1"), ("b", b"2")])
    archive = tmp_path / "damaged.tar"
    archive.write_bytes(data[:1024] + b"?" * 512 + data[1536:])
    refused(archive, tmp_path / "1")
    archive.write_bytes(data[:1024])
    refused(archive, tmp_path / "2")


@pytest.mark.parametrize("content", [b"", b"hello" * 300, b"PK\x03\x04 no zip", bytes(2000), b"\x1f\x8b"])
def test_what_is_no_archive_is_refused(tmp_path, content):
    archive = tmp_path / "a.zip"
    archive.write_bytes(content)
    refused(archive, tmp_path)


def test_archive_without_a_file_is_refused(tmp_path):
    assert "no file" in refused(zip_of(tmp_path / "a.zip", [("folder/", b"")]), tmp_path)


def test_missing_archive_is_refused(tmp_path):
    assert "cannot be read" in refused(tmp_path / "none.zip", tmp_path)


def test_set_user_id_bits_are_not_kept(tmp_path):
    entry = tarfile.TarInfo("program")
    entry.mode = 0o6777
    archive = tmp_path / "a.tar"
    archive.write_bytes(tar_bytes([(entry, b"1")]))
    target = tmp_path / "target"
    target.mkdir()
    extract(archive, target)
    assert (target / "program").stat().st_mode & 0o7111 == 0


NAMES = st.text(st.sampled_from("ab./\\:~\0\n é"), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(names=st.lists(NAMES, min_size=1, max_size=4), is_tar=st.booleans())
def test_whatever_the_names_nothing_is_written_outside(tmp_path_factory, names, is_tar):
    outer = tmp_path_factory.mktemp("outer")
    archive = outer / "archive"
    if is_tar:
        archive.write_bytes(tar_bytes([(name, b"1") for name in names]))
    else:
        # ZipInfo cuts a name at a zero byte, and writestr knows no empty name.
        zip_of(archive, [(name, b"1") for name in dict.fromkeys(names) if name.split("\0")[0]])
    target = outer / "target"
    target.mkdir()
    with suppress(BrainmriError):
        extract(archive, target)
    assert sorted(path.name for path in outer.iterdir()) == ["archive", "target"]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_bytes_give_the_files_or_a_sentence(tmp_path_factory, data):
    outer = tmp_path_factory.mktemp("outer")
    archive = outer / "archive"
    if data.draw(st.booleans()):
        zip_of(archive, FILES.items())
    else:
        compress = data.draw(st.sampled_from([bytes, gzip.compress, lzma.compress, bz2.compress]))
        archive.write_bytes(compress(tar_bytes(FILES.items())))
    content = bytearray(archive.read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=5)):
        content[at] = data.draw(st.integers(0, 255))
    archive.write_bytes(content)
    target = outer / "target"
    target.mkdir()
    with suppress(BrainmriError):
        extract(archive, target)
    assert sorted(path.name for path in outer.iterdir()) == ["archive", "target"]
