"""Rows of a PDF page: what stands side by side at one height, for pages whose text is placed cell by cell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_GAP = 1.3
"""Type sizes between two pieces of text from which on they are cells, not words of a line."""
_FEW_ROWS, _SHARE = 3, 0.1
"""A page is read in rows from this many of them on, and this share of its lines."""
_LONG, _PROSE_ROWS = 25, 4
"""Cells of so many characters side by side, in so many rows, are columns of prose, not a table."""
_MARKER = re.compile(r"\.\d{1,3}|\d{1,3}(?:\.\d{1,3})*[.)]|[-\u2022\u25cf\u2013\uf0b7*]|\(?[a-zA-Z][.)]")


@dataclass(frozen=True, slots=True)
class Cell:
    """Text that stands together; x and y in points from the page's lower left corner."""

    text: str
    x: float
    y: float
    size: float

    @property
    def end(self) -> float:
        """Where it ends, estimated: the widths of Helvetica's letters, in classes."""
        return self.x + self.size * sum(map(_width, self.text))


def rows_of(pieces: Iterable[Cell]) -> list[list[Cell]] | None:
    """The page's rows from top to bottom, each from left to right; None when it is not a page of cells.

    `pieces` come in the order of the file. Columns of prose are left in that order, by None.
    """
    rows: list[list[Cell]] = []
    for piece in sorted(pieces, key=lambda piece: -piece.y):  # stable: equal heights stay in the file's order
        if rows and rows[-1][0].y - piece.y < 0.35 * max(piece.size, 1.0):
            rows[-1].append(piece)
        else:
            rows.append([piece])
    rows = [_cells(row) for row in rows]
    rows = [row for row in rows if row]
    several = [row for row in rows if len(row) > 1]
    prose = [row for row in several if sum(len(cell.text) >= _LONG for cell in row) > 1]
    if len(several) < max(_FEW_ROWS, _SHARE * len(rows)) or len(prose) >= _PROSE_ROWS:
        return None
    return rows


def table_lines(rows: Sequence[Sequence[Cell]]) -> list[str]:
    """Rows as lines with " | " between the cells; a cell that a row lacks is empty, so that columns stay in line."""
    columns = _columns(rows)
    lines = []
    for row in rows:
        places = [next(number for number, (_, end) in enumerate(columns) if cell.x < end) for cell in row]
        if len(set(places)) < len(row):  # two cells fell into one column: better none than a wrong one
            return [" | ".join(cell.text for cell in row) for row in rows]
        texts = dict(zip(places, (cell.text for cell in row), strict=True))
        lines.append(" | ".join(texts.get(number, "") for number in range(len(columns))).strip())
    return lines


def _columns(rows: Sequence[Sequence[Cell]]) -> list[tuple[float, float]]:
    """Where the columns begin and end: the ranges of cells, put together where they overlap."""
    columns: list[tuple[float, float]] = []
    for begin, end in sorted((cell.x, max(cell.end, cell.x + 1)) for row in rows for cell in row):
        if columns and begin < columns[-1][1]:
            columns[-1] = columns[-1][0], max(columns[-1][1], end)
        else:
            columns.append((begin, end))
    return columns


def _cells(row: Sequence[Cell]) -> list[Cell]:
    """Pieces of one height, put together where no gap parts them; a list's number belongs to what it numbers."""
    cells: list[Cell] = []
    # Pieces at one place follow each other: the file moves on without saying how far.
    for piece in sorted(row, key=lambda piece: piece.x):
        last = cells[-1] if cells else None
        if last is None:
            cells.append(piece)
        elif piece.x - last.x < 0.5:
            cells[-1] = Cell(last.text + piece.text, last.x, last.y, last.size)
        # The longer the text the less certain is where it ends.
        elif piece.x - last.end < _GAP * last.size + 0.1 * max(0.0, last.end - last.x - 15 * last.size) or (
            len(cells) == 1 and _MARKER.fullmatch(last.text.strip())
        ):
            space = "" if last.text.endswith(" ") or piece.text.startswith(" ") else " "
            space = "" if piece.x - last.end < 0.12 * last.size and not piece.text.startswith(" ") else space
            cells[-1] = Cell(last.text + space + piece.text, last.x, last.y, last.size)
        else:
            cells.append(piece)
    flat = (Cell(" ".join(cell.text.split()), cell.x, cell.y, cell.size) for cell in cells)
    return [cell for cell in flat if cell.text]


def _width(character: str) -> float:
    if character in "iljtfrI.,:;'|!()[] ":
        return 0.29
    if character in "mwMW@%":
        return 0.87
    if character.isupper():
        return 0.69
    return 1.0 if character > "\u2e80" else 0.55
