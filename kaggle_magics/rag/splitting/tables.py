"""Tables: rows kept whole, the header in each piece's context, the numbers of the rows in its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from kaggle_magics.rag.document import Span
from kaggle_magics.rag.passages import Place
from kaggle_magics.rag.splitting.cutting import divided, lines
from kaggle_magics.rag.splitting.pieces import Piece
from kaggle_magics.rag.splitting.titles import RULE

CONTEXT_LIMIT = 300


def table_pieces(text: str, span: Span, context: str, size: int, lead: Span | None = None) -> Iterator[Piece]:
    """Rows packed up to `size`; the first line is the header and goes into the context of each piece.

    A table that stands in prose is shown as it stands: its first piece begins with the header, or with `lead`, the
    lines that lead into it, where that fits. In a sheet or a CSV file the header's row is not part of any piece.
    """
    found = lines(text, span.start, span.end)
    head = next(found)
    first = next(found, None)
    if first is not None and RULE.match(text[slice(*first)]):
        first = next(found, None)
    if first is None:
        yield Piece(lead.start if lead else span.start, span.end, context, span.place, "table")
        return
    header = re.sub(r"\s*\|\s*", " | ", text[slice(*head)]).strip(" |")[:CONTEXT_LIMIT]
    within = f"{context}: {header}" if context else header
    sheet = span.place.row is not None
    pieces = divided(text, first[0], span.end, size, "table")
    line, at = 0, span.start
    for number, (start, end) in enumerate(pieces):
        begin = start
        if not number and not sheet:
            begin = lead.start if lead and end - lead.start <= size else span.start
            if lead and begin == span.start:
                yield Piece(lead.start, lead.end, context, lead.place)
        line, at = line + text.count("\n", at, start), start
        yield Piece(begin, end, within, rows_at(span.place, text, line, start, end), "table")


def rows_at(place: Place, text: str, line: int, start: int, end: int) -> Place:
    """The place of `text[start:end]`, `line` lines after `place`: a line is a row, an empty one a row left out."""
    if place.row is None:
        return place
    return replace(place, row=place.row + line, last_row=place.row + line + text.count("\n", start, end))
