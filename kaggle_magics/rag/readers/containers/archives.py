"""Archives: zip, tar and single compressed files. Nothing is written to disk; sizes are limited before unpacking."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.readers.containers import Member
from kaggle_magics.rag.readers.encodings import guess
from kaggle_magics.rag.readers.packed import MOST_BYTES, MOST_ENTRIES, MOST_RATIO, open_packed

_HARMLESS = 32 << 20
_UTF8_NAME = 0x800
_LOCKED = 0x1


def zip_members(data: bytes, name: str) -> Iterator[Member]:
    """The files of a zip archive in its order; what systems and editors leave in archives is left out.

    A path that is absolute or leads out of the archive, a link, and an encrypted file are members with a problem.
    """
    packed = open_packed(data)
    entries = [entry for entry in packed.archive.infolist() if not entry.is_dir()]
    names = _decoded_names(entries)
    for entry, member in zip(entries, names, strict=True):
        if _left_out(member):
            continue
        problem = _path_problem(member)
        if stat.S_ISLNK(entry.external_attr >> 16):
            problem = "it is a link"
        elif entry.flag_bits & _LOCKED:
            problem = "it is encrypted with a password"
        yield Member(_plain(member), partial(packed.read, entry.filename), entry.file_size, problem)


def tar_members(data: bytes, name: str) -> Iterator[Member]:
    """The files of a tar archive, compressed with gzip, bzip2, xz or not; as in a zip archive."""
    plain = _unpacked(data)
    try:
        archive = tarfile.open(fileobj=io.BytesIO(plain), mode="r:")  # noqa: SIM115 (members read from it later)
        entries = archive.getmembers()
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        raise DocumentError("the file is not a tar archive, or damaged") from error
    if len(entries) > MOST_ENTRIES:
        raise DocumentError(f"it holds {len(entries):,} files, more than {MOST_ENTRIES:,}; unpack it yourself first")
    for entry in entries:
        if entry.isdir() or _left_out(entry.name):
            continue
        problem = _path_problem(entry.name)
        if not entry.isreg():
            problem = "it is a link" if entry.issym() or entry.islnk() else "it is not a regular file"
        yield Member(_plain(entry.name), partial(_tar_content, archive, entry), entry.size, problem)


def compressed_member(data: bytes, name: str) -> Iterator[Member]:
    """The one file in a `.gz`, `.bz2` or `.xz`, by the name of the outer one without that suffix."""
    plain = _unpacked(data)
    if plain is data:
        raise DocumentError("the file is not compressed, or damaged")
    yield Member(PurePosixPath(name).stem, lambda: plain, len(plain))


def _unpacked(data: bytes) -> bytes:
    """Decompressed content within the limits; data that is not compressed as it is."""
    if not data.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")):
        return data
    most = min(MOST_BYTES, max(_HARMLESS, MOST_RATIO * len(data)))
    try:
        with _decompressor(data) as file:
            plain = file.read(most + 1)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise DocumentError(f"the file is damaged ({error})") from error
    if len(plain) > most:
        raise DocumentError(f"it unpacks to more than {most >> 20:,} MiB; unpack it yourself first")
    return plain


def _decompressor(data: bytes) -> gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile:
    raw = io.BytesIO(data)
    if data.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=raw)
    return bz2.BZ2File(raw) if data.startswith(b"BZh") else lzma.LZMAFile(raw)


def _tar_content(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    try:
        file = archive.extractfile(entry)
        content = file.read() if file is not None else b""
    except (tarfile.TarError, OSError, EOFError, ValueError, KeyError) as error:
        raise DocumentError("the archive is damaged here") from error
    if len(content) < entry.size:
        raise DocumentError("the archive ends within this file")
    return content


def _decoded_names(entries: list[zipfile.ZipInfo]) -> list[str]:
    """Names as they were meant: those not marked as UTF-8 come as code page 437, whatever they were written in."""
    raw = {
        entry.filename: entry.filename.encode("cp437")
        for entry in entries
        if not entry.flag_bits & _UTF8_NAME and not entry.filename.isascii()
    }
    if not raw:
        return [entry.filename for entry in entries]
    encoding = _encoding(b"\n".join(raw.values()))
    return [
        raw[entry.filename].decode(encoding, "replace") if entry.filename in raw else entry.filename
        for entry in entries
    ]


def _encoding(names: bytes) -> str:
    try:
        names.decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError:
        return guess(names, oem=True)


def _plain(name: str) -> str:
    return name.replace("\\", "/").removeprefix("./")


def _left_out(name: str) -> bool:
    """What a folder's walk leaves out, too: hidden files and caches; and macOS's shadow files."""
    parts = [part for part in _plain(name).split("/") if part not in (".", "..")]
    return any(part.startswith(".") or part in ("__MACOSX", "__pycache__") for part in parts)


def _path_problem(name: str) -> str:
    plain = name.replace("\\", "/")
    if plain.startswith("/") or re.match(r"[A-Za-z]:", plain):
        return "its path in the archive is absolute"
    return "its path leads out of the archive" if ".." in plain.split("/") else ""
