"""Zip archives are opened only within limits, and what is something else is named."""

from __future__ import annotations

import io
import zipfile

import pytest

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.readers.packed import is_locked, is_ole, open_packed

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def packed(entries: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_an_archive_gives_its_files() -> None:
    opened = open_packed(packed({"folder/": b"", "folder/a.txt": b"one", "b.txt": b"two"}))
    assert opened.names == ["folder/a.txt", "b.txt"]
    assert opened.read("b.txt") == b"two"
    assert "b.txt" in opened and "c.txt" not in opened
    with pytest.raises(DocumentError, match=r"c\.txt is missing"):
        opened.read("c.txt")


def test_bombs_are_refused_before_anything_is_unpacked() -> None:
    bomb = packed({"a.xml": bytes(64 << 20)})
    assert len(bomb) < 100_000
    with pytest.raises(DocumentError, match="bomb"):
        open_packed(bomb)
    with pytest.raises(DocumentError, match="more than 1"):
        open_packed(packed({"a": b"a" * (2 << 20)}), most_bytes=1 << 20)
    with pytest.raises(DocumentError, match="3 files, more than 2"):
        open_packed(packed({"a": b"", "b": b"", "c": b""}), most_entries=2)
    many = packed({f"{number}.xml": bytes(20 << 20) for number in range(3)})
    with pytest.raises(DocumentError, match="bomb"):
        open_packed(many)


def test_a_small_file_of_blanks_is_no_bomb() -> None:
    assert open_packed(packed({"a": bytes(1 << 20)})).read("a") == bytes(1 << 20)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (bytes(100), "empty"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"{\\rtf1 text}", "RTF"),
        (b"just words", "not a Word document"),
        (b"PK\x03\x04 cut off", "damaged"),
        (OLE + bytes(600), "older Office file"),
        (OLE + bytes(600) + "EncryptedPackage".encode("utf-16-le"), "password"),
    ],
)
def test_what_is_something_else_is_named(data: bytes, reason: str) -> None:
    with pytest.raises(DocumentError, match=reason):
        open_packed(data, "a Word document")


def test_a_damaged_entry_is_told_with_its_name() -> None:
    data = bytearray(packed({"a.xml": b"some text that is long enough to be cut in two" * 20}))
    data[40:60] = bytes(20)
    with pytest.raises(DocumentError, match=r"damaged \(a\.xml"):
        open_packed(bytes(data)).read("a.xml")


def test_compound_files_are_known() -> None:
    assert is_ole(OLE) and not is_ole(b"PK")
    assert not is_locked(b"EncryptedPackage".decode().encode("utf-16-le"))
