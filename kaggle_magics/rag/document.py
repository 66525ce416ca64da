"""From what a reader yields to the text that is stored, with every block's exact place in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kaggle_magics.rag.passages import Block, Place

VERSION = 1
"""Raised when readers or this assembly change what is stored for the same file, so that it is read again."""


@dataclass(frozen=True, slots=True)
class Span:
    """A block's place in the stored text, outer whitespace left out: `text[start:end]`."""

    start: int
    end: int
    kind: str
    level: int
    place: Place


@dataclass(frozen=True, slots=True)
class Document:
    """The stored text of one source and its blocks in order; blocks never overlap."""

    text: str
    spans: tuple[Span, ...]
    pages: int | None = None
    """How many pages it has; None for a format without pages."""
    empty_pages: tuple[int, ...] = ()
    """Numbers of the pages that hold no text."""


def storable(text: str) -> str:
    """`text` as SQLite and UTF-8 can keep it: no NUL (it would end the string), no lone surrogates."""
    if "\0" in text:
        text = text.replace("\0", "")
    return text.encode("utf-8", "replace").decode("utf-8")


def assemble(blocks: Iterable[Block]) -> Document:
    """Join blocks into one text.

    A block that ends with a newline is kept as it is, so a reader of plain text can yield slices that add up to the
    file exactly; after any other block comes one blank line.
    """
    parts: list[str] = []
    spans: list[Span] = []
    pages: dict[int, bool] = {}
    position = 0
    separator = ""
    for block in blocks:
        raw = storable(block.text)
        if block.place.page is not None:
            pages[block.place.page] = pages.get(block.place.page, False) or bool(raw.strip())
        if not raw:
            continue
        parts += (separator, raw)
        begin = position + len(separator)
        position = begin + len(raw)
        separator = "" if raw.endswith("\n") else "\n\n"
        body = raw.strip()
        if body:
            start = begin + raw.index(body[0])
            spans.append(Span(start, start + len(body), block.kind, block.level, block.place))
    empty = tuple(page for page, filled in pages.items() if not filled)
    return Document("".join(parts), tuple(spans), len(pages) or None, empty)
