"""Bytes to text: the encoding is found, binary data is refused."""

from __future__ import annotations

import codecs

from kaggle_magics.errors import DocumentError
from kaggle_magics.extras import installed

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
    """The text of a file: by its byte order mark, else UTF-8, else what charset-normalizer says where it is installed,
    else Latin-1. Line ends become "\\n". Raises `DocumentError` for an empty or a binary file.
    """
    if not data.strip():
        raise DocumentError("the file is empty")
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    if encoding is None:
        _refuse_binary(data)
        encoding = _guess(data)
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


def _guess(data: bytes) -> str:
    try:
        data.decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError as error:
        if error.start >= len(data) - 3 and error.reason == "unexpected end of data":
            return "utf-8"  # cut in the middle of its last character
    if installed("charset_normalizer"):
        import charset_normalizer

        best = charset_normalizer.from_bytes(data[:_SAMPLE]).best()
        if best is not None:
            return str(best.encoding)
    return "latin-1"
