"""From what a reader yields to the text that is stored, with every block's exact place in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kaggle_magics.rag.passages import Block, Place

VERSION = 2
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
    recognised: int = 0
    """How many pages (in formats without pages: blocks) were read by OCR or from speech."""
    metadata: Mapping[str, str | int | float] = field(default_factory=dict)
    """What the file says of itself: title, author, date, a mail's sender."""


def storable(text: str) -> str:
    """`text` as SQLite and UTF-8 can keep it: no NUL (it would end the string), no lone surrogates."""
    if "\0" in text:
        text = text.replace("\0", "")
    return text.encode("utf-8", "replace").decode("utf-8")


def assemble(blocks: Iterable[Block], metadata: Mapping[str, str | int | float] | None = None) -> Document:
    """Join blocks into one text.

    A block that ends with a newline is kept as it is, so a reader of plain text can yield slices that add up to the
    file exactly; after any other block comes one blank line.
    """
    parts: list[str] = []
    spans: list[Span] = []
    pages: dict[int, bool] = {}
    recognised: set[object] = set()
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
            if block.recognised:
                recognised.add(len(spans) if block.place.page is None else ("page", block.place.page))
            start = begin + raw.index(body[0])
            spans.append(Span(start, start + len(body), block.kind, block.level, block.place))
    empty = tuple(page for page, filled in pages.items() if not filled)
    # A mapping that a reader fills while it yields is complete only now.
    return Document("".join(parts), tuple(spans), len(pages) or None, empty, len(recognised), dict(metadata or {}))
