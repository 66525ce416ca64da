"""CSV and TSV: one table, a line a row, cells between " | "; row numbers count records (blank lines are none)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.passages import Block, Place
from kaggle_magics.rag.readers.decoding import decode
from kaggle_magics.rag.readers.reading import Reading
from kaggle_magics.rag.readers.tables import numbered_blocks

_DELIMITERS = ",;\t|"


def read(data: bytes, reading: Reading) -> Iterator[Block]:
    """Yield the rows as a table, lines above it as its title. The delimiter is found among comma, semicolon, tab, bar.

    A file without a header gets one ("column 1 | column 2"), so that no row is taken for it.
    """
    text = decode(data)
    # The default field limit (128 KiB) would refuse a long text cell; the whole text is in memory already.
    previous = csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text)))
    except csv.Error as error:
        raise DocumentError(f"the table cannot be read ({error})") from error
    finally:
        csv.field_size_limit(previous)
    yield from numbered_blocks(enumerate(filter(None, rows), start=1), Place(), divide=False)


def _delimiter(text: str) -> str:
    """The candidate that cuts the first rows into the most columns of equal number."""
    sample = text[:65536]
    best, best_score = ",", (0, 0)
    for candidate in _DELIMITERS:
        widths = [
            len(row) for row in list(csv.reader(io.StringIO(sample, newline=""), delimiter=candidate))[:20] if row
        ]
        if len(widths) > 1:
            widths = widths[:-1] if len(text) > len(sample) else widths
        columns = widths[0] if widths else 0
        score = (sum(width == columns for width in widths) if columns > 1 else 0, columns)
        if score > best_score:
            best, best_score = candidate, score
    return best
