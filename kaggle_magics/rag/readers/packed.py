"""Zip archives, and the formats that are zip archives inside: opened with limits, so that a bomb is never unpacked."""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import dataclass

from kaggle_magics.errors import DocumentError

MOST_ENTRIES = 20_000
MOST_BYTES = 1 << 30
"""What all entries together may unpack to."""
MOST_RATIO = 200
"""Unpacked to packed bytes. Deflate reaches 1032; sheets of repeated numbers come near 100."""
_HARMLESS = 32 << 20
"""Below this an entry may have any ratio: a small file of blanks is no bomb."""

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OTHERS = (
    (b"%PDF", "a PDF file"),
    (b"{\\rtf", "an RTF file"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
    (b"\x1f\x8b", "a gzip file"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
)


@dataclass(frozen=True, slots=True)
class Packed:
    """The entries of an opened archive whose declared sizes are within the limits."""

    archive: zipfile.ZipFile

    @property
    def names(self) -> list[str]:
        """The files in it, in the archive's order, folders left out."""
        return [entry.filename for entry in self.archive.infolist() if not entry.is_dir()]

    def __contains__(self, name: str) -> bool:
        return name in self.archive.NameToInfo

    def read(self, name: str) -> bytes:
        """An entry's content, never more than its declared size. Raises `DocumentError`: missing, damaged, locked."""
        try:
            return self.archive.read(name)
        except KeyError as error:
            raise DocumentError(f"the file is damaged ({name} is missing in it)") from error
        except RuntimeError as error:  # NotImplementedError, an unknown compression, is one too
            raise DocumentError(f"{name} in it cannot be unpacked ({error})") from error
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
            raise DocumentError(f"the file is damaged ({name} in it cannot be unpacked)") from error


def open_packed(
    data: bytes,
    kind: str = "a zip archive",
    *,
    most_entries: int = MOST_ENTRIES,
    most_bytes: int = MOST_BYTES,
    most_ratio: float = MOST_RATIO,
) -> Packed:
    """Open the zip archive in `data`; `kind` names in messages what the file should be ("a Word document").

    Raises `DocumentError` when it is something else, damaged or locked, or when it would unpack to more than
    `most_entries` files, `most_bytes` bytes in all, or `most_ratio` times its size. The declared sizes are checked:
    `zipfile` never yields more than these.
    """
    refuse_other(data, kind)
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError) as error:
        raise DocumentError(f"the file is not {kind}: damaged, or another type under this name") from error
    entries = archive.infolist()
    if len(entries) > most_entries:
        raise DocumentError(f"it holds {len(entries):,} files, more than {most_entries:,}; unpack it yourself first")
    total = sum(entry.file_size for entry in entries)
    if total > most_bytes:
        raise DocumentError(
            f"it would unpack to {total >> 20:,} MiB, more than {most_bytes >> 20:,}; unpack it yourself first"
        )
    for entry in entries:
        if entry.file_size > _HARMLESS and entry.file_size > most_ratio * max(1, entry.compress_size):
            raise DocumentError(f"it is a zip bomb ({entry.filename} unpacks to {entry.file_size / 2**20:,.0f} MiB)")
    # Entries that lie over each other share their packed bytes, so that each alone has a modest ratio.
    if total > _HARMLESS and total > most_ratio * len(data):
        raise DocumentError(f"it is a zip bomb ({len(data):,} bytes unpack to {total / 2**20:,.0f} MiB)")
    if kind != "a zip archive" and entries and any(entry.flag_bits & 1 for entry in entries):
        raise DocumentError("it is protected with a password")
    return Packed(archive)


def refuse_other(data: bytes, kind: str) -> None:
    """Raise `DocumentError` when `data` is empty, a locked Office file, or begins as a known other type."""
    if not data.strip(b"\0 \t\r\n"):
        raise DocumentError("the file is empty")
    if data.startswith(_OLE):
        if is_locked(data):
            raise DocumentError("it is protected with a password; save it without one")
        raise DocumentError(f"the file is not {kind} but an older Office file; name it .doc, .xls, .ppt or .msg")
    for begin, other in _OTHERS:
        if data.startswith(begin):
            raise DocumentError(f"the file is not {kind} but {other} under this name")


def is_locked(data: bytes) -> bool:
    """Whether an OLE file is the wrapping of an encrypted Office Open XML file ([MS-OFFCRYPTO] 1.3.2)."""
    return data.startswith(_OLE) and "EncryptedPackage".encode("utf-16-le") in data


def is_ole(data: bytes) -> bool:
    """Whether `data` is a compound file: .doc, .xls, .ppt, .msg, or a locked .docx, .xlsx, .pptx."""
    return data.startswith(_OLE)
