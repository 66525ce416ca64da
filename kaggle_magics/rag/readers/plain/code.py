"""Source code and configuration: blocks begin at a line without indentation that follows a blank line."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kaggle_magics.rag.passages import Block
from kaggle_magics.rag.readers.decoding import decode
from kaggle_magics.rag.readers.reading import Reading

_TOP_LEVEL = re.compile(r"\n[ \t]*\n(?=[^\s})\]])")


def read(data: bytes, reading: Reading) -> Iterator[Block]:
    """Yield functions, classes and runs of statements as code; the blocks add up to the file."""
    text = decode(data)
    start = 0
    for match in _TOP_LEVEL.finditer(text):
        yield Block(text[start : match.end()], "code")
        start = match.end()
    if start < len(text):
        yield Block(text[start:], "code")
