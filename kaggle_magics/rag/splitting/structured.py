"""The structure-aware default: what is said under one heading, in pieces that end where something ends.

Nothing crosses a heading, a page, a slide, a sheet or a cell. Blocks under one heading are joined while they fit; what
is larger is cut at its own joints into pieces of about the same length. The heading path is each piece's context.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from kaggle_magics.rag.document import Document, Span
from kaggle_magics.rag.passages import Place
from kaggle_magics.rag.splitting.cutting import divided, packed
from kaggle_magics.rag.splitting.pieces import Piece
from kaggle_magics.rag.splitting.tables import CONTEXT_LIMIT, table_pieces
from kaggle_magics.rag.splitting.titles import heading_text, leads_in, with_marked_titles


def structured(document: Document, size: int) -> Iterator[Piece]:
    """The document's passages in order, none longer than `size` characters beside its context."""
    path: list[tuple[int, str]] = []
    waiting: list[Span] = []
    bare: Span | None = None
    for span in with_marked_titles(document):
        if span.kind == "heading":
            yield from _section(document.text, waiting, _join(path), size)
            waiting = []
            if bare is not None and span.level <= bare.level:
                yield from _heading(document.text, bare, path, size)
            while path and path[-1][0] >= span.level:
                path.pop()
            path.append((span.level, heading_text(document.text[span.start : span.end])))
            bare = span
        else:
            waiting.append(span)
            bare = None
    yield from _section(document.text, waiting, _join(path), size)
    if bare is not None:
        yield from _heading(document.text, bare, path, size)


def unit_of(place: Place) -> tuple[object, ...]:
    """Page, slide, sheet and cell: what a passage never spans two of."""
    return place.page, place.slide, place.sheet, place.cell


def _join(path: Sequence[tuple[int, str]]) -> str:
    """The heading path; where it is too long the outer headings give way."""
    words = [heading for _, heading in path if heading]
    while len(words) > 1 and sum(map(len, words)) + 3 * (len(words) - 1) > CONTEXT_LIMIT:
        del words[0]
    return " > ".join(words)[:CONTEXT_LIMIT]


def _heading(text: str, span: Span, path: Sequence[tuple[int, str]], size: int) -> Iterator[Piece]:
    """A heading with nothing under it says something by itself."""
    for start, end in divided(text, span.start, span.end, size, "paragraph"):
        yield Piece(start, end, _join(path[:-1]), span.place)


def _section(text: str, spans: Sequence[Span], context: str, size: int) -> Iterator[Piece]:
    """The passages of the blocks under one heading."""
    for _, group in groupby(spans, key=lambda span: unit_of(span.place)):
        run: list[Span] = []
        for span in group:
            if span.kind == "table":
                lead = run.pop() if run and span.place.row is None and leads_in(text, run[-1]) else None
                yield from _run(text, run, context, size)
                run = []
                yield from table_pieces(text, span, context, size, lead)
            elif span.end - span.start > size:
                alone = len(run) - _leading(text, run, span, size)
                yield from _run(text, run[:alone], context, size)
                begin = run[alone].start if run[alone:] else span.start
                run = []
                yield from _large(text, span, context, size, begin)
            else:
                run.append(span)
        yield from _run(text, run, context, size)


def _leading(text: str, run: Sequence[Span], span: Span, size: int) -> int:
    """How many blocks before a large one go with it: all where they are too short to stand alone, else a lead-in."""
    if run and span.start - run[0].start <= size // 4:
        return len(run)
    return int(bool(run) and leads_in(text, run[-1]) and span.start - run[-1].start <= size // 2)


def _large(text: str, span: Span, context: str, size: int, begin: int) -> Iterator[Piece]:
    """The pieces of a block that does not fit; the first begins at `begin`, where what leads into it begins."""
    pieces = list(divided(text, span.start, span.end, size, span.kind))
    if pieces[0][1] - begin > size:
        pieces = list(divided(text, span.start, span.end, size - (span.start - begin), span.kind))
    for number, (start, end) in enumerate(pieces):
        yield Piece(start if number else begin, end, context, span.place, span.kind)


def _run(text: str, spans: Sequence[Span], context: str, size: int) -> Iterator[Piece]:
    """Blocks that each fit, joined."""
    tied = [leads_in(text, span) for span in spans]
    at = 0
    for start, end in packed([(span.start, span.end) for span in spans], size, tied):
        first = at
        while at < len(spans) and spans[at].end <= end:
            at += 1
        inside = spans[first:at]
        kinds = {span.kind for span in inside}
        kind = kinds.pop() if len(kinds) == 1 else "paragraph"
        yield Piece(start, end, context, _from_to(inside[0].place, inside[-1].place), kind)


def _from_to(first: Place, last: Place) -> Place:
    """The place of what begins at one and ends at the other."""
    if first.row is not None and last.row is not None:
        first = replace(first, last_row=last.last_row or last.row)
    if first.time is not None and last.end_time is not None:
        first = replace(first, end_time=last.end_time)
    return first
