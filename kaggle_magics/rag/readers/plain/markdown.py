"""Markdown: blocks by markdown-it-py's line maps, so that the stored text is the source itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kaggle_magics.rag.passages import Block, Place
from kaggle_magics.rag.readers.decoding import decode
from kaggle_magics.rag.readers.reading import Reading

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n.*?\n(?:---|\.\.\.)[ \t]*(?:\n\s*|\Z)", re.DOTALL)
_KINDS = {
    "heading_open": "heading",
    "bullet_list_open": "list",
    "ordered_list_open": "list",
    "table_open": "table",
    "fence": "code",
    "code_block": "code",
}


def read(data: bytes, reading: Reading) -> Iterator[Block]:
    """Yield headings (with their level), paragraphs, lists, code and tables (CommonMark with GFM tables)."""
    yield from blocks_of(decode(data))


def blocks_of(text: str, place: Place | None = None) -> Iterator[Block]:
    """The blocks of a Markdown text; they add up to it, blank lines included."""
    from markdown_it import MarkdownIt

    where = place or Place()
    front = _FRONT_MATTER.match(text)
    if front:
        yield Block(front.group(), "code", place=where)
        text = text[front.end() :]
    lines = text.split("\n")
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line) + 1)
    offsets[-1] = len(text)
    tokens = [token for token in MarkdownIt("commonmark").enable("table").parse(text) if token.level == 0 and token.map]
    starts = [offsets[token.map[0]] for token in tokens if token.map]
    for number, token in enumerate(tokens):
        start = starts[number] if number else 0
        end = starts[number + 1] if number + 1 < len(tokens) else len(text)
        level = int(token.tag[1]) if token.type == "heading_open" else 0
        yield Block(text[start:end], _KINDS.get(token.type, "paragraph"), level, where)
    if not tokens and text:
        yield Block(text, place=where)
