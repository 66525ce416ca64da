"""The text of Word 97 to 2003 files (.doc, [MS-DOC]) by their piece table: paragraphs and tables, without headings.

For machines without LibreOffice, as a notebook without internet is. Needs olefile.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.passages import Block
from kaggle_magics.rag.readers.library import library, refusing
from kaggle_magics.rag.readers.tables import table_block

_WRONG = "the file is not a Word document: damaged, or another type under this name"
# Offsets in the file information block ([MS-DOC] 2.5.1 to 2.5.6).
_FLAGS, _MAIN_LENGTH, _CLX = 0x0A, 0x4C, 0x01A2
_ENCRYPTED, _SECOND_TABLE = 0x0100, 0x0200
_COMPRESSED = 0x40000000
_FIELD = re.compile(r"\x13[^\x13\x14\x15]*\x14?([^\x13\x14\x15]*)\x15")
"""A field: its instruction, which is not shown, and its result."""
_MARKS = str.maketrans({0x0B: "\n", 0x0C: "\r", 0x1E: "-", 0x1F: None, **dict.fromkeys((1, 2, 3, 4, 5, 6, 8), None)})


def blocks(data: bytes) -> Iterator[Block]:
    """Yield paragraphs, and tables row by row. Raises `DocumentError`: locked, damaged, older than Word 97."""
    olefile = library("olefile", "Reading .doc files without LibreOffice")
    with refusing(_WRONG):
        with olefile.OleFileIO(io.BytesIO(data)) as ole:
            main = ole.openstream("WordDocument").read()
            (flags,) = struct.unpack_from("<H", main, _FLAGS)
            if flags & _ENCRYPTED:
                raise DocumentError("it is protected with a password; save it without one")
            table = ole.openstream("1Table" if flags & _SECOND_TABLE else "0Table").read()
        text = _text(main, table)
    yield from _blocks(text)


def _text(main: bytes, table: bytes) -> str:
    """The main text with its marks: "\\r" ends a paragraph, "\\x07" a cell, one more of it a row."""
    (length,) = struct.unpack_from("<i", main, _MAIN_LENGTH)
    begin, size = struct.unpack_from("<II", main, _CLX)
    clx = table[begin : begin + size]
    at = 0
    while clx[at] == 1:  # properties, before the pieces
        at += 3 + int(struct.unpack_from("<H", clx, at + 1)[0])
    (size,) = struct.unpack_from("<I", clx, at + 1)
    pieces = clx[at + 5 : at + 5 + size]
    count = (len(pieces) - 4) // 12
    ends = struct.unpack_from(f"<{count + 1}I", pieces)
    parts = []
    for number in range(count):
        (place,) = struct.unpack_from("<I", pieces, 4 * (count + 1) + 8 * number + 2)
        characters = ends[number + 1] - ends[number]
        if place & _COMPRESSED:
            start = (place & ~_COMPRESSED) // 2
            parts.append(main[start : start + characters].decode("cp1252", "replace"))
        else:
            parts.append(main[place : place + 2 * characters].decode("utf-16-le", "replace"))
    return "".join(parts)[: max(0, length)]


def _blocks(text: str) -> Iterator[Block]:
    previous = ""
    while text != previous:  # fields stand in fields
        previous, text = text, _FIELD.sub(r"\1", text)
    text = text.translate(_MARKS)
    rows: list[list[str]] = []
    cells: list[str] = []
    inside = ""
    for part in re.findall(r"[^\r\x07]*[\r\x07]|[^\r\x07]+", text):
        words, end = part.rstrip("\r\x07"), part[-1]
        if end == "\x07":
            # The mark of a row is an empty cell's; how many cells a row has is known from the first one.
            if not words and not inside and cells and len(cells) >= (len(rows[0]) if rows else 1):
                rows.append(cells)
                cells = []
            else:
                cells.append(f"{inside} {words}".strip())
                inside = ""
        elif cells:  # a paragraph in a cell
            inside = f"{inside} {words}".strip()
        else:
            yield from _table(rows)
            rows = []
            if words.strip():
                yield Block(words.strip())
    yield from _table([*rows, cells])


def _table(rows: list[list[str]]) -> Iterator[Block]:
    block = table_block(rows)
    if block is not None:
        yield block
