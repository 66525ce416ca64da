"""Tables of the notebook as sources: one table, or a document for each row."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from kaggle_magics.errors import DocumentError, OptionError, did_you_mean
from kaggle_magics.generation.tables.rows import Rows, is_missing, rows_of
from kaggle_magics.rag.passages import Block, Place
from kaggle_magics.rag.readers.numbers import value_text
from kaggle_magics.rag.readers.plain.text import paragraphs
from kaggle_magics.rag.readers.reading import Reading
from kaggle_magics.rag.readers.tables import table_line
from kaggle_magics.rag.sources.source import Source


@dataclass(frozen=True, slots=True)
class RowTexts:
    """A table of which each row is a document: its text stands in the column `text`, the rest is its metadata."""

    table: Any
    """A DataFrame, or what else `rows_of` takes."""
    text: str
    id: str | None = None
    """The column that names the rows, so that a changed row replaces itself; without it they are counted."""
    name: str = "table"

    def sources(self) -> Iterator[Source]:
        """A source for each row, `name[id]`. Raises `OptionError`: no table, no such column, an id that comes twice."""
        rows = rows_of(self.table, name=self.name)
        column = _column(rows, self.text)
        key = None if self.id is None else _column(rows, self.id)
        seen: set[str] = set()
        for number, row in enumerate(rows):
            identity = str(number) if key is None else _text(row[key])
            if identity in seen:
                raise OptionError(f"{identity!r} comes twice in the column {self.id!r}.", "Ids must name one row each.")
            seen.add(identity)
            facts = {str(name): value for name, value in row.items() if name not in (column, key)}
            yield _row_source(f"{self.name}[{identity}]", _text(row[column]), facts)


def is_table(value: Any) -> bool:
    """Whether it is a DataFrame or Series of pandas, or of what can become one (polars, Arrow)."""
    return hasattr(value, "to_pandas") or (hasattr(value, "iloc") and hasattr(value, "to_dict"))


def table_source(name: str, table: Any) -> Source:
    """A table as a source; `place.row` counts its rows from 1, the names of the columns not among them.

    Raises `OptionError` when it is no table or has no rows.
    """
    rows = rows_of(table, name=name)
    return Source(f"table:{name}", name, partial(_content, rows), partial(_blocks, rows))


def unnamed_table(table: Any) -> Source:
    """A table without a name is known by its columns."""
    rows = rows_of(table)
    digest = hashlib.blake2b(repr(rows.columns).encode(), digest_size=4).hexdigest()
    return table_source(f"table-{digest}", table)


def _lines(rows: Rows) -> Iterator[str]:
    yield table_line(map(str, rows.columns))
    for row in rows:
        yield table_line(_text(row[column]) for column in rows.columns)


def _content(rows: Rows) -> bytes:
    return "\n".join(_lines(rows)).encode("utf-8", "replace")


def _blocks(rows: Rows, data: bytes, reading: Reading) -> Iterator[Block]:
    text = data.decode("utf-8")
    if not text.partition("\n")[2].strip():
        raise DocumentError("the table is empty")
    yield Block(text, "table", place=Place(row=0, last_row=len(rows)))


def _row_source(name: str, text: str, facts: dict[str, Any]) -> Source:
    kept = {key: value for key, value in ((key, _fact(value)) for key, value in facts.items()) if value is not None}

    def load() -> bytes:
        return repr((text, sorted(kept.items()))).encode("utf-8", "replace")

    def read(data: bytes, reading: Reading) -> Iterator[Block]:
        if not text.strip():
            raise DocumentError("the text is empty")
        yield from (Block(paragraph) for paragraph in paragraphs(text))

    return Source(f"row:{name}", name, load, read, metadata=kept)


def _fact(value: Any) -> str | int | float | None:
    """A cell as metadata: numbers stay numbers, so that they can be compared."""
    value = _plain(value)
    if is_missing(value):
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    return _text(value) or None


def _plain(value: Any) -> Any:
    """numpy's numbers as Python's."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value


def _text(value: Any) -> str:
    value = _plain(value)
    return "" if is_missing(value) else value_text(value)


def _column(rows: Rows, name: str) -> Hashable:
    known = {str(column): column for column in rows.columns}
    if name not in known:
        near = did_you_mean(name, known)
        raise OptionError(f"The table has no column {name!r}.", near or f"It has {', '.join(known)}.")
    return known[name]


def row_texts(tables: Any, text: str, id: str | None = None) -> list[RowTexts]:
    """A document for each row of the tables: a DataFrame, rows as dicts, the path of a table, or name -> table, or a
    list of these. Raises `OptionError` when nothing is given."""
    if isinstance(tables, Mapping) and text not in tables:
        return [RowTexts(table, text, id, str(name)) for name, table in tables.items()]
    if isinstance(tables, str | os.PathLike):
        return [RowTexts(tables, text, id, os.path.basename(os.fspath(tables)))]
    several = isinstance(tables, list | tuple) and not all(isinstance(one, Mapping) and text in one for one in tables)
    if several:
        return [one for table in tables for one in row_texts(table, text, id)]
    return [RowTexts(tables, text, id)]
