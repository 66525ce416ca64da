"""Plain text and reStructuredText: paragraphs, lists and underlined titles. Blocks add up to the file exactly."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kaggle_magics.rag.passages import Block
from kaggle_magics.rag.readers.decoding import decode
from kaggle_magics.rag.readers.reading import Reading

_UNDERLINE = re.compile(r"([=\-~^\"'`#*+:.<>_])\1{2,}\s*$")
_CODE = re.compile(r"\s*\.\. (?:code|code-block|sourcecode|math)::")
_ITEM = re.compile(r"\s*(?:[-*+\u2022]|\d{1,3}[.)])\s+\S")


def read(data: bytes, reading: Reading) -> Iterator[Block]:
    """Yield the paragraphs of a text, each with the blank lines that follow it.

    A line underlined with at least its own length of one punctuation character is a heading, with or without a line
    above it too (reStructuredText); levels count in the order in which the underlines first appear. What is indented
    after a paragraph that ends with "::", or after `.. code-block::`, is code.
    """
    levels: dict[tuple[str, bool], int] = {}
    literal = ""
    announced = False
    for paragraph in paragraphs(decode(data)):
        lines = paragraph.split("\n")
        if announced and all(line[:1] in ("", " ", "\t") for line in lines):
            literal += paragraph
            continue
        if literal:
            yield Block(literal, "code")
            literal = ""
        announced = _announces(lines)
        title = _title(lines)
        if title is None:
            yield Block(paragraph, "list" if _ITEM.match(lines[0].strip("\n")) else "paragraph")
            continue
        used, mark = title
        level = levels.setdefault(mark, len(levels) + 1)
        rest = "\n".join(lines[used:])
        yield Block("\n".join(lines[:used]) + ("\n" if rest else ""), "heading", level)
        if rest.strip():
            yield Block(rest, "list" if _ITEM.match(rest) else "paragraph")
        elif rest:
            yield Block(rest)
    if literal:
        yield Block(literal, "code")


def _announces(lines: list[str]) -> bool:
    """Whether what is indented after these lines is code."""
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return _CODE.match(lines[0]) is not None or (last.endswith("::") and not last.startswith(".. "))


def paragraphs(text: str) -> Iterator[str]:
    """Cut a text after each run of blank lines; the pieces add up to it."""
    start = 0
    for match in re.finditer(r"\n(?:[ \t]*\n)+", text):
        if text[start : match.end()].strip():
            yield text[start : match.end()]
            start = match.end()
    if start < len(text):
        yield text[start:]


def _title(lines: list[str]) -> tuple[int, tuple[str, bool]] | None:
    """How many of a paragraph's first lines are a title, and its mark; None when they are none."""
    first = lines[0].strip()
    if len(lines) >= 3 and _UNDERLINE.match(first) and _UNDERLINE.match(lines[2]) and lines[1].strip():
        return 3, (first[0], True)
    if len(lines) < 2 or not first or lines[0].startswith((" ", "\t")) or _UNDERLINE.match(first):
        return None
    if _UNDERLINE.match(lines[1]) and len(lines[1].rstrip()) >= len(lines[0].rstrip()):
        return 2, (lines[1][0], False)
    return None
