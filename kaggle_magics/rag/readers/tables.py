"""Rows of cells as table blocks: spans, blank rows between tables, titles above them, and whether there is a header."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from kaggle_magics.rag.passages import Block, Place

_MOST_SPAN = 1000
_HEADER_ROWS = 200
"""How many rows are looked at to tell whether the first is a header."""
_LONG = 100
"""A cell of more characters is a text, not the name of a column."""
_NUMBER = re.compile(r"[-+(]?[^\w\s.,(]{0,2}\s?\d[\d.,' \u00a0]*(?:[eE][-+]?\d+)?\s?[^\w\s]{0,2}\)?")
_TIME = r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?"
_DATE = re.compile(rf"\d{{1,4}}[-/.]\d{{1,2}}(?:[-/.]\d{{1,4}})?(?:[T ]{_TIME})?|{_TIME}")
_GAP = 20
"""Where more rows than this are missing between two rows, a new block begins, with the header again."""
_YEAR = re.compile(r"(?:1[6-9]|20|21)\d\d")


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell that may span columns and rows to its right and below."""

    text: str
    columns: int = 1
    rows: int = 1


def table_line(cells: Iterable[str]) -> str:
    """A row as one line; line breaks inside a cell become spaces, an empty row an empty line."""
    flat = [" ".join(cell.split()) for cell in cells]
    return " | ".join(flat) if any(flat) else ""


def spread(rows: Sequence[Sequence[Cell]]) -> list[list[str]]:
    """Cells to texts, a row of equal length each: what spans rows is repeated, so that each row can be read alone;
    what spans columns stands in the first of them."""
    filled: dict[tuple[int, int], str] = {}
    widths = [0] * len(rows)
    for number, row in enumerate(rows):
        column = 0
        for cell in row:
            while (number, column) in filled:
                column += 1
            for below in range(min(max(1, cell.rows), len(rows) - number)):
                for right in range(min(max(1, cell.columns), _MOST_SPAN)):
                    filled[number + below, column + right] = "" if right else cell.text
                widths[number + below] = max(widths[number + below], column + min(max(1, cell.columns), _MOST_SPAN))
            column += 1
    width = max(widths, default=0)
    return [[filled.get((number, column), "") for column in range(width)] for number in range(len(rows))]


def table_block(rows: Sequence[Sequence[str]], place: Place | None = None) -> Block | None:
    """The rows as a table whose first filled row is the header; one row is a paragraph, none is None.

    Empty columns are left out, empty rows too. `place.row` is not set: for tables that stand in a text.
    """
    lines = [line for row in without_empty_columns(rows) if (line := table_line(row))]
    if not lines:
        return None
    return Block("\n".join(lines), "table" if len(lines) > 1 else "paragraph", place=place or Place())


def without_empty_columns(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """The rows without the columns that are empty in all of them."""
    kept = _filled_columns(rows)
    return [[_at(row, column) for column in kept] for row in rows]


def _filled_columns(rows: Sequence[Sequence[str]]) -> list[int]:
    return sorted({column for row in rows for column, cell in enumerate(row) if cell.strip()})


def numbered_blocks(rows: Iterable[tuple[int, Sequence[str]]], place: Place, *, divide: bool = True) -> Iterator[Block]:
    """Tables of a sheet or a file: `rows` are its rows with their numbers, empty ones too, hidden ones left out.

    Line k of a table block is row `place.row + k`, so that every line's row is known; a row between that is empty or
    hidden is an empty line. With `divide` an empty row ends a table; rows after it that have no header of their own get
    the one before. Rows of one cell above a table are its title.
    """
    table: list[_Row] = []
    before: _Header | None = None
    for number, row in rows:
        if any(map(str.strip, row)):
            table.append((number, row))
        elif divide and table:
            found, before = _numbered(table, place, before)
            yield from found
            table = []
    yield from _numbered(table, place, before)[0]


_Row = tuple[int, Sequence[str]]
_Header = dict[int, str]
"""Column -> its name, of the table before: a part of it that a blank row cuts off has no header of its own."""


def _numbered(table: Sequence[_Row], place: Place, before: _Header | None) -> tuple[list[Block], _Header | None]:
    """The blocks of rows that stand together, and their header for the rows after the next blank one."""
    blocks: list[Block] = []
    width = max((_filled(row) for _, row in table), default=0)
    titles = 0
    while width > 1 and titles < len(table) - 1 and _filled(table[titles][1]) == 1:
        number, row = table[titles]
        blocks.append(Block(table_line(filter(str.strip, row)), place=replace(place, row=number)))
        titles += 1
    table = table[titles:]
    if not table:
        return blocks, before
    numbers = [number for number, _ in table]
    kept = _filled_columns([row for _, row in table])
    begin, header = _header_of([row for _, row in table], kept, before if not titles else None)
    if header is None:
        row = [_at(table[0][1], column) for column in kept]
        blocks.append(Block(table_line(row), place=replace(place, row=numbers[0])))
        return blocks, None
    columns = sorted(set(header) | set(kept))
    lines = [table_line(_at(row, column) for column in columns) for _, row in table]
    names = table_line(header.get(column, "") for column in columns)
    while begin < len(lines):
        # The header is the line before the first row: where rows are missing between them, it moves down to it.
        end = begin + 1
        while end < len(lines) and numbers[end] - numbers[end - 1] <= _GAP:
            end += 1
        near = begin == 1 and numbers[1] - numbers[0] <= _GAP
        first = at = numbers[0] if near else numbers[begin] - 1
        parts = [names]
        for number, line in zip(numbers[begin:end], lines[begin:end], strict=True):
            parts.append("\n" * (number - at) + line)
            at = number
        blocks.append(Block("".join(parts), "table", place=replace(place, row=first, last_row=at)))
        begin = end
    return blocks, header


def _header_of(
    rows: Sequence[Sequence[str]], kept: Sequence[int], before: _Header | None
) -> tuple[int, _Header | None]:
    """How many rows the header takes, and its names; None for one row alone, which is no table."""
    inside = [[_at(row, column) for column in kept] for row in rows]
    goes_on = before is not None and len(kept) > 1 and set(kept) <= set(before)
    if len(rows) == 1:
        return (0, before) if goes_on and any(map(_is_value, map(str.strip, inside[0]))) else (0, None)
    if has_header(inside):
        return 1, dict(zip(kept, inside[0], strict=True))
    if goes_on:
        return 0, before
    return 0, {column: f"column {number}" for number, column in enumerate(kept, start=1)}


def _at(row: Sequence[str], column: int) -> str:
    return row[column] if column < len(row) else ""


def _filled(row: Sequence[str]) -> int:
    return sum(1 for cell in row if cell.strip())


def has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns. It does unless it looks like the rows below.

    It is data when a number or a date stands in it above a column of these (years in a row are names), when it holds
    a long text, or when a value of it comes again below in the same column, and not the whole row.
    """
    if len(rows) < 2:
        return True
    first, rest = [cell.strip() for cell in rows[0]], rows[1:_HEADER_ROWS]
    if any(len(cell) > _LONG for cell in first):
        return False
    if any([cell.strip() for cell in row] == first for row in rest):
        return True
    years = sum(1 for cell in first if _YEAR.fullmatch(cell)) > 1
    for column, cell in enumerate(first):
        below = [row[column].strip() for row in rest if len(row) > column and row[column].strip()]
        if not cell or not below:
            continue
        if cell in below and len(cell) > 1:
            return False
        if _is_value(cell) and not (years and _YEAR.fullmatch(cell)) and sum(map(_is_value, below)) >= 0.8 * len(below):
            return False
    return True


def _is_value(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell) or _DATE.fullmatch(cell))
