"""Bytes to text: the encoding is found, binary data is refused."""

from __future__ import annotations

import codecs

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.readers.encodings import guess, without_mark

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE = 65536
_CONTROLS = frozenset(range(32)) - {9, 10, 12, 13, 27}


def decode(data: bytes) -> str:
    """The text of a file: by its byte order mark, else UTF-8 or UTF-16, else what it says of itself or `encodings`
    finds most plausible. Line ends become "\\n". Raises `DocumentError` for an empty or a binary file.
    """
    if not data.strip():
        raise DocumentError("the file is empty")
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    if encoding is None:
        encoding = without_mark(data)
    if encoding is None:
        _refuse_binary(data)
        encoding = guess_encoding(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode(encoding, "replace")
    if not text.strip():
        raise DocumentError("the file is empty")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _refuse_binary(data: bytes) -> None:
    sample = data[:_SAMPLE]
    controls = sum(byte in _CONTROLS for byte in sample)
    if b"\0" in sample or controls > len(sample) * 0.05:
        raise DocumentError("the file is binary, not text")


def guess_encoding(data: bytes) -> str:
    """The encoding of a text without a byte order mark: UTF-8, cut or with a few wrong bytes too, else a guess."""
    try:
        data.decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError as error:
        text = data.decode("utf-8", "replace")
        wrong = text.count("\ufffd")
        right = sum(not character.isascii() for character in text) - wrong
        cut = error.start >= len(data) - 3 and error.reason == "unexpected end of data"
    # In other encodings hardly a byte above 127 happens to be part of a character of UTF-8.
    if right and (cut or right >= 20 * wrong):
        return "utf-8"
    return guess(data)
