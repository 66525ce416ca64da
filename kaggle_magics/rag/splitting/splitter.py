"""From a document to its passages.

The default follows the document's structure: nothing crosses a heading, a page or a cell; small blocks are merged up to
`chunk_size`; what is larger is cut at sentences, table rows or lines. The heading path and a table's header go into the
passage's context, not into its text. With `chunk_size` or `chunk_overlap` given, the passages are those of LangChain's
`RecursiveCharacterTextSplitter`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from kaggle_magics.errors import OptionError
from kaggle_magics.rag.document import VERSION, Document, Span
from kaggle_magics.rag.passages import Place
from kaggle_magics.rag.sentences import sentence_spans
from kaggle_magics.rag.splitting.recursive import recursive_spans

STRUCTURED_SIZE = 800
RECURSIVE_SIZE = 1000
RECURSIVE_OVERLAP = 20
_RULE = re.compile(r"^[\s|:+=-]+$")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_CONTEXT_LIMIT = 300


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage before it has a name: `document.text[start:end]`, its context and its place."""

    start: int
    end: int
    context: str = ""
    place: Place = field(default_factory=Place)


@dataclass(frozen=True, slots=True)
class Splitter:
    """How documents are cut; `key` names the settings, so that a change of them is noticed."""

    recursive: bool
    chunk_size: int
    chunk_overlap: int

    @property
    def key(self) -> str:
        kind = "recursive" if self.recursive else "structured"
        return f"{kind}:{self.chunk_size}:{self.chunk_overlap}:{VERSION}"

    def split(self, document: Document) -> list[Piece]:
        """The document's passages in order; offsets into `document.text`."""
        return list(self._recursive(document) if self.recursive else _structured(document, self.chunk_size))

    def _recursive(self, document: Document) -> Iterator[Piece]:
        """Cut each page, slide, sheet or cell for itself, as LangChain's loaders give one document each."""
        for _, group in groupby(document.spans, key=lambda span: _unit_of(span.place)):
            spans = list(group)
            start, end = spans[0].start, spans[-1].end
            beginnings = [span.start for span in spans]
            for first, last in recursive_spans(document.text[start:end], self.chunk_size, self.chunk_overlap):
                number = bisect_right(beginnings, start + first) - 1
                yield Piece(start + first, start + last, "", spans[max(number, 0)].place)


def make_splitter(chunk_size: int | None = None, chunk_overlap: int | None = None) -> Splitter:
    """The structure-aware splitter, or the recursive one when a size or an overlap (in characters) is given.

    Where only one is given the other is the book's: 1000 and 20 (at most a tenth of the size).
    Raises `OptionError` on a size below 1 or an overlap that is negative or larger than the size.
    """
    if chunk_size is None and chunk_overlap is None:
        return Splitter(False, STRUCTURED_SIZE, 0)
    for name, value in (("chunk_size", chunk_size), ("chunk_overlap", chunk_overlap)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise OptionError(f"{name} must be a whole number of characters, not {value!r}.")
    size = RECURSIVE_SIZE if chunk_size is None else chunk_size
    overlap = min(RECURSIVE_OVERLAP, size // 10) if chunk_overlap is None else chunk_overlap
    if size < 1:
        raise OptionError(f"chunk_size must be at least 1, not {size}.")
    if not 0 <= overlap <= size:
        raise OptionError(f"chunk_overlap must be between 0 and chunk_size ({size}), not {overlap}.")
    return Splitter(True, size, overlap)


def _structured(document: Document, size: int) -> Iterator[Piece]:
    path: list[tuple[int, str]] = []
    waiting: list[Span] = []
    bare: Span | None = None
    for span in document.spans:
        if span.kind == "heading":
            yield from _section(document.text, waiting, _join(path), size)
            waiting = []
            if bare is not None and span.level <= bare.level:
                yield _whole(bare, _join(path[:-1]))
            while path and path[-1][0] >= span.level:
                path.pop()
            path.append((span.level, heading_text(document.text[span.start : span.end])))
            bare = span
        else:
            waiting.append(span)
            bare = None
    yield from _section(document.text, waiting, _join(path), size)
    if bare is not None:
        yield _whole(bare, _join(path[:-1]))


def heading_text(raw: str) -> str:
    """A heading's words, without Markdown marks, underlines and link targets."""
    lines = [line for line in raw.strip().splitlines() if line.strip() and not _RULE.match(line)]
    words = _LINK.sub(r"\1", " ".join(lines)).strip().strip("#").strip()
    return re.sub(r"[*`]+", "", words)


def _join(path: Sequence[tuple[int, str]]) -> str:
    return " > ".join(words for _, words in path if words)[:_CONTEXT_LIMIT]


def _whole(span: Span, context: str) -> Piece:
    return Piece(span.start, span.end, context, span.place)


def _section(text: str, spans: Sequence[Span], context: str, size: int) -> Iterator[Piece]:
    """The passages of the blocks under one heading: neighbours merged while they fit, tables for themselves."""
    start: Span | None = None
    end = 0
    for span in spans:
        alone = span.kind == "table" or span.end - span.start > size
        if start is not None and (
            alone or span.end - start.start > size or _unit_of(start.place) != _unit_of(span.place)
        ):
            yield Piece(start.start, end, context, start.place)
            start = None
        if alone:
            yield from _CUTTERS.get(span.kind, _prose)(text, span, context, size)
        else:
            start = start or span
            end = span.end
    if start is not None:
        yield Piece(start.start, end, context, start.place)


def _unit_of(place: Place) -> tuple[object, ...]:
    """Page, slide, sheet and cell: what a passage never spans two of."""
    return place.page, place.slide, place.sheet, place.cell


def _prose(text: str, span: Span, context: str, size: int) -> Iterator[Piece]:
    for start, end in _packed(sentence_spans(text, span.start, span.end), text, size):
        yield Piece(start, end, context, span.place)


def _lines(text: str, span: Span, context: str, size: int) -> Iterator[Piece]:
    for start, end in _packed(_line_spans(text, span.start, span.end), text, size):
        yield Piece(start, end, context, span.place)


def _table(text: str, span: Span, context: str, size: int) -> Iterator[Piece]:
    """Rows packed up to `size`; the first line is the header and goes into the context of each piece."""
    lines = list(_line_spans(text, span.start, span.end))
    header = re.sub(r"\s*\|\s*", " | ", text[lines[0][0] : lines[0][1]]).strip(" |")[:_CONTEXT_LIMIT]
    ruled = len(lines) > 1 and _RULE.match(text[lines[1][0] : lines[1][1]])
    rows = lines[2:] if ruled else lines[1:]
    if not rows:
        yield Piece(span.start, span.end, context, span.place)
        return
    within = f"{context}: {header}" if context else header
    line, at = 0, span.start
    for start, end in _packed(rows, text, size):
        place = span.place
        if place.row is not None:
            # A line is a row, an empty line one that was left out.
            line, at = line + text.count("\n", at, start), start
            place = replace(place, row=place.row + line, last_row=place.row + line + text.count("\n", start, end))
        yield Piece(start, end, within, place)


_CUTTERS: dict[str, Callable[[str, Span, str, int], Iterator[Piece]]] = {
    "table": _table,
    "code": _lines,
    "list": _lines,
}


def _line_spans(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Lines that hold something, without the line break; indentation stays."""
    for match in re.compile(r"[^\n]*\S[^\n]*").finditer(text, start, end):
        yield match.start(), match.end()


def _packed(parts: Iterable[tuple[int, int]], text: str, size: int) -> Iterator[tuple[int, int]]:
    """Join neighbouring parts while they fit into `size`; a part that is too long alone is cut between words."""
    first: int | None = None
    last = 0
    for start, end in parts:
        if first is not None and end - first > size:
            yield first, last
            first = None
        if end - start > size:
            *full, (begin, stop) = recursive_spans(text[start:end], size, 0)
            yield from ((start + first_, start + last_) for first_, last_ in full)
            start, end = start + begin, start + stop
        first = start if first is None else first
        last = end
    if first is not None:
        yield first, last
