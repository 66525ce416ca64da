"""Text files."""

from __future__ import annotations

import codecs
from pathlib import Path

from kaggle_magics.errors import DocumentError
from kaggle_magics.generation.attachments.description import Words, beginning, counted

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_LEAST = 4096
"""Bytes that are read at least: they tell whether it is text."""


def describe_file(path: Path, room: int) -> Words:
    """Its text, as far as there is room; no more of it is read. Raises `DocumentError` where it holds none."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            data = file.read(max(_LEAST, 4 * (room + 1)))
    except OSError as error:
        raise DocumentError(f"{path} cannot be read: {error.strerror or error}.") from None
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    if encoding != "utf-16" and b"\0" in data:
        raise DocumentError(
            f"{path} is a binary file, not a text or an image.",
            "%rag_ingest reads PDF and other documents." if path.suffix.lower() in (".pdf", ".docx", ".html") else None,
        )
    text = data.decode(encoding, "replace")
    if len(data) < size:
        # The last character may be cut in the middle.
        text = text.rstrip("\ufffd")
    shown, left_out = beginning(text.replace("\r\n", "\n").rstrip(), room)
    if len(data) < size:
        left_out = f"all after the first {counted(len(shown.encode()), 'byte')}"
    return Words(f"a file of {counted(size, 'byte')}", shown, left_out)
