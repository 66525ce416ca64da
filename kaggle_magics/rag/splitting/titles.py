"""Titles and lead-ins: what a heading says, titles that a reader left in a paragraph, lines that belong to the next."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kaggle_magics.rag.document import Document, Span

RULE = re.compile(r"^[\s|:+=-]+$")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
# `== Title ==` of MediaWiki and Creole, with or without spaces in the run of marks (WikiText has them).
_MARKED = re.compile(r"^[ \t]*(=(?: ?=){0,5}) ?([^=\n]{1,120}?) ?\1[ \t]*$", re.MULTILINE)
_CAPTION = re.compile(r"(?:table|figure|fig\.|tab\.|chart|listing)\s*[\dIVX]", re.IGNORECASE)
_ENDS = tuple('.!?,;)\u3002\uff01\uff1f"\u201d')
_TITLE_LENGTH = 100
_LEAD_LENGTH = 300


def heading_text(raw: str) -> str:
    """A heading's words, without Markdown marks, underlines and link targets."""
    kept = [line for line in raw.strip().splitlines() if line.strip() and not RULE.match(line)]
    words = _LINK.sub(r"\1", " ".join(kept)).strip().strip("#").strip()
    marked = _MARKED.match(words)
    return re.sub(r"[*`]+", "", marked.group(2).strip() if marked else words)


def with_marked_titles(document: Document) -> Iterator[Span]:
    """The document's spans, where lines such as `== Title ==` inside paragraphs are headings of their own."""
    for span in document.spans:
        if span.kind in ("paragraph", "list") and "=" in document.text[span.start : span.end]:
            yield from _titles_out(document.text, span)
        else:
            yield span


def _titles_out(text: str, span: Span) -> Iterator[Span]:
    at = span.start
    # A span begins after the blanks of its first line, a pattern's ^ only where the line does.
    for match in _MARKED.finditer(text, text.rfind("\n", 0, span.start) + 1, span.end):
        yield from _rest(text, span, at, match.start())
        yield from _rest(text, span, match.start(1), match.end(), "heading", match.group(1).count("="))
        at = match.end()
    yield from _rest(text, span, at, span.end)


def _rest(text: str, span: Span, start: int, end: int, kind: str = "", level: int = 0) -> Iterator[Span]:
    part = text[start:end]
    body = part.strip()
    if body:
        first = start + part.index(body[0])
        yield Span(first, first + len(body), kind or span.kind, level or span.level, span.place)


def leads_in(text: str, span: Span) -> bool:
    """Whether a block belongs to the one after it: it ends with a colon, is a caption, or a title without a mark."""
    if span.kind not in ("paragraph", "list") or span.end - span.start > _LEAD_LENGTH:
        return False
    words = text[span.start : span.end].rstrip("*_ ")
    if words.endswith((":", "\uff1a")) or _CAPTION.match(words.lstrip("*_ ")):
        return True
    title = span.kind == "paragraph" and "\n" not in words and len(words) <= _TITLE_LENGTH
    return title and not words.endswith(_ENDS)
